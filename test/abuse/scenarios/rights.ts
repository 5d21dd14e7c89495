/** Attacks on rights: by acting for somebody below, and by writes that wait while a right is taken away. */
import { Client } from 'pg';
import {
  type Answer,
  type Login,
  faultNumber,
  openHttp,
  resellerRequest,
  tenantRequest,
  xmlRequest,
} from '../http';
import { type Hands, scenario } from '../scenario';
import { rootLogin, tokenOf } from '../stage';
import { makeCustomer, resellerRights, webPassword } from '../world';

interface Detour {
  readonly api: Login;
  readonly token: string;
  readonly i_child: number;
  readonly child: string;
  readonly child_id: string;
}

const isDone = (answer: Answer | undefined): boolean =>
  answer?.status === 200 && faultNumber(answer) === undefined;

const detour = scenario<Detour>({
  name: 'detour',
  attack_is:
    'A reseller whose rights were taken acts for its customer, where the same act on the customer is refused',
  prepare: async (stage) => {
    const attacker = await makeCustomer(stage, 'attacker', resellerRights);
    const child = await makeCustomer(stage, 'child of attacker', {
      ...resellerRights,
      i_wholesaler: attacker.i_customer,
    });
    const token = await tokenOf(stage.http, attacker.web);
    await stage.root('updateCustomer', {
      i_customer: attacker.i_customer,
      customers_mgmt: 0,
      accounts_mgmt: 0,
      tariffs_mgmt: 0,
    });
    const { rows } = await stage.sql.query<{ uuid: string }>(
      'SELECT uuid FROM customers WHERE i_customer = $1',
      [child.i_customer],
    );
    return {
      api: attacker.api,
      token,
      i_child: child.i_customer,
      child: child.name,
      child_id: rows[0]?.uuid ?? '',
    };
  },
  attack: async (hands, { api, token, i_child, child, child_id }) => {
    let serial = 0;
    await hands.flood(2, async () => {
      const login = `spy ${(serial += 1)}`;
      const acts = {
        'createWebUser with i_wholesaler': xmlRequest(api, 'createWebUser', {
          i_wholesaler: i_child,
          web_login: login,
          web_password: webPassword,
        }),
        'resetCustomerOneTimePassword with i_wholesaler': xmlRequest(api, 'resetCustomerOneTimePassword', {
          i_wholesaler: i_child,
          web_login: child,
        }),
        'POST /account/reseller-user with X-Auth-For': resellerRequest(
          api,
          'POST',
          '/account/reseller-user',
          { name: login, role_id: 1, password: webPassword },
          child,
        ),
        'POST /agents with customer_id': tenantRequest(token, 'POST', `/agents?customer_id=${child_id}`, {
          username: `${login} agent`,
          password: webPassword,
          permission: 32,
        }),
        'POST /accesskeys with customer_id': tenantRequest(
          token,
          'POST',
          `/accesskeys?customer_id=${child_id}`,
          {
            name: login,
          },
        ),
      };
      for (const [words, sent] of Object.entries(acts)) {
        if (isDone(await hands.send(sent))) hands.achieved(`Without any right, ${words} went through`);
      }
      await hands.sleep(100);
      return {};
    });
  },
});

interface Held {
  readonly api: Login;
  readonly i_attacker: number;
  readonly i_child: number;
  readonly connection: { host: string; port: number; user: string; database: string };
}

const revocations = [
  {
    words: 'a block',
    take: 'blockCustomer',
    taken: {},
    give: 'unblockCustomer',
    given: {},
  },
  {
    words: 'the loss of the right',
    take: 'updateCustomer',
    taken: { customers_mgmt: 0 },
    give: 'updateCustomer',
    given: { customers_mgmt: 7 },
  },
  {
    words: 'the end of API access',
    take: 'updateCustomer',
    taken: { api_access: 0 },
    give: 'updateCustomer',
    given: { api_access: 1 },
  },
] as const;

/** A payment waits for a lock, the right to it is taken, the lock is released. */
async function payAcross(
  hands: Hands,
  held: Held,
  lock: Client,
  revocation: (typeof revocations)[number],
): Promise<void> {
  const root = openHttp(hands.url, '127.0.0.4');
  const { i_attacker: i_customer, i_child } = held;
  const { words, take, taken, give, given } = revocation;
  await lock.query('BEGIN');
  await lock.query('SELECT FROM customers WHERE i_customer = $1 FOR UPDATE', [i_child]);
  const payment = hands.send(
    xmlRequest(held.api, 'customerAddFunds', { i_customer: i_child, amount: 1, currency: 'USD' }),
  );
  await hands.sleep(300);
  const revoked = root.send(xmlRequest(rootLogin, take, { i_customer, ...taken }));
  const acknowledged = await Promise.race([revoked.then(isDone), hands.sleep(3_000).then(() => false)]);
  await lock.query('COMMIT');
  const isPaid = isDone(await payment);
  if (acknowledged && isPaid) hands.achieved(`A payment was made after ${words} was acknowledged`);
  hands.count(acknowledged ? `revoked, then ${isPaid ? 'paid' : 'refused'}` : 'the revocation waited');
  await revoked;
  await root.send(xmlRequest(rootLogin, give, { i_customer, ...given }));
  root.close();
}

const heldLock = scenario<Held>({
  name: 'held-lock',
  attack_is: 'A payment of the attacker waits for a row lock while it is blocked or its right is taken',
  least_s: 6,
  prepare: async (stage) => {
    const attacker = await makeCustomer(stage, 'attacker', { ...resellerRights, balance: 1_000 });
    const child = await makeCustomer(stage, 'child of attacker', { i_wholesaler: attacker.i_customer });
    const { host, port, user = '', database = '' } = stage.sql;
    return {
      api: attacker.api,
      i_attacker: attacker.i_customer,
      i_child: child.i_customer,
      connection: { host, port, user, database },
    };
  },
  attack: async (hands, held) => {
    const lock = new Client(held.connection);
    await lock.connect();
    for (let turn = 0; !hands.isOver(); turn += 1) {
      const revocation = revocations[turn % revocations.length];
      if (revocation) await payAcross(hands, held, lock, revocation);
    }
    await lock.end();
  },
});

export const rightsScenarios = [detour, heldLock];
