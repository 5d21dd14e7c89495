/**
 * A call with an idempotency key happens once: repeated with the same content it answers the first
 * answer again. The key is taken in the call's own transaction, so a refused call keeps nothing,
 * and of two at once the second waits for the first.
 */
import { type Queryable, type Transaction, sql } from '../../db/database';
import { conflict } from '../../base/faults';
import { deleteBatch, deleteInBatches } from './purge';

const takeStatement = sql(
  'take_idempotency_key',
  `INSERT INTO idempotency_keys (scope, idempotency_key, content_hash, i_customer) VALUES ($1, $2, $3, $4)
   ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING RETURNING scope`,
);
const findStatement = sql(
  'find_idempotency_key',
  'SELECT content_hash, answer, answer IS NOT NULL AS is_kept FROM idempotency_keys WHERE scope = $1 AND idempotency_key = $2',
);
const keepStatement = sql(
  'keep_idempotent_answer',
  'UPDATE idempotency_keys SET answer = $3 WHERE scope = $1 AND idempotency_key = $2',
);
const purgeStatement = sql(
  'purge_idempotency_keys',
  deleteBatch('idempotency_keys', 'r.created_at <= now() - make_interval(hours => $1)', 'r.created_at'),
);

/** A call with its key. */
export interface IdempotencyKey {
  /** Caller, actor and method: the same key of others is another key. */
  readonly scope: string;
  readonly key: string;
  /** Of what was sent, keyed, as it may hold a password: by SECRET_KEY, and by the one before while there is one. */
  readonly content_hashes: readonly [string, ...string[]];
  /** The customer whose login called: the key counts against its limit. Null: no login called. */
  readonly i_customer: number | null;
  /** A longer answer is not kept. */
  readonly answer_bytes: number;
}

/** Whether the key was new. It is taken until the transaction ends: whoever wants the same one waits. */
export async function claimKey(
  db: Transaction,
  { scope, key, content_hashes, i_customer }: IdempotencyKey,
): Promise<boolean> {
  return (await db.query(takeStatement, [scope, key, content_hashes[0], i_customer])).length > 0;
}

/**
 * Runs `work` if the key was new; else returns its first answer. Throws fault 409 for other content, and where the
 * first answer was too long to keep: nothing is done twice, and one caller cannot fill the disk with answers.
 */
export async function runOnce<T>(
  db: Transaction,
  { scope, key, content_hashes, answer_bytes }: IdempotencyKey,
  isNew: boolean,
  work: () => Promise<T>,
): Promise<T> {
  if (isNew) {
    const answer = await work();
    const text = (JSON.stringify(answer) as string | undefined) ?? 'null';
    if (Buffer.byteLength(text) <= answer_bytes) db.execBeforeCommit(keepStatement, [scope, key, text]);
    return answer;
  }
  const [kept] = await db.query<{ content_hash: string; answer: T; is_kept: boolean }>(findStatement, [
    scope,
    key,
  ]);
  if (!kept || !content_hashes.includes(kept.content_hash))
    throw conflict('The idempotency_key was used with other content');
  if (!kept.is_kept)
    throw conflict(
      `The call was made already, but its answer was over ${answer_bytes} bytes and was not kept`,
    );
  return kept.answer;
}

/** Deletes the keys that are older than their retention, in hours. */
export const purgeIdempotencyKeys = (db: Queryable, retention_h: number): Promise<void> =>
  deleteInBatches(db, purgeStatement, [retention_h]);
