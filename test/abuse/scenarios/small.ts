/** Small attacks, each a request that must be refused, or one that must not be. */
import {
  type Answer,
  type Login,
  type Sent,
  faultNumber,
  jsonRequest,
  tenantRequest,
  xmlRequest,
} from '../http';
import { scenario } from '../scenario';
import { rootLogin, tokenOf } from '../stage';
import { makeCustomer, resellerRights, webPassword } from '../world';

const isDone = (answer: Answer | undefined): boolean =>
  answer?.status === 200 && faultNumber(answer) === undefined;

interface Small {
  readonly api: Login;
  readonly token: string;
}

/** Requests that must be refused, by what they would achieve. */
function refusedRequests({ api, token }: Small, serial: number): Readonly<Record<string, Sent>> {
  const customer = (name: string) =>
    xmlRequest(api, 'createCustomer', { i_tariff: null, name, web_password: webPassword });
  const user = (web_login: string) =>
    xmlRequest(api, 'createWebUser', { web_login, web_password: webPassword });
  const webhook = (webhook_uri: string) => tenantRequest(token, 'PUT', '/customer', { webhook_uri });
  const doubled = jsonRequest(api, 'getCustomerInfo', { name: api.login });
  return {
    'JSON with one member twice was taken': {
      ...doubled,
      body: `{"name":"${api.login}","name":"${api.login}"}`,
    },
    'A name with a zero-width character was taken': customer(`vic\u200Btim ${serial}`),
    'A name with a bidi character was taken': customer(`vic\u202Etim ${serial}`),
    'A name that looks like root was taken': customer('r\u043E\u043Et'),
    'A login that looks like root was taken': user('ro\u043Et'),
    'A login of the form admin@victim was taken by another': user('admin@victim'),
    'A webhook to ::a00:1, which is 10.0.0.1, was taken': webhook('http://[::a00:1]/hook'),
    'A webhook to a metadata address was taken': webhook('http://169.254.169.254/latest/meta-data'),
    'A webhook to a private address was taken': webhook('http://10.0.0.1:8080/hook'),
  };
}

const refusals = scenario<Small>({
  name: 'small-refusals',
  attack_is: 'A reseller tries names, logins, webhooks and JSON that must be refused',
  prepare: async (stage) => {
    const attacker = await makeCustomer(stage, 'attacker', resellerRights);
    return { api: attacker.api, token: await tokenOf(stage.http, attacker.web) };
  },
  attack: async (hands, small) => {
    let serial = 0;
    await hands.flood(2, async () => {
      serial += 1;
      for (const [sentence, sent] of Object.entries(refusedRequests(small, serial)))
        if (isDone(await hands.send(sent))) hands.achieved(sentence);
      await hands.sleep(200);
      return {};
    });
  },
});

const largeIds = scenario<{ api: Login; i_attacker: number }>({
  name: 'large-payment-ids',
  attack_is: 'The platform has booked more than 2^31 payments; the next must work like any other',
  prepare: async (stage) => {
    const attacker = await makeCustomer(stage, 'attacker', { ...resellerRights, balance: 10 });
    await stage.sql.query(`SELECT setval(pg_get_serial_sequence('payments', 'i_payment'), 2147483640)`);
    return { api: attacker.api, i_attacker: attacker.i_customer };
  },
  attack: async (hands, { api, i_attacker }) => {
    await hands.flood(2, async () => {
      const paid = await hands.send(
        xmlRequest(rootLogin, 'customerAddFunds', { i_customer: i_attacker, amount: 0.01, currency: 'USD' }),
      );
      if (!isDone(paid)) {
        hands.achieved('No payment can be booked beyond number 2^31');
        return undefined;
      }
      const id = /<name>i_payment<\/name><value><(\w+)>(\d+)/.exec(paid?.text ?? '');
      const asked = await hands.send(jsonRequest(api, 'getPaymentInfo', { i_payment: Number(id?.[2]) }));
      if (!isDone(asked)) hands.achieved(`Payment ${id?.[2] ?? ''} cannot be read`);
      return asked;
    });
  },
});

export const smallScenarios = [refusals, largeIds];
