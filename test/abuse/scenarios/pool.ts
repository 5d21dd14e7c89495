/** Attacks on what all share: the connections to the database, and the turns of the server. */
import { type Login, tenantRequest, xmlRequest } from '../http';
import { scenario } from '../scenario';
import { type Stage, tokenOf } from '../stage';
import { victimAddress } from '../victim';
import {
  insertAuditRecords,
  insertChildren,
  insertPayments,
  makeCustomer,
  makeManager,
  resellerRights,
} from '../world';

/** From long before everything that was made. */
const always = { start_date: '2020-01-01T00:00:00Z', end_date: '2040-01-01T00:00:00Z' };

const onlyApi = async (stage: Stage): Promise<Login> => (await makeCustomer(stage, 'attacker')).api;

const auditFlood = scenario<Login>({
  name: 'audit-flood',
  attack_is: 'A customer without rights reads its audit records, 32 at once, among 400,000 of others',
  prepare: async (stage, scale) => {
    const neighbour = await makeCustomer(stage, 'neighbour');
    await insertAuditRecords(stage.sql, neighbour.i_customer, scale < 1 ? 20_000 : 400_000);
    return onlyApi(stage);
  },
  attack: (hands, api) =>
    hands.flood(hands.scaled(32, 8), (lane) =>
      hands.send(
        xmlRequest(api, 'getAuditLogs', { ...always, limit: 100, offset: lane % 2 === 0 ? 0 : 100_000 }),
      ),
    ),
});

const statementFlood = scenario<{ api: Login; i_customer: number }>({
  name: 'statement-flood',
  attack_is:
    'A customer asks for the statement and the payments of its account of 200,000 entries, 32 at once',
  books: 'skipped',
  prepare: async (stage, scale) => {
    const { api, i_customer } = await makeCustomer(stage, 'attacker');
    await insertPayments(stage, i_customer, scale < 1 ? 10_000 : 200_000);
    return { api, i_customer };
  },
  attack: (hands, { api, i_customer }) => {
    const late = { start_date: '2039-01-01T00:00:00Z', end_date: '2040-01-01T00:00:00Z' };
    return hands.flood(hands.scaled(32, 8), (lane) =>
      hands.send(
        lane % 2 === 0
          ? xmlRequest(api, 'getStatement', { i_customer, ...late })
          : xmlRequest(api, 'getPaymentsList', { i_customer, ...late, limit: 100, offset: 100_000 }),
      ),
    );
  },
});

const patternFlood = scenario<Login>({
  name: 'pattern-flood',
  attack_is: 'A reseller of 100,000 customers lists them by pattern with totals, 32 at once',
  prepare: async (stage, scale) => {
    const { api, i_customer } = await makeCustomer(stage, 'attacker');
    await insertChildren(stage.sql, i_customer, scale < 1 ? 2_000 : 100_000);
    return api;
  },
  attack: (hands, api) =>
    hands.flood(hands.scaled(32, 8), () =>
      hands.send(
        xmlRequest(api, 'listCustomers', { name_pattern: '%_%e%_%9%9%9%8%7%', with_total: 1, limit: 10 }),
      ),
    ),
});

const writeFlood = scenario<{ token: string; api: Login }>({
  name: 'write-flood',
  attack_is: 'A manager writes over 1,000 connections at once',
  prepare: async (stage) => {
    const customer = await makeCustomer(stage, 'attacker');
    const manager = await makeManager(stage, customer);
    return { token: await tokenOf(stage.http, manager), api: customer.api };
  },
  attack: (hands, { token }) =>
    hands.flood(hands.scaled(1_000, 50), (lane) =>
      hands.send(tenantRequest(token, 'POST', '/tags', { name: `tag ${lane}` })),
    ),
});

const rowFlood = scenario<{ api: Login; i_child: number }>({
  name: 'row-flood',
  attack_is:
    'A reseller pays one and the same customer over 300 connections at once, so that all wait for one row',
  prepare: async (stage) => {
    const attacker = await makeCustomer(stage, 'attacker', { ...resellerRights, balance: 1_000_000 });
    const { i_customer } = await makeCustomer(stage, 'child of attacker', {
      i_wholesaler: attacker.i_customer,
    });
    return { api: attacker.api, i_child: i_customer };
  },
  attack: (hands, { api, i_child }) =>
    hands.flood(hands.scaled(300, 20), () =>
      hands.send(xmlRequest(api, 'transferFunds', { i_customer: i_child, amount: 0.01 })),
    ),
});

const multicallFlood = scenario<Login>({
  name: 'multicall-flood',
  attack_is: 'A customer without rights sends multicalls of 100 reads over 64 connections',
  prepare: onlyApi,
  attack: (hands, api) => {
    const calls = Array.from({ length: 100 }, () => ({
      methodName: 'getCustomerInfo',
      params: [{ name: api.login }],
    }));
    return hands.flood(hands.scaled(64, 8), () => hands.send(xmlRequest(api, 'system.multicall', calls)));
  },
});

const sameAddress = scenario<{ api: Login; token: string }>({
  name: 'same-address',
  attack_is: 'A customer behind the same address as the victim reads and writes over 300 connections',
  // As behind one NAT.
  address: victimAddress,
  prepare: async (stage) => {
    const customer = await makeCustomer(stage, 'attacker');
    const manager = await makeManager(stage, customer);
    return { api: customer.api, token: await tokenOf(stage.http, manager) };
  },
  attack: (hands, { api, token }) =>
    hands.flood(hands.scaled(300, 20), (lane) =>
      hands.send(
        lane % 2 === 0
          ? xmlRequest(api, 'getCustomerInfo', { name: api.login })
          : tenantRequest(token, 'POST', '/tags', { name: `tag ${lane}` }),
      ),
    ),
});

export const poolScenarios = [
  auditFlood,
  statementFlood,
  patternFlood,
  writeFlood,
  rowFlood,
  multicallFlood,
  sameAddress,
];
