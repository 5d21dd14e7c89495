/** Attacks on the disk and on everything that is slow where there is too much of it. */
import { type Login, tenantRequest, xmlRequest } from '../http';
import { scenario } from '../scenario';
import { type Stage, tokenOf } from '../stage';
import { insertChain, insertTags, makeCustomer, makeManager, resellerRights, webPassword } from '../world';
import { actionsOf } from './memory';

/** What the rows of the database take once nothing dead is left in the files, in bytes. */
async function liveBytes({ sql }: Stage): Promise<number> {
  await sql.query('VACUUM FULL');
  const { rows } = await sql.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
  return Number(rows[0]?.bytes);
}

const acceptedKilobytes = 'kB that were accepted';

const repeatedPuts = scenario<{ token: string; bytes: number }>({
  name: 'repeated-puts',
  attack_is: 'A manager replaces one flow by another as large as may be, again and again',
  prepare: async (stage) => {
    const customer = await makeCustomer(stage, 'attacker');
    const manager = await makeManager(stage, customer);
    return { token: await tokenOf(stage.http, manager), bytes: await liveBytes(stage) };
  },
  attack: async (hands, { token }) => {
    const made = await hands.send(tenantRequest(token, 'POST', '/flows', { name: 'replaced' }));
    const { id = '' } = JSON.parse(made?.text ?? '{}') as { id?: string };
    let [turn, bytes] = [0, 900_000];
    await hands.flood(2, async () => {
      // Random text, because PostgreSQL compresses what repeats.
      const noise = Array.from({ length: bytes / 2_000 }, () => Math.random().toString(36)).join('');
      const actions = [...actionsOf(bytes), { type: `turn ${(turn += 1)}`, option: noise }];
      const sent = tenantRequest(token, 'PUT', `/flows/${id}`, { actions });
      const answer = await hands.send(sent);
      if (answer?.status === 200)
        hands.count(acceptedKilobytes, Math.round(Buffer.byteLength(sent.body ?? '') / 1_000));
      else if (answer?.status === 400 || answer?.status === 413) bytes = Math.max(10_000, bytes / 2);
      return answer;
    });
  },
  verify: async (stage, { bytes }, tally) => {
    const accepted = (tally[acceptedKilobytes] ?? 0) * 1_000;
    const left = (await liveBytes(stage)) - bytes;
    const allowed = accepted / 10 + 2_000_000;
    const inMegabytes = (size: number): string => (size / 1_000_000).toFixed(1);
    return left <= allowed
      ? []
      : [`${inMegabytes(accepted)} MB of PUTs left ${inMegabytes(left)} MB in the database`];
  },
});

const deepTree = scenario<{ api: Login; i_deepest: number; token: string }>({
  name: 'deep-tree',
  attack_is: 'A reseller makes customers below customers, as deep as it may, and reads from the top',
  prepare: async (stage) => {
    const customer = await makeCustomer(stage, 'attacker', resellerRights);
    const i_deepest = await insertChain(stage.sql, customer.i_customer, 61);
    return { api: customer.api, i_deepest, token: await tokenOf(stage.http, customer.web) };
  },
  attack: async (hands, { api, i_deepest, token }) => {
    let [deepest, level] = [i_deepest, 0];
    while (!hands.isOver() && level < 30) {
      const made = await hands.send(
        xmlRequest(api, 'createCustomer', {
          i_wholesaler: deepest,
          i_tariff: null,
          name: `level ${(level += 1)}`,
          web_password: webPassword,
          customers_mgmt: 7,
        }),
      );
      const id = /<name>i_customer<\/name><value><int>(\d+)/.exec(made?.text ?? '')?.[1];
      if (id === undefined) break;
      deepest = Number(id);
    }
    await hands.flood(hands.scaled(24, 4), (lane) =>
      hands.send(
        lane % 2 === 0
          ? tenantRequest(token, 'GET', '/customers?page_size=100')
          : xmlRequest(api, 'getCustomerInfo', { i_customer: deepest }),
      ),
    );
  },
  verify: async ({ sql }) => {
    const { rows } = await sql.query<{ depth: number }>(
      'SELECT max(cardinality(path)) AS depth FROM customers',
    );
    const depth = rows[0]?.depth ?? 0;
    // Root may or may not count as a level.
    return depth > 65 ? [`The tree is ${depth} levels deep`] : [];
  },
});

const ownedTags = 150_000;

const quota = scenario<{ token: string }>({
  name: 'quota',
  attack_is: `A manager of ${ownedTags} tags makes more of them, and pages through all`,
  prepare: async (stage) => {
    const customer = await makeCustomer(stage, 'attacker');
    const manager = await makeManager(stage, customer);
    await insertTags(stage.sql, customer.i_customer, ownedTags);
    return { token: await tokenOf(stage.http, manager) };
  },
  attack: (hands, { token }) =>
    hands.flood(hands.scaled(24, 4), async (lane) => {
      if (lane % 2 === 1) return hands.send(tenantRequest(token, 'GET', '/tags?page_size=100'));
      const answer = await hands.send(tenantRequest(token, 'POST', '/tags', { name: `tag ${lane}` }));
      if (answer?.status === 200) hands.achieved(`A tenant of ${ownedTags} tags made one more`);
      return answer;
    }),
});

export const growthScenarios = [repeatedPuts, deepTree, quota];
