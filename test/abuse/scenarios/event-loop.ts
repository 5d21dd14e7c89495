/** Attacks on the event loop: values whose check takes long, many in one request, and answers that cannot be written. */
import { scenario } from '../scenario';
import { type Login, jsonRequest, resellerRequest, xmlRequest } from '../http';
import { insertChildren, makeCustomer, resellerRights } from '../world';

/** An expression that is short to write and long to compile. */
const bomb = (length: number): string => {
  const part = '(?:[a-z]{1,40}){1,25}';
  return part.repeat(Math.floor(length / part.length));
};

const attacker = {
  prepare: async (stage: Parameters<typeof makeCustomer>[0]) => (await makeCustomer(stage, 'attacker')).api,
};

const regexBombs = scenario<Login>({
  name: 'regex-bombs',
  attack_is: 'A customer without rights sends regular expressions that are dear to compile, 16 at once',
  ...attacker,
  attack: (hands, api) =>
    hands.flood(hands.scaled(16), (lane) =>
      hands.send(
        xmlRequest(api, 'createCustomer', {
          i_tariff: null,
          name: 'never made',
          web_password: 'correct-horse-1',
          accounts_matching_rule: bomb(lane % 2 === 0 ? 4_000 : 1_000),
        }),
      ),
    ),
});

const multicallBombs = scenario<Login>({
  name: 'multicall-bombs',
  attack_is: 'A customer without rights sends 100 such expressions in one multicall of 0.4 MB, 2 at once',
  ...attacker,
  attack: (hands, api) => {
    const calls = Array.from({ length: 100 }, () => ({
      methodName: 'updateCustomer',
      params: [{ i_customer: 1, accounts_matching_rule: bomb(4_000) }],
    }));
    return hands.flood(2, (lane) =>
      hands.send(
        lane === 0
          ? xmlRequest(api, 'system.multicall', calls)
          : jsonRequest(api, 'system.multicall', { calls }),
      ),
    );
  },
});

const longRanges = scenario<Login>({
  name: 'long-ranges',
  attack_is:
    'A customer without rights sends an address range of 1 MB, and lists of long addresses, 4 at once',
  ...attacker,
  attack: (hands, api) => {
    const long = [
      '1.2.3.4,'.repeat(120_000).slice(0, 1_000_000),
      `1:${'0'.repeat(1_000_000)}`,
      '1.2.3.4/'.concat('3'.repeat(1_000_000)),
    ];
    return hands.flood(4, (lane) =>
      hands.send(
        lane === 3
          ? xmlRequest(api, 'updateCustomer', { i_customer: 1, email: 'a@b.example,'.repeat(80_000) })
          : resellerRequest(api, 'POST', '/account/reseller', {
              name: 'never made',
              contact_name: 'nobody',
              ip_addresses: [{ ip_range: long[lane] ?? '' }],
            }),
      ),
    );
  },
});

const largeBodies = scenario<Login>({
  name: 'large-bodies',
  attack_is:
    'A customer without rights sends bodies of 1 MB full of small values and deep nesting, 4 at once',
  ...attacker,
  attack: (hands, api) => {
    const values = '<value><i4>1</i4></value>'.repeat(38_000);
    const xml = `<methodCall><methodName>getCustomerInfo</methodName><params><param><value><array><data>${values}</data></array></value></param></params></methodCall>`;
    const json = `{"a":[${'1,'.repeat(490_000)}1]}`;
    const nested = `{"a":${'['.repeat(400_000)}${']'.repeat(400_000)}}`;
    const bodies = [xml, json, nested, `{"a":"${'\\u0041'.repeat(160_000)}"}`];
    return hands.flood(4, (lane) => {
      const call =
        lane === 0
          ? xmlRequest(api, 'getCustomerInfo', { name: api.login })
          : jsonRequest(api, 'getCustomerInfo', { name: api.login });
      return hands.send({ ...call, body: bodies[lane] ?? '' });
    });
  },
});

const jsonMulticall = scenario<{ api: Login; i_child: number }>({
  name: 'json-multicall',
  attack_is:
    'A reseller pays and lists 1,200 customers in one JSON multicall; the answer must follow the payment',
  prepare: async (stage) => {
    const customer = await makeCustomer(stage, 'attacker', { ...resellerRights, balance: 1_000 });
    // The number of rows is the point, so it does not shrink in the suite.
    await insertChildren(stage.sql, customer.i_customer, 1_200);
    const { rows } = await stage.sql.query<{ id: number }>(
      'SELECT min(i_customer) AS id FROM customers WHERE i_wholesaler = $1',
      [customer.i_customer],
    );
    return { api: customer.api, i_child: rows[0]?.id ?? 0 };
  },
  attack: async (hands, { api, i_child }) => {
    let serial = 0;
    await hands.flood(hands.scaled(4), async () => {
      const pay = {
        i_customer: i_child,
        amount: 0.01,
        currency: 'USD',
        idempotency_key: `pay ${(serial += 1)}`,
      };
      const answer = await hands.send(
        jsonRequest(api, 'system.multicall', {
          calls: [
            { methodName: 'customerAddFunds', params: [pay] },
            { methodName: 'listCustomers', params: [{}] },
          ],
        }),
      );
      if (answer && answer.status !== 200)
        hands.achieved(
          `A JSON multicall of a payment and a list of 1,200 rows answered HTTP ${answer.status}`,
        );
      return answer;
    });
  },
});

export const eventLoopScenarios = [regexBombs, multicallBombs, longRanges, largeBodies, jsonMulticall];
