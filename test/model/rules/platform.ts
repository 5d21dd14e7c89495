/** The rules of tariffs, of the platform's own lists, and of what is only read. */
import { type Json, type Members, type Tariff, text } from '../world';
import {
  type Expected,
  type Ground,
  type Law,
  type Laws,
  type Rule,
  add,
  edit,
  ok,
  refuse,
  remove,
  within,
} from './law';

function ownTariff({ world, actor, params }: Ground): Tariff {
  const tariff = world.tariffs.find(({ id, owner }) => id === params['i_tariff'] && owner === actor);
  return tariff ?? refuse(404);
}

function demandTariffName({ world, actor }: Ground, name: Json | undefined, itself?: Tariff): void {
  const taken = world.tariffs.some((each) => each.owner === actor && each.name === name && each !== itself);
  if (taken) refuse(409);
}

const createTariff: Rule = (ground) => {
  const { world, actor, params } = ground;
  demandTariffName(ground, params['name']);
  return {
    result: { result: 'OK' },
    adopts: 'i_tariff',
    adopt: ({ i_tariff }) => {
      const { name, currency } = params;
      world.tariffs.push({
        id: Number(i_tariff),
        owner: actor,
        name: text(name),
        currency: text(currency),
      });
    },
  };
};

const updateTariff: Rule = (ground) => {
  const tariff = ownTariff(ground);
  const { currency, name } = ground.params;
  if (currency !== undefined && currency !== tariff.currency) refuse(400);
  demandTariffName(ground, name, tariff);
  if (name !== undefined) tariff.name = text(name);
  return ok;
};

const deleteTariff: Rule = (ground) => {
  const tariff = ownTariff(ground);
  const { customers, tariffs } = ground.world;
  if (customers.some(({ attributes }) => attributes['i_tariff'] === tariff.id)) refuse(409);
  tariffs.splice(tariffs.indexOf(tariff), 1);
  return ok;
};

const seenTariff = ({ id, name, currency }: Tariff): Members => ({ i_tariff: id, name, currency });

const listTariffs: Rule = ({ world, actor, params }) => {
  const { offset, limit } = params;
  const own = world.tariffs.filter(({ id, owner }) => owner === actor && id !== 1);
  const tariffs = own
    .slice(Number(offset ?? 0))
    .slice(0, limit === undefined ? undefined : Number(limit))
    .map(seenTariff);
  return { result: { result: 'OK', tariffs } };
};

const createGroup: Rule = ({ world, params }) => {
  if ([...world.groups.values()].includes(text(params['name']))) refuse(409);
  return {
    result: { result: 'OK' },
    adopts: 'i_routing_group',
    adopt: ({ i_routing_group }) => void world.groups.set(Number(i_routing_group), text(params['name'])),
  };
};

function group({ world, params }: Ground): number {
  const id = Number(params['i_routing_group']);
  return world.groups.has(id) ? id : refuse(404);
}

const updateGroup: Rule = (ground) => {
  const id = group(ground);
  const { groups } = ground.world;
  const name = text(ground.params['name']);
  if ([...groups].some(([other, taken]) => other !== id && taken === name)) refuse(409);
  groups.set(id, name);
  return ok;
};

const deleteGroup: Rule = (ground) => {
  const id = group(ground);
  if (ground.world.customers.some(({ attributes }) => attributes['i_routing_group'] === id)) refuse(409);
  ground.world.groups.delete(id);
  return ok;
};

const listGroups: Rule = ({ world }) => {
  const ours = [...world.groups].filter(([id]) => id !== 1).sort(([a], [b]) => a - b);
  const routing_groups = ours.map(([i_routing_group, name]) => ({ i_routing_group, name }));
  const isOurs = (each: Members): boolean => text(each['name']).startsWith(world.prefix);
  return {
    result: { routing_groups },
    see: (answer) => ({ routing_groups: (answer['routing_groups'] as Members[]).filter(isOurs) }),
  };
};

const addHost: Rule = ({ world, params }) => {
  if ([...world.hosts.values()].includes(text(params['address']))) refuse(409);
  return {
    result: { result: 'OK' },
    adopts: 'i_trusted_host',
    adopt: ({ i_trusted_host }) => void world.hosts.set(Number(i_trusted_host), text(params['address'])),
  };
};

const removeHost: Rule = ({ world, params }) =>
  world.hosts.delete(Number(params['i_trusted_host'])) ? ok : refuse(404);

const listHosts: Rule = ({ world }) => {
  const ours = [...world.hosts.keys()].sort((a, b) => a - b);
  const ids = (answer: Members): number[] =>
    (answer['trusted_hosts'] as Members[]).map((host) => Number(host['i_trusted_host']));
  return { result: { ours }, see: (answer) => ({ ours: ids(answer).filter((id) => world.hosts.has(id)) }) };
};

const isFine = (answer: Members): unknown => ({ result: answer['result'] ?? null });
const justOk: Expected = { result: { result: 'OK' }, see: isFine };

const tariffsRight = (bit: number, rule: Rule): Law => ({ right: ['tariffs_mgmt', bit], rule });
const roots = (rule: Rule): Law => ({ right: 'root', rule });

export const platformLaws: Laws = {
  createTariff: tariffsRight(add, createTariff),
  updateTariff: tariffsRight(edit, updateTariff),
  deleteTariff: tariffsRight(remove, deleteTariff),
  getTariffInfo: { rule: (ground) => ({ result: { result: 'OK', tariff: seenTariff(ownTariff(ground)) } }) },
  listTariffs: { rule: listTariffs },
  getDictionary: { optionalActor: true, rule: () => justOk },
  getAuditLogs: {
    rule: (ground) => {
      if (ground.params['i_customer'] !== undefined) within(ground, true);
      return justOk;
    },
  },
  createRoutingGroup: roots(createGroup),
  updateRoutingGroup: roots(updateGroup),
  deleteRoutingGroup: roots(deleteGroup),
  listRoutingGroups: roots(listGroups),
  addTrustedHost: roots(addHost),
  removeTrustedHost: roots(removeHost),
  listTrustedHosts: roots(listHosts),
};
