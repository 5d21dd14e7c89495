/**
 * A call with an idempotency key happens once: repeated with the same content it answers the first
 * answer again. The key is taken in the call's own transaction, so a refused call keeps nothing,
 * and of two at once the second waits for the first.
 */
import { type Queryable, type Transaction, sql } from '../db/database';
import { conflict } from '../faults';

const takeStatement = sql(
  'take_idempotency_key',
  `INSERT INTO idempotency_keys (scope, idempotency_key, content_hash) VALUES ($1, $2, $3)
   ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING RETURNING scope`,
);
const findStatement = sql(
  'find_idempotency_key',
  'SELECT content_hash, answer FROM idempotency_keys WHERE scope = $1 AND idempotency_key = $2',
);
const keepStatement = sql(
  'keep_idempotent_answer',
  'UPDATE idempotency_keys SET answer = $3 WHERE scope = $1 AND idempotency_key = $2',
);
const purgeStatement = sql(
  'purge_idempotency_keys',
  `DELETE FROM idempotency_keys WHERE created_at <= now() - interval '24 hours'`,
);

/** A call with its key. */
export interface Keyed {
  /** Caller, actor and method: the same key of others is another key. */
  readonly scope: string;
  readonly key: string;
  /** Of what was sent, keyed, as it may hold a password: by SECRET_KEY, and by the one before while there is one. */
  readonly content_hashes: readonly [string, ...string[]];
}

/** Whether the key was new. It is taken until the transaction ends: whoever wants the same one waits. */
export async function takeKey(db: Transaction, { scope, key, content_hashes }: Keyed): Promise<boolean> {
  return (await db.query(takeStatement, [scope, key, content_hashes[0]])).length > 0;
}

/** Runs `work` if the key was new, else answers what it did at that time. Throws fault 409 for other content. */
export async function once<T>(
  db: Transaction,
  { scope, key, content_hashes }: Keyed,
  isNew: boolean,
  work: () => Promise<T>,
): Promise<T> {
  if (isNew) {
    const answer = await work();
    db.atCommit(keepStatement, [scope, key, JSON.stringify(answer)]);
    return answer;
  }
  const [kept] = await db.query<{ content_hash: string; answer: T }>(findStatement, [scope, key]);
  if (!kept || !content_hashes.includes(kept.content_hash))
    throw conflict('The idempotency_key was used with other content');
  return kept.answer;
}

/** Keys are kept for 24 hours. */
export async function purgeIdempotencyKeys(db: Queryable): Promise<void> {
  await db.query(purgeStatement);
}
