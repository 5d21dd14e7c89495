/** Attacks on the memory of the process: large pages, and answers that their caller does not read. */
import { scenario } from '../scenario';
import { type Login, type Params, jsonRequest, tenantRequest, xmlRequest } from '../http';
import { tokenOf } from '../stage';
import { insertChildren, insertFlows, insertLargeAuditRecords, makeCustomer, makeManager } from '../world';

/** Actions of a flow that are about so long as JSON. */
export const actionsOf = (bytes: number): Params[] =>
  Array.from({ length: Math.max(1, Math.floor(bytes / 10_000)) }, () => ({
    type: 'talk',
    option: 'x'.repeat(Math.min(bytes, 10_000) - 40),
  }));

const flowPages = scenario<{ token: string }>({
  name: 'flow-pages',
  attack_is: 'A manager reads pages of 100 flows of 1 MB, 24 at once',
  prepare: async (stage, scale) => {
    const customer = await makeCustomer(stage, 'attacker');
    const manager = await makeManager(stage, customer);
    await insertFlows(stage.sql, customer.i_customer, scale < 1 ? 20 : 100, 950_000);
    return { token: await tokenOf(stage.http, manager) };
  },
  attack: async (hands, { token }) => {
    // Large flows are made over the API too; a limit on them makes these answer 400.
    await hands.send(tenantRequest(token, 'POST', '/flows', { name: 'large', actions: actionsOf(900_000) }));
    await hands.flood(hands.scaled(24, 4), () =>
      hands.send(tenantRequest(token, 'GET', '/flows?page_size=100')),
    );
  },
});

const auditPages = scenario<{ api: Login; token: string }>({
  name: 'audit-pages',
  attack_is: 'A customer whose flows of 1 MB were changed 100 times reads its audit records, 12 at once',
  prepare: async (stage, scale) => {
    const customer = await makeCustomer(stage, 'attacker');
    const manager = await makeManager(stage, customer);
    await insertLargeAuditRecords(stage.sql, customer.i_customer, scale < 1 ? 20 : 100, 900_000);
    return { api: customer.api, token: await tokenOf(stage.http, manager) };
  },
  attack: async (hands, { api, token }) => {
    const made = await hands.send(tenantRequest(token, 'POST', '/flows', { name: 'changed' }));
    const { id } = JSON.parse(made?.text ?? '{}') as { id?: string };
    for (let turn = 0; turn < 2; turn += 1) {
      const actions = [...actionsOf(900_000), { type: `turn ${turn}` }];
      const large = await hands.send(tenantRequest(token, 'PUT', `/flows/${id ?? ''}`, { actions }));
      if (large?.status !== 200) {
        const smaller = [...actionsOf(50_000), { type: `turn ${turn}` }];
        await hands.send(tenantRequest(token, 'PUT', `/flows/${id ?? ''}`, { actions: smaller }));
      }
    }
    await hands.flood(hands.scaled(12, 2), () => hands.send(xmlRequest(api, 'getAuditLogs', { limit: 100 })));
  },
});

const unreadAnswers = scenario<{ token: string }>({
  name: 'unread-answers',
  attack_is: 'A manager asks for pages of flows over 100 connections and reads none of the answers',
  prepare: async (stage, scale) => {
    const customer = await makeCustomer(stage, 'attacker');
    const manager = await makeManager(stage, customer);
    await insertFlows(stage.sql, customer.i_customer, scale < 1 ? 10 : 40, 60_000);
    return { token: await tokenOf(stage.http, manager) };
  },
  attack: async (hands, { token }) => {
    const request = `GET /v1.0/flows?page_size=100 HTTP/1.1\r\nHost: treeline\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    await hands.flood(hands.scaled(100, 10), async () => {
      const socket = await hands.connect();
      if (!socket) return undefined;
      socket.pause();
      // Twenty requests follow one another without a look at the answers.
      socket.write(request.repeat(20));
      for (let waited = 0; waited < 20 && !socket.closed && !hands.isOver(); waited += 1)
        await hands.sleep(250);
      hands.count(socket.closed ? 'closed by the server' : 'still open after 5 s');
      socket.destroy();
      return {};
    });
  },
});

const wideMulticalls = scenario<{ api: Login }>({
  name: 'wide-multicalls',
  attack_is:
    'A reseller lists its 1,200 customers 100 times in one multicall, 8 at once, over XML-RPC and JSON',
  prepare: async (stage, scale) => {
    const customer = await makeCustomer(stage, 'attacker');
    await insertChildren(stage.sql, customer.i_customer, scale < 1 ? 100 : 1_200);
    return { api: customer.api };
  },
  attack: (hands, { api }) => {
    const calls = Array.from({ length: 100 }, () => ({
      methodName: 'listCustomers',
      params: [{ limit: 900 }],
    }));
    return hands.flood(hands.scaled(8), (lane) =>
      hands.send(
        lane % 2 === 0
          ? xmlRequest(api, 'system.multicall', calls)
          : jsonRequest(api, 'system.multicall', { calls }),
      ),
    );
  },
});

export const memoryScenarios = [flowPages, auditPages, unreadAnswers, wideMulticalls];
