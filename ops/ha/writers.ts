/**
 * Writers, each a wholesaler with an account to pay into, and the ledger of what they were told. What is not answered is
 * repeated with the same key (or name) until it is, as a billing script would; in the end all must be there once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, type Heard, type Members, openCaller } from './caller';
import type { Cluster } from './cluster';

/** One try of a write: what its caller heard. */
export interface Try {
  readonly began_at: number;
  readonly ended_at: number;
  /** Why it is not known to be done; absent: acknowledged. */
  readonly failed?: string;
}

/** A write that was acknowledged in the end. */
interface Entry {
  readonly method: string;
  readonly params: Members;
  readonly i_payment: unknown;
}

export interface Writer {
  readonly name: string;
  readonly i_customer: number;
  readonly caller: Caller;
  readonly entries: Entry[];
}

export interface Ledger {
  readonly tries: Try[];
  acknowledged: number;
}

const unlessRefused = (heard: Heard, what: string): Readonly<Record<string, unknown>> => {
  if ('result' in heard) return heard.result;
  throw new Error(`${what} answered ${JSON.stringify(heard)}`);
};

/** Root's call, which must succeed. */
export async function asRoot({ url, rootPassword }: Cluster, method: string, params: Members) {
  const root = openCaller({ url, login: 'root', password: rootPassword });
  try {
    return unlessRefused(await root.call(method, params), method);
  } finally {
    root.close();
  }
}

export const apiPassword = 'writer-api-password';

/** A customer of root that may call and make customers of its own. */
export async function makeMember(cluster: Cluster, name: string): Promise<number> {
  const rights = { api_access: 1, customers_mgmt: 7, use_own_tariff: 1 };
  const params = { name, web_password: 'correct-horse-1', i_tariff: 1, api_password: apiPassword, ...rights };
  return Number((await asRoot(cluster, 'createCustomer', params))['i_customer']);
}

export async function makeWriter(cluster: Cluster, name: string): Promise<Writer> {
  await makeMember(cluster, name);
  const caller = openCaller({ url: cluster.url, login: name, password: apiPassword });
  const made = unlessRefused(await caller.call('createCustomer', below(`${name}.till`)), 'createCustomer');
  return { name, i_customer: Number(made['i_customer']), caller, entries: [] };
}

const opening = 7.5;
const below = (name: string): Members => ({ name, web_password: 'correct-horse-1', i_tariff: null });

/** Writes one after the other until told to stop; what was begun is finished. */
export async function write(
  writer: Writer,
  ledger: Ledger,
  pause_ms: number,
  isOver: () => boolean,
): Promise<void> {
  for (let serial = 1; !isOver(); serial += 1) {
    const { method, params } = nextWrite(writer, serial);
    const result = await untilAcknowledged(writer, ledger, method, params);
    writer.entries.push({ method, params, i_payment: result['i_payment'] });
    ledger.acknowledged += 1;
    await sleep(pause_ms);
  }
}

function nextWrite({ i_customer, name }: Writer, serial: number): Omit<Entry, 'i_payment'> {
  const roll = serial % 5;
  const key = `${name}.${serial}`;
  if (roll === 0) return { method: 'createCustomer', params: { ...below(key), balance: opening } };
  if (roll === 1)
    return { method: 'updateCustomer', params: { i_customer, description: key, city: `${serial}` } };
  const payment = { i_customer, currency: 'USD', idempotency_key: key, payment_notes: key };
  if (roll === 2) return { method: 'customerDebit', params: { ...payment, amount: 1.5 } };
  return { method: 'customerAddFunds', params: { ...payment, amount: 3.25 } };
}

const again_ms = 50;

async function untilAcknowledged(
  { caller }: Writer,
  ledger: Ledger,
  method: string,
  params: Members,
): Promise<Readonly<Record<string, unknown>>> {
  for (let attempt = 1; ; attempt += 1) {
    const began_at = Date.now();
    const heard = await caller.call(method, params);
    const ended_at = Date.now();
    // A name that is taken by the second try was taken by the first.
    const isDone = 'fault' in heard && heard.fault === 409 && attempt > 1 && method === 'createCustomer';
    if ('result' in heard || isDone) {
      ledger.tries.push({ began_at, ended_at });
      return 'result' in heard ? heard.result : {};
    }
    if ('fault' in heard && heard.fault !== 503) unlessRefused(heard, `${method} ${JSON.stringify(params)}`);
    ledger.tries.push({
      began_at,
      ended_at,
      failed: 'fault' in heard ? `fault ${heard.fault}` : heard.nothing,
    });
    await sleep(again_ms);
  }
}

// ------------------------------------------------------------------ proving

const cents = (amount: unknown): number => Math.round(Number(amount) * 100);

/** Everything that was acknowledged is there once, and nothing else is. Answers what is wrong. */
export async function wrongOf(writer: Writer): Promise<readonly string[]> {
  return [...(await wrongPayments(writer)), ...(await wrongCustomers(writer))];
}

async function wrongPayments({ name, i_customer, caller, entries }: Writer): Promise<string[]> {
  const wrong: string[] = [];
  const listed = unlessRefused(await caller.call('getPaymentsList', { i_customer }), 'getPaymentsList');
  const payments = new Map(
    (listed['payments'] as readonly Record<string, unknown>[]).map((each) => [each['i_payment'], each]),
  );
  let sum = 0;
  const expected = entries.filter(({ i_payment }) => i_payment !== undefined && i_payment !== null);
  for (const { method, params, i_payment } of expected.filter((each) => each.method.startsWith('customer'))) {
    const amount = cents(params['amount']) * (method === 'customerDebit' ? -1 : 1);
    sum += amount;
    const found = payments.get(i_payment);
    payments.delete(i_payment);
    if (
      !found ||
      found['payment_notes'] !== params['idempotency_key'] ||
      Math.abs(cents(found['amount'])) !== Math.abs(amount)
    )
      wrong.push(
        `${String(params['idempotency_key'])} was payment ${String(i_payment)} and is ${JSON.stringify(found)}`,
      );
  }
  for (const left of payments.values()) wrong.push(`${name}: nobody was told of ${JSON.stringify(left)}`);
  const info = unlessRefused(await caller.call('getCustomerInfo', { i_customer }), 'getCustomerInfo');
  const { balance, city, description } = info['customer'] as Record<string, unknown>;
  if (cents(balance) !== sum) wrong.push(`${name}: the balance is ${String(balance)}, not ${sum / 100}`);
  const last = entries.findLast(({ method }) => method === 'updateCustomer')?.params;
  if (last && (city !== last['city'] || description !== last['description']))
    wrong.push(`${name}: update ${String(last['city'])} is lost: ${String(city)}`);
  return wrong;
}

async function wrongCustomers({ name, caller, entries }: Writer): Promise<string[]> {
  const listed = unlessRefused(await caller.call('listCustomers', {}), 'listCustomers');
  const there = new Map(
    (listed['customers'] as readonly Record<string, unknown>[]).map((each) => [
      each['name'],
      each['balance'],
    ]),
  );
  there.delete(`${name}.till`);
  const wrong: string[] = [];
  for (const { params } of entries.filter(({ method }) => method === 'createCustomer')) {
    const made = String(params['name']);
    if (there.get(made) !== opening)
      wrong.push(`${made} is lost or there in part: ${String(there.get(made))}`);
    there.delete(made);
  }
  for (const left of there.keys()) wrong.push(`${name}: nobody was told of ${String(left)}`);
  return wrong;
}
