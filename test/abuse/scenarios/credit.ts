/** Attacks on money: credit that nobody stands for. */
import { type Login, resellerRequest, xmlRequest } from '../http';
import { scenario } from '../scenario';
import { apiPassword, makeCustomer, resellerRights, setPrice, webPassword } from '../world';

const numberPrice = 1.5;

const inventedCredit = scenario<{ api: Login; i_attacker: number }>({
  name: 'invented-credit',
  attack_is:
    'A reseller without money gives a customer a credit limit, buys numbers with it, and deletes the customer',
  prepare: async (stage) => {
    await setPrice(stage.sql, 'number', numberPrice);
    const { api, i_customer } = await makeCustomer(stage, 'attacker', resellerRights);
    return { api, i_attacker: i_customer };
  },
  attack: async (hands, { api }) => {
    let serial = 0;
    await hands.flood(hands.scaled(8), async () => {
      const name = `front ${(serial += 1)}`;
      const made = await hands.send(
        xmlRequest(api, 'createCustomer', {
          i_tariff: null,
          name,
          web_password: webPassword,
          api_access: 1,
          api_password: apiPassword,
          credit_limit: 1_000_000,
        }),
      );
      const i_customer = Number(/<name>i_customer<\/name><value><int>(\d+)/.exec(made?.text ?? '')?.[1]);
      if (Number.isNaN(i_customer)) return made;
      for (let bought = 0; bought < 5; bought += 1) {
        const number = `+4414${String(serial).padStart(6, '0')}${bought}`;
        const answer = await hands.send(
          resellerRequest({ login: name, password: apiPassword }, 'POST', '/voip/number', { number }),
        );
        if (answer?.status === 200)
          hands.achieved('A reseller without money bought numbers with a credit limit that it invented');
      }
      return hands.send(xmlRequest(api, 'deleteCustomer', { i_customer }));
    });
  },
  verify: async ({ sql }, { i_attacker }) => {
    const { rows } = await sql.query<{ made: number; charged: number }>(
      `SELECT (SELECT count(*) FROM numbers)::int AS made,
         (SELECT coalesce(-sum(e.amount), 0) FROM entries e JOIN payments p USING (i_payment)
          WHERE e.i_customer = $1 AND p.kind IN ('charge', 'closing'))::float8 AS charged`,
      [i_attacker],
    );
    const [{ made, charged } = { made: 0, charged: 0 }] = rows;
    const lost = made * numberPrice - charged;
    return lost > 0 ? [`The platform lost ${lost.toFixed(2)} USD for ${made} numbers`] : [];
  },
});

const transferRace = scenario<{
  api: Login;
  i_attacker: number;
  i_child: number;
  child: Login;
  i_grandchild: number;
}>({
  name: 'transfer-race',
  attack_is: 'A reseller with 100 USD transfers it down two levels over 40 connections at once',
  prepare: async (stage) => {
    const attacker = await makeCustomer(stage, 'attacker', { ...resellerRights, balance: 100 });
    const child = await makeCustomer(stage, 'child of attacker', {
      ...resellerRights,
      i_wholesaler: attacker.i_customer,
    });
    const grandchild = await makeCustomer(stage, 'grandchild of attacker', {
      i_wholesaler: child.i_customer,
    });
    return {
      api: attacker.api,
      i_attacker: attacker.i_customer,
      child: child.api,
      i_child: child.i_customer,
      i_grandchild: grandchild.i_customer,
    };
  },
  attack: (hands, { api, child, i_child, i_grandchild }) =>
    hands.flood(hands.scaled(40, 10), (lane) =>
      hands.send(
        lane % 2 === 0
          ? xmlRequest(api, 'transferFunds', { i_customer: i_child, amount: 3 })
          : xmlRequest(child, 'transferFunds', { i_customer: i_grandchild, amount: 2 }),
      ),
    ),
  verify: async ({ sql }, { i_attacker, i_child, i_grandchild }) => {
    const { rows } = await sql.query<{ name: string; balance: number }>(
      `SELECT name, balance::float8 AS balance FROM customers WHERE i_customer = ANY($1)`,
      [[i_attacker, i_child, i_grandchild]],
    );
    const sum = rows.reduce((total, { balance }) => total + balance, 0);
    const short = rows.filter(({ balance }) => balance < 0).map(({ name }) => `${name} is below zero`);
    return [...short, ...(Math.abs(sum - 100) > 0.001 ? [`100 USD became ${sum} USD by transfers`] : [])];
  },
});

export const creditScenarios = [inventedCredit, transferRace];
