/**
 * The declaration of a method. Glossary for the whole code:
 *
 * caller      the authenticated client: a login with its password, a trusted host, an operator at the command line
 * actor       the customer that the call runs as: the caller's own, or one below it (`i_wholesaler`)
 * wholesaler  a customer as the owner of others; `i_wholesaler` of a customer is its direct parent
 * subtree     a customer with all customers below it; customers outside of its subtree do not exist for an actor
 * right       a bit of the masks of a customer; effective only if all customers above have it, too
 * fault       an error answer; a thrown fault rolls the call back, a returned one commits
 */
import type { Logger } from 'winston';
import type { Config } from '../../base/config';
import type { Database, Transaction } from '../../db/database';
import type { Fault, FaultName } from '../../base/faults';
import type { AuditRecord } from './audit';
import type { Caller } from '../auth/caller';
import type { Credentials } from '../auth/credentials';
import type { Hashing } from '../auth/hashing';
import type { Actor, ReadRight, WriteRight } from '../tree/rights';
import type { Static, TObject, TSchema } from '../schema/schema';
import type { Turns } from '../fairness/turns';

/** Counts bytes until the answer was read; returns fault 503, and counts nothing, where the caller holds too many. */
export type Hold = (bytes: number) => Fault | undefined;

/** The context of a running call: everything that a service gets beside the parameters. */
export interface Call<Db = Transaction> {
  readonly request_id: string;
  readonly caller: Caller;
  readonly actor: Actor;
  /** The right that the method declares. */
  readonly right: WriteRight | ReadRight;
  readonly db: Db;
  readonly log: Logger;
  readonly config: Config;
  readonly credentials: Credentials;
  readonly turns: Turns;
  /** Hashes web passwords in a fair queue. */
  readonly hashing: Hashing;
  /** The time of the call. Services never read the clock. */
  readonly now: Date;
  /** Deadline on the clock of `performance.now()`, in ms. */
  readonly deadline: number;
  /** Counts the bytes that a long result holds in memory. */
  readonly hold: Hold;
  /**
   * For a read method that must change something: runs `work` in a transaction, which is rolled back where the
   * access of the caller was revoked meanwhile.
   */
  readonly transaction: <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;
  /** Writes an audit record, in the transaction of the call or in the given one. */
  readonly audit: (record: AuditRecord, tx?: Transaction) => Promise<void>;
}

interface Declaration<P extends TObject, R extends TSchema> {
  readonly name: string;
  /** One sentence for help, docs/reference and OpenAPI. */
  readonly summary: string;
  /**
   * Whether `i_wholesaler` must name the actor in trusted mode (`required`), may do so (`optional`,
   * else root acts), or is no parameter at all (`never`).
   */
  readonly trusted: 'required' | 'optional' | 'never';
  /** The members of the one struct that the call takes; `i_wholesaler` is added to them. */
  readonly params: P;
  /** Names, in order, under which positional parameters are taken; only system.* has them. */
  readonly positional?: readonly string[];
  readonly result: R;
  /** The faults that this call adds to those of every call (protocol, parameters, rights). */
  readonly faults: readonly FaultName[];
  /**
   * Throws fault 403 where caller, actor and parameters alone tell that the call is not allowed. It runs
   * right after `right`, before anything that is dear.
   */
  readonly mayCall?: (call: Pick<Call, 'caller' | 'actor' | 'right'>, params: Static<P>) => void;
}

/** A call that changes something: it runs in one transaction, opened and ended by `core/call/dispatch.ts`. */
export interface WriteMethod<
  P extends TObject = TObject,
  R extends TSchema = TSchema,
  X = unknown,
  A = unknown,
> extends Declaration<P, R> {
  readonly access: 'write';
  /**
   * The right that the actor must effectively hold, or that its caller must hold to act for somebody below. There is
   * no default, so none can be forgotten.
   */
  readonly right: WriteRight;
  /** Throws fault 400 for what is wrong with the parameters alone. It runs before any right is looked at. */
  readonly checkParams?: (params: Static<P>) => void;
  /**
   * Slow work that must not hold a connection: hashing passwords with `hash`, one for each person that is
   * made or changed, or asking DNS. It runs once the actor may make the call, and before the transaction.
   */
  readonly prepare?: (params: Static<P>, hash: Hashing['hash'], config: Config) => Promise<X>;
  /**
   * Rows that `run` looks at, asked of the database together with the actor's rights, so that they
   * cost no round trip of their own. It answers what it finds and refuses nothing: that is for `run`,
   * which is not reached without the right.
   */
  readonly load?: (db: Transaction, actor: Id, params: Static<P>) => Promise<A>;
  readonly run: (call: Call, params: Static<P>, prepared: X, found: A) => Promise<Static<R> | Fault>;
}

/** A customer of which only the id is known yet. */
export type Id = Pick<Actor, 'i_customer'>;

/**
 * What a read needs, which decides the queue in which it waits for its turn.
 *
 * - `lookup`: statements that share connections (`lookup` of db/database.ts), and no others.
 * - `connection`: any other statement that is fast.
 * - `slow`: statements whose time grows with the number of rows. They run on the pool for slow reads.
 * - `hash`: hashes a password between its statements, and holds no connection meanwhile.
 * - `members`: only makes other calls, each of which takes its own turn.
 */
export type ReadCost = 'lookup' | 'connection' | 'slow' | 'hash' | 'members';

/** A call that only reads, or that opens its transactions itself because it hashes between them. */
export interface ReadMethod<P extends TObject = TObject, R extends TSchema = TSchema> extends Declaration<
  P,
  R
> {
  readonly access: 'read';
  /** The right that the actor must effectively hold; there is no default, so none can be forgotten. */
  readonly right: ReadRight;
  /** Absent: it holds a connection. */
  readonly cost?: ReadCost | ((params: Static<P>) => ReadCost);
  readonly run: (call: Call<Database>, params: Static<P>) => Promise<Static<R> | Fault>;
}

export type Method = WriteMethod | ReadMethod;

/** Checks a declaration's types against its `run`; the registry keeps all methods under one type. */
export function defineMethod<P extends TObject, R extends TSchema, X = undefined, A = undefined>(
  method: WriteMethod<P, R, X, A> | ReadMethod<P, R>,
): Method {
  return method as unknown as Method;
}
