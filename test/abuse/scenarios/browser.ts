/** Attacks by a web page that makes the browser of an operator send requests. */
import { basic, faultNumber, openHttp, outcomeOf, xmlRequest } from '../http';
import { scenario } from '../scenario';
import { rootLogin } from '../stage';

/** What a browser adds to a request that a page of another site makes. */
const foreignPage = {
  'content-type': 'text/plain',
  origin: 'https://evil.example',
  referer: 'https://evil.example/',
  'sec-fetch-site': 'cross-site',
  'sec-fetch-mode': 'no-cors',
};

/** The trusted host on which the browser runs. */
const trustedAddress = '127.0.0.5';

/** Not trusted, but on the same machine, where Basic is taken. */
const otherAddress = '127.0.0.4';

const browserPosts = scenario<Record<string, never>>({
  name: 'browser-posts',
  attack_is:
    'A web page makes a browser on a trusted host, and one that remembers a Basic login, send calls across sites',
  settings: { TRUSTED_HOSTS: trustedAddress, TREELINE_API_PHP: 'on' },
  address: trustedAddress,
  prepare: () => Promise.resolve({}),
  attack: async (hands) => {
    const other = openHttp(hands.url, otherAddress);
    let serial = 0;
    const customer = (name: string) => ({
      i_wholesaler: 1,
      i_tariff: null,
      name,
      web_password: 'correct-horse-1',
    });
    const isDone = (answer: { status: number; text: string } | undefined): boolean =>
      answer?.status === 200 && faultNumber(answer) === undefined;
    await hands.flood(2, async () => {
      const name = `made by a page ${(serial += 1)}`;
      const call = xmlRequest(undefined, 'createCustomer', customer(name));
      const trusted = await hands.send({ ...call, headers: foreignPage });
      if (isDone(trusted)) hands.achieved('A page in a browser on a trusted host made a customer');
      for (const [header, value] of Object.entries(foreignPage).slice(1)) {
        const one = xmlRequest(undefined, 'createCustomer', customer(`${name} ${header}`));
        if (isDone(await hands.send({ ...one, headers: { 'content-type': 'text/plain', [header]: value } })))
          hands.achieved(`A request with ${header} from a trusted host made a customer`);
      }
      const authorization = basic(rootLogin.login, rootLogin.password);
      const remembered = { ...foreignPage, authorization };
      const withBasic = xmlRequest(undefined, 'createCustomer', customer(`${name} with Basic`));
      const answer = await other.send({ ...withBasic, headers: remembered });
      hands.count(outcomeOf(answer));
      if (isDone(answer)) hands.achieved('A page in a browser that remembers a Basic login made a customer');
      const json = encodeURIComponent(JSON.stringify(customer(`${name} by api.php`)));
      const php = await hands.send({ path: `/api.php?action=createCustomer&JSONString=${json}` });
      if (isDone(php)) hands.achieved('api.php ran without a password from a trusted host');
      await hands.sleep(100);
      return {};
    });
    for (const address of ['0.0.0.0/0', '::/0', '10.0.0.0/7']) {
      for (const headers of [foreignPage, { 'content-type': 'text/xml' }]) {
        const wide = xmlRequest(undefined, 'addTrustedHost', { i_wholesaler: 1, address });
        const answer = await hands.send({ ...wide, headers });
        if (!isDone(answer)) continue;
        hands.achieved(`A call made ${address} trusted`);
        // Otherwise nobody would need a password from here on.
        const i_trusted_host = Number(/<int>(\d+)</.exec(answer?.text ?? '')?.[1]);
        await hands.send(xmlRequest(undefined, 'removeTrustedHost', { i_wholesaler: 1, i_trusted_host }));
      }
    }
    other.close();
  },
});

export const browserScenarios = [browserPosts];
