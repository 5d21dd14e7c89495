/**
 * What must hold of money after calls at once: nothing was consumed that was not charged, up to what was prepaid or to
 * the top, and every level was charged by its own price. The shares are derived once more by the model's rules.
 */
import { verifyBooks } from '../../src/features/ledger/verify';
import type { TestServer } from '../setup/server';
import type { Outcome } from './client';
import { isRest, memberOutcome } from './play';
import { type Level, payersFrom, sharesOf } from './rules/books';
import { priceFor } from './rules/money';
import type { ModelCall } from './rules/law';
import type { Prepared } from './sending';
import {
  type Customer,
  type Json,
  type Members,
  type ThingKind,
  type World,
  micro,
  text,
  wire,
} from './world';

/** A burst that is over. */
export interface Burst {
  readonly server: TestServer;
  readonly world: World;
  readonly prepared: readonly Prepared[];
  readonly outcomes: readonly Outcome[];
  /** The last entry before it. */
  readonly since: number;
}

interface EntryRow {
  readonly i_entry: number;
  readonly i_payment: number;
  readonly i_customer: number;
  readonly amount: string;
  readonly prepaid: string;
  readonly kind: string;
  /** Whose payment it is. */
  readonly of: number;
}

const entriesText = `
  SELECT e.i_entry::float8 AS i_entry, e.i_payment::float8 AS i_payment, e.i_customer, p.kind, p.i_customer AS of,
    trunc(e.amount * 1000000)::text AS amount, trunc(e.prepaid * 1000000)::text AS prepaid
  FROM entries e JOIN payments p USING (i_payment)
  WHERE e.i_customer IN (SELECT i_customer FROM entries WHERE i_entry > $1) ORDER BY e.i_entry`;

/** An entry with the prepaid part that its account had before it. */
interface Seen {
  readonly row: EntryRow;
  readonly before: bigint;
}

/** The entries of each payment of the burst, the lowest account first. */
async function paymentsOf({ server, since }: Burst): Promise<readonly (readonly Seen[])[]> {
  const rows = await server.db.query<EntryRow>({ text: entriesText }, [since]);
  const had = new Map<number, bigint>();
  const payments = new Map<number, Seen[]>();
  for (const row of rows) {
    const before = had.get(row.i_customer) ?? 0n;
    had.set(row.i_customer, before + BigInt(row.prepaid));
    if (row.i_entry <= since) continue;
    payments.set(row.i_payment, [...(payments.get(row.i_payment) ?? []), { row, before }]);
  }
  return [...payments.values()].map((entries) =>
    entries.toSorted((one, other) => other.row.i_customer - one.row.i_customer),
  );
}

const customerOf = ({ world }: Burst, id: number): Customer => {
  const found = world.customers.find((customer) => customer.id === id);
  if (!found) throw new Error(`Somebody pays whom the model does not know: ${id}`);
  return found;
};

/** Whether the payers were charged their shares, and nobody else anything. */
function isCharged(
  payers: readonly Customer[],
  prices: readonly bigint[],
  entries: readonly Seen[],
): boolean {
  const entryOf = ({ id }: Customer): Seen | undefined => entries.find(({ row }) => row.i_customer === id);
  const levels = payers.map((payer, index): Level => ({
    currency: payer.currency,
    prepaid: entryOf(payer)?.before ?? 0n,
    price: prices[index] ?? 0n,
  }));
  const shares = sharesOf(levels).map(({ pays, prepaid }, index) => ({
    pays,
    prepaid,
    payer: payers[index],
  }));
  const paying = shares.filter(({ pays }) => pays > 0n);
  return (
    paying.length === entries.length &&
    paying.every(({ pays, prepaid, payer }) => {
      const row = payer && entryOf(payer)?.row;
      return row?.amount === String(-pays) && BigInt(row.prepaid) === -prepaid;
    })
  );
}

const kinds = ['number', 'sip user', 'domain'] as const;

/** A charge begins with the lowest who pays: below it everything is free. */
function isRightCharge(burst: Burst, entries: readonly Seen[]): boolean {
  const payers = payersFrom(customerOf(burst, entries[0]?.row.of ?? 0));
  return kinds.some((kind) => isCharged(payers, payers.map(priceOrNone(kind)), entries));
}

/** No price in the currency: nobody could have bought it. */
const priceOrNone =
  (kind: ThingKind) =>
  (payer: Customer): bigint => {
    try {
      return priceFor(payer, kind);
    } catch {
      return -1n;
    }
  };

function isRightTransfer(burst: Burst, entries: readonly Seen[]): boolean {
  const own = entries.find(({ row }) => row.i_customer === row.of);
  const others = entries.filter((entry) => entry !== own);
  const [giver] = others;
  if (!own || !giver) return own !== undefined;
  const payers = payersFrom(customerOf(burst, giver.row.i_customer));
  return isCharged(
    payers,
    payers.map(() => BigInt(own.row.amount)),
    others,
  );
}

const makings: Readonly<Record<string, ThingKind>> = {
  'POST /voip/number': 'number',
  'POST /v1.0/numbers': 'number',
  'POST /voip/user': 'sip user',
  'POST /dom/domain': 'domain',
  'POST /voip/domain': 'domain',
};

const payerOf = ({ sender }: ModelCall): Customer | undefined => {
  if (sender.kind === 'headers') return sender.user.customer;
  if (sender.kind === 'token') return sender.token.user.customer;
  return sender.kind === 'access key' ? sender.key.owner : undefined;
};

interface Answered {
  readonly call: ModelCall;
  readonly result: Members;
  /** What is the same for one key of one caller. */
  readonly scope: string;
}

/** Every call that succeeded; members of a multicall singly. */
export function succeeded({ prepared, outcomes }: Pick<Burst, 'prepared' | 'outcomes'>): Answered[] {
  return prepared.flatMap(({ way, calls }, index) => {
    const outcome = outcomes[index];
    if (!outcome || !('result' in outcome)) return [];
    const members = calls.length > 1 ? (outcome.result as readonly Json[]).map(memberOutcome) : [outcome];
    const who = isRest(way) ? way.words : (way.proof?.login ?? 'trusted');
    return calls.flatMap((call, place) => {
      const member = members[place];
      if (!member || !('result' in member)) return [];
      const { idempotency_key: key, i_wholesaler = null, uuid = null } = call.params;
      const once = key === undefined ? `${index}.${place}` : JSON.stringify([key, i_wholesaler, uuid, who]);
      return [{ call, result: member.result as Members, scope: `${call.method} ${once}` }];
    });
  });
}

const unique = <T>(items: readonly T[], key: (item: T) => string): T[] => [
  ...new Map(items.map((item) => [key(item), item])).values(),
];

/** Who must have been charged first for what was made, once for each thing. */
function expectedCharges(burst: Burst): string[] {
  const made = succeeded(burst).filter(({ call }) => makings[call.method] !== undefined);
  return unique(made, ({ result }) => text(result['uuid'] ?? result['id'])).flatMap(({ call }) => {
    const payer = payerOf(call);
    const kind = makings[call.method];
    const paying = payer && kind && payersFrom(payer).find((level) => priceFor(level, kind) > 0n);
    return paying ? [`${paying.id}`] : [];
  });
}

/** Who must have given what to whom. */
function expectedTransfers(burst: Burst): string[] {
  const given = succeeded(burst).filter(
    ({ call: { method, params } }) =>
      method === 'transferFunds' ||
      (method === 'PUT /account/reseller/{uuid}' && params['balance'] !== undefined),
  );
  const once = unique(given, ({ result, scope }) => text(result['i_payment'] ?? scope));
  return once.map(({ call: { actor, params } }) => {
    const taker = burst.world.customers.find(
      ({ id, uuid }) => id === params['i_customer'] || uuid === params['uuid'],
    );
    const giver = actor === burst.world.root ? 'root' : actor?.id;
    return `${giver} to ${taker?.id}: ${micro(Number(params['amount'] ?? params['balance']))}`;
  });
}

/** What is in one of the lists more often than in the other. */
function unequal(expected: readonly string[], booked: readonly string[]): string[] {
  const count = (list: readonly string[], item: string): number =>
    list.filter((each) => each === item).length;
  return [...new Set([...expected, ...booked])].filter(
    (item) => count(expected, item) !== count(booked, item),
  );
}

/** Over the reseller face a thing tells what it cost: the price, in the currency of the caller. */
const underpriced = (burst: Burst): unknown[] =>
  succeeded(burst).filter(({ call, result }) => {
    const kind = makings[call.method];
    if (!kind || call.sender.kind !== 'headers') return false;
    const { customer } = call.sender.user;
    const price = customer.owner === undefined ? 0n : priceFor(customer, kind);
    return (
      result['cost'] !== wire(price) || result['cost_currency'] !== (price === 0n ? null : customer.currency)
    );
  });

/** Everything of money that is wrong after the burst, by what it breaks. */
export async function brokenMoney(burst: Burst): Promise<Record<string, readonly unknown[]>> {
  const payments = await paymentsOf(burst);
  const of = (kind: string): (readonly Seen[])[] => payments.filter(([first]) => first?.row.kind === kind);
  const rows = (wrong: readonly (readonly Seen[])[]): unknown[] =>
    wrong.map((entries) => entries.map(({ row, before }) => ({ ...row, before: before.toString() })));
  const booked = of('transfer').map((entries) => {
    const own = entries.find(({ row }) => row.i_customer === row.of)?.row;
    const giver = entries.find(({ row }) => row !== own)?.row.i_customer ?? 'root';
    return `${giver} to ${own?.of}: ${own?.amount}`;
  });
  const discrepancies: unknown[] = [];
  for await (const { found } of verifyBooks(burst.server.db)) discrepancies.push(...found);
  const proofs = {
    'a charge that is not what every level owes': rows(
      of('charge').filter((each) => !isRightCharge(burst, each)),
    ),
    'a transfer that is not charged upwards': rows(
      of('transfer').filter((each) => !isRightTransfer(burst, each)),
    ),
    'a thing that nobody paid, or a charge without a thing': unequal(
      expectedCharges(burst),
      of('charge').map(([first]) => String(first?.row.of)),
    ),
    'a transfer that nobody gave, or that was not booked': unequal(expectedTransfers(burst), booked),
    'a thing at another price': underpriced(burst),
    'what verify-books finds': discrepancies,
  };
  return Object.fromEntries(Object.entries(proofs).filter(([, wrong]) => wrong.length > 0));
}
