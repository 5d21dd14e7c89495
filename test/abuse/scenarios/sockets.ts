/** Attacks below the calls: connections that are slow or idle, challenges, large headers. */
import { digestFields, digestHeader } from '../../setup/digest-client';
import { type Login, xmlRequest } from '../http';
import { scenario } from '../scenario';
import { makeCustomer } from '../world';

const nothing = { prepare: () => Promise.resolve({}) };

const slowRequests = scenario<Record<string, never>>({
  name: 'slow-requests',
  attack_is: 'A stranger opens 1,000 connections and sends a byte of a request every second, or nothing',
  ...nothing,
  attack: (hands) =>
    hands.flood(hands.scaled(1_000, 50), async (lane) => {
      const socket = await hands.connect();
      if (!socket) return undefined;
      socket.resume();
      if (lane % 3 !== 0)
        socket.write(
          lane % 3 === 1
            ? 'POST /xmlapi/xmlapi HTTP/1.1\r\nHost: treeline\r\n'
            : 'POST /auth/login HTTP/1.1\r\nHost: treeline\r\nContent-Length: 1000000\r\n\r\n{',
        );
      for (let second = 0; second < 60 && !socket.closed && !hands.isOver(); second += 1) {
        if (lane % 3 !== 0) socket.write('a');
        await hands.sleep(1_000);
      }
      hands.count(socket.closed ? 'closed by the server' : 'still open');
      socket.destroy();
      return {};
    }),
});

const newConnections = scenario<Login>({
  name: 'new-connections',
  attack_is: 'A customer opens a new connection for every call, 200 at once',
  prepare: async (stage) => (await makeCustomer(stage, 'attacker')).api,
  attack: (hands, api) =>
    hands.flood(hands.scaled(200, 16), () =>
      hands.send({ ...xmlRequest(api, 'getCustomerInfo', { name: api.login }), fresh: true }),
    ),
});

const challenges = scenario<Login>({
  name: 'challenges',
  attack_is: 'A customer answers each challenge of Digest once and takes the next, 64 at once',
  prepare: async (stage) => (await makeCustomer(stage, 'attacker')).api,
  attack: async (hands, api) => {
    const call = xmlRequest(undefined, 'getCustomerInfo', { name: api.login });
    await hands.flood(hands.scaled(64, 8), async () => {
      const challenge = await hands.send(call, 'uncounted');
      const nonce = /nonce="([^"]+)"/.exec([challenge?.headers['www-authenticate']].flat().join())?.[1];
      if (nonce === undefined) {
        hands.count(`no challenge, but HTTP ${challenge?.status ?? 0}`);
        return undefined;
      }
      const fields = digestFields({ login: api.login, password: api.password, nonce });
      return hands.send({
        ...call,
        headers: { authorization: digestHeader(fields).replace(/^Authorization: /, '') },
      });
    });
  },
});

const largeHeaders = scenario<Login>({
  name: 'large-headers',
  attack_is:
    'A stranger sends headers as large as they may be: Digest, Forwarded, cookies, queries; 32 at once',
  prepare: async (stage) => (await makeCustomer(stage, 'attacker')).api,
  attack: async (hands, api) => {
    const long = 15_000;
    const digest = Array.from({ length: 1_500 }, (_, index) => `a${index}="b"`)
      .join(', ')
      .slice(0, long);
    const call = xmlRequest(api, 'getCustomerInfo', { name: api.login });
    const requests = [
      { ...call, headers: { authorization: `Digest ${digest}` } },
      { ...call, headers: { ...call.headers, forwarded: 'for=1.2.3.4,'.repeat(1_200) } },
      { path: '/v1.0/customer', headers: { cookie: 'token=a; '.repeat(1_600) } },
      { path: `/v1.0/customers?${'a=1&'.repeat(3_700)}` },
      { ...call, headers: { authorization: `Digest username="${'\\"'.repeat(7_000)}"` } },
      { ...call, headers: { ...call.headers, 'x-forwarded-for': '1.2.3.4, '.repeat(1_600) } },
      { ...call, headers: { 'x-large': 'x'.repeat(100_000) } },
    ];
    await hands.flood(hands.scaled(32, 7), (lane) => hands.send(requests[lane % requests.length] ?? call));
  },
});

export const socketScenarios = [slowRequests, newConnections, challenges, largeHeaders];
