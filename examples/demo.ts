/**
 * A short story, told by calls: who owns whom in the tree, and what a neighbour gets to see. It plays against the
 * server of TREELINE_URL, or against one that it starts for itself on a temporary folder. What each answer must be
 * stands beside the call; the first that differs ends the story with exit code 1.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual, styleText } from 'node:util';
import xmlrpc from 'xmlrpc';

const usage = `Usage: npm run demo [-- --help]

Plays a short story of calls, and tells of each what went out and what came back.

  TREELINE_URL       The server, such as http://127.0.0.1:8080. Unset: one of its own, stopped at the end.
  TREELINE_LOGIN     Who calls; unset: root. It needs API access and all rights over customers.
  TREELINE_PASSWORD  Its API password.
  NO_COLOR           Set: no colours on a terminal.

What the story makes on a server of yours, it deletes in the end. Exit code 1: something was not as told.
`;

type Members = Record<string, unknown>;

/** A member of the story: makes calls as one login. */
interface Caller {
  readonly login: string;
  call(method: string, params: Members): Promise<Members>;
}

interface Place {
  readonly url: string;
  readonly login: string;
  readonly password: string;
  stop(): Promise<void>;
}

const colourful = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '';
const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
  colourful ? styleText(style, text) : text;
const say = (text = ''): void => void process.stdout.write(`${text}\n`);

/** The server that the environment names, or a fresh one. */
async function findPlace(): Promise<Place> {
  const { TREELINE_URL, TREELINE_LOGIN, TREELINE_PASSWORD } = process.env;
  if (TREELINE_URL === undefined) return startPlace();
  if (TREELINE_PASSWORD === undefined) throw new Error('TREELINE_URL needs TREELINE_PASSWORD beside it');
  return {
    url: TREELINE_URL,
    login: TREELINE_LOGIN ?? 'root',
    password: TREELINE_PASSWORD,
    stop: () => Promise.resolve(),
  };
}

async function startPlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'treeline-demo-'));
  // PostgreSQL does not run as root; whom it runs as instead has to get in.
  chmodSync(folder, 0o755);
  const password = randomBytes(12).toString('hex');
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', join('src', 'main.ts')], {
    cwd: dirname(__dirname),
    env: {
      ...{ PATH, HOME, ...(TMPDIR !== '' && { TMPDIR }) },
      ...{ DATA_DIR: folder, PORT: '0', ROOT_API_PASSWORD: password, ROOT_WEB_PASSWORD: password },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async (): Promise<void> => {
    const exit = once(child, 'exit');
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGTERM')) await exit;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    return { url: await listeningUrl(child), login: 'root', password, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const url = /^Treeline listens on (\S+)\/xmlapi\/xmlapi/m.exec(text)?.[1];
      if (url !== undefined) resolve(url);
    });
    child.once('exit', (code) => {
      reject(new Error(`The server did not start (exit code ${String(code)})`));
    });
  });
}

/** The npm client `xmlrpc` with Basic, which Treeline takes over TLS and on loopback. */
function callerAt(url: string, login: string, password: string): Caller {
  const { protocol, hostname, port } = new URL(url);
  const encrypted = protocol === 'https:';
  const options = {
    host: hostname,
    port: Number(port === '' ? (encrypted ? 443 : 80) : port),
    path: '/xmlapi/xmlapi',
    basic_auth: { user: login, pass: password },
  };
  const client = encrypted ? xmlrpc.createSecureClient(options) : xmlrpc.createClient(options);
  return {
    login,
    call: (method, params) =>
      new Promise((resolve, reject) => {
        client.methodCall(method, [params], (error: unknown, value: unknown) => {
          if (isFault(error)) resolve({ faultCode: error.faultCode, faultString: error.faultString });
          else if (error) reject(error instanceof Error ? error : new Error(JSON.stringify(error)));
          else resolve(value as Members);
        });
      }),
  };
}

const isFault = (value: unknown): value is { faultCode: number; faultString: string } =>
  typeof value === 'object' && value !== null && 'faultCode' in value && 'faultString' in value;

/** The story is not as told. */
class Surprise extends Error {}

/** Makes a call, shows it with its answer, and compares what is expected with the members of the same names. */
async function tell(caller: Caller, method: string, params: Members, expected: Members): Promise<Members> {
  say(`  ${paint('cyan', caller.login.padEnd(18))} ${paint('bold', method.padEnd(28))} ${shown(params)}`);
  const answer = await caller.call(method, params);
  const asTold = Object.entries(expected).every(([name, value]) => isDeepStrictEqual(answer[name], value));
  const mark = asTold ? paint('green', 'as told    ') : paint('red', 'NOT as told');
  say(`  ${''.padEnd(18)} ${mark.padEnd(28 + mark.length - 11)} ${shown(answer)}`);
  if (!asTold) throw new Surprise(`${method} had to answer ${shown(expected)}`);
  return answer;
}

const secretName = /password/;

/** `name=value` pairs; of long answers the beginning, of passwords nothing. */
function shown(members: Members): string {
  const pairs = Object.entries(members).map(([name, value]) => {
    const text = secretName.test(name) && typeof value === 'string' ? '***' : JSON.stringify(value);
    return `${name}=${text}`;
  });
  const line = pairs.join(' ');
  return line.length > 160 ? `${line.slice(0, 160)}…` : line;
}

const chapter = (text: string): void => {
  say();
  say(paint('yellow', text));
};

/** What a customer is given who shall have customers of its own. */
const everyRight = {
  i_tariff: null,
  customers_mgmt: 7,
  accounts_mgmt: 7,
  api_access: 1,
  api_mgmt: 1,
  use_own_tariff: 1,
};

const ok = { result: 'OK' };

async function play(place: Place): Promise<void> {
  // Names are unique on a server, and the story may be told there twice.
  const suffix = randomBytes(3).toString('hex');
  const password = `Demo-${randomBytes(9).toString('hex')}`;
  const member = (name: string): Caller => callerAt(place.url, `${name}-${suffix}`, password);
  const top = callerAt(place.url, place.login, place.password);
  const [wholesaler, reseller, stranger] = [member('wholesaler'), member('reseller'), member('stranger')];
  const customer = `customer-${suffix}`;
  const passwords = { web_password: password, api_password: password };
  /** What is made, by whom: deleted in the end, the last first. */
  const made: [Caller, number][] = [];
  const create = async (by: Caller, params: Members): Promise<number> => {
    const { i_customer } = await tell(by, 'createCustomer', params, ok);
    made.push([by, Number(i_customer)]);
    return Number(i_customer);
  };

  try {
    chapter(`${place.login} makes a wholesaler, and a stranger beside it`);
    await create(top, { name: wholesaler.login, ...everyRight, ...passwords });
    await create(top, { name: stranger.login, ...everyRight, ...passwords });

    chapter('The wholesaler makes a reseller, and the reseller a customer');
    await create(wholesaler, { name: reseller.login, ...everyRight, ...passwords });
    const params = { name: customer, i_tariff: null, web_password: password, balance: 25.5 };
    const i_customer = await create(reseller, params);

    chapter(
      'The wholesaler reaches the customer of its reseller; the stranger does not even learn that it exists',
    );
    await tell(wholesaler, 'updateCustomer', { i_customer, city: 'Sofia', credit_limit: 10 }, ok);
    const { customer: info } = await tell(reseller, 'getCustomerInfo', { i_customer }, ok);
    demandMembers(info as Members, { name: customer, city: 'Sofia', balance: 25.5, credit_limit: 10 });
    const unknown = { faultCode: 404, faultString: 'Customer not found' };
    await tell(stranger, 'getCustomerInfo', { i_customer }, unknown);
    await tell(stranger, 'getCustomerInfo', { i_customer: 2_147_483_647 }, unknown);

    chapter('The customer lost its password: a one-time password lets it in once');
    const answer = await tell(reseller, 'resetCustomerOneTimePassword', { web_login: customer }, ok);
    const oneTime = { username: customer, password: answer['password'] };
    await tell(reseller, 'authCustomer', oneTime, { faultCode: 410 });
    await tell(reseller, 'authCustomer', oneTime, { faultCode: 403 });
    await tell(reseller, 'authCustomer', { username: customer, password }, { ...ok, i_customer });
  } finally {
    chapter('In the end everybody goes, the youngest first');
    for (const [by, i_customer] of made.toReversed()) await tell(by, 'deleteCustomer', { i_customer }, ok);
  }
}

function demandMembers(given: Members, expected: Members): void {
  for (const [name, value] of Object.entries(expected)) {
    if (!isDeepStrictEqual(given[name], value))
      throw new Surprise(`${name} had to be ${JSON.stringify(value)}`);
  }
}

async function main(): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(usage);
    return;
  }
  const place = await findPlace();
  // Ctrl-C reaches our server too, and a reader such as `head` may be gone: what has to be cleaned up still is.
  process.on('SIGINT', () => undefined);
  process.stdout.on('error', () => undefined);
  try {
    say(`Treeline at ${place.url}`);
    await play(place);
    say();
    say(paint('green', 'All as told.'));
  } finally {
    await place.stop();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
