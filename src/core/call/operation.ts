/**
 * What a REST operation is: a method with an address. From this one declaration come the route, the
 * checks of path, query and body, the TypeScript types of `run`, OpenAPI and the page of
 * documentation. Which face serves it, with which credentials and in which envelope, it does not
 * know. Operations are in no registry of methods, so nobody calls one over XML-RPC or JSON.
 */
import type { Config } from '../../base/config';
import type { Database, Transaction } from '../../db/database';
import type { Fault, FaultName } from '../../base/faults';
import type { Hashing } from '../auth/hashing';
import type { Call, Id, Method, ReadCost } from './method';
import type { ReadRight, WriteRight } from '../tree/rights';
import {
  type Static,
  type TObject,
  type TProperties,
  type TSchema,
  integer,
  list,
  nullable,
  optional,
  struct,
  text,
} from '../schema/schema';

export type Verb = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** A part of a list, and the word with which the next part is asked for; null: there is none. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface Operation {
  readonly verb: Verb;
  /** Such as `/voip/number/{uuid}`, without what a face puts before it. */
  readonly path: string;
  /** What dispatch runs; its parameters are those of path, query and body together. */
  readonly method: Method;
  readonly from: Readonly<Record<'path' | 'query' | 'body', readonly string[]>>;
  readonly answers: 'one' | 'page';
  /** The object that is answered, or each one of a page. */
  readonly item: TSchema;
  /** Whether it may run for another than the caller by a header of the face. */
  readonly on_behalf: 'taken' | 'refused';
  /** Whether it takes the header Idempotency-Key. */
  readonly idempotent: boolean;
}

const none = {};
type None = typeof none;
type Given<P extends TProperties, Q extends TProperties, B extends TProperties> = Static<TObject<P & Q & B>>;

interface Address<P, Q, B, R> {
  readonly verb: Verb;
  readonly path: string;
  readonly summary: string;
  readonly faults: readonly FaultName[];
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly result: R;
  readonly on_behalf?: 'refused';
  readonly idempotent?: true;
}

interface WriteOf<P extends TProperties, Q extends TProperties, B extends TProperties, A, X, F> {
  readonly access: 'write';
  /** As in a method: there is no default, so none can be forgotten. */
  readonly right: WriteRight;
  /** As in a method: throws fault 400 before any right is looked at. */
  readonly checkParams?: (given: Given<P, Q, B>) => void;
  /** As in a method: hashes passwords or asks DNS once the actor may make the call. */
  readonly prepare?: (given: Given<P, Q, B>, hash: Hashing['hash'], config: Config) => Promise<X>;
  /** As in a method: what is looked at goes to the database together with the actor. */
  readonly load?: (db: Transaction, actor: Id, given: Given<P, Q, B>) => Promise<F>;
  readonly run: (call: Call, given: Given<P, Q, B>, prepared: X, found: F) => Promise<A | Fault>;
}

interface ReadOf<P extends TProperties, Q extends TProperties, B extends TProperties, A> {
  readonly access: 'read';
  readonly right: ReadRight;
  readonly cost?: ReadCost;
  readonly run: (call: Call<Database>, given: Given<P, Q, B>) => Promise<A | Fault>;
}

/** An operation that answers one object. */
export function defineOperation<
  P extends TProperties = None,
  Q extends TProperties = None,
  B extends TProperties = None,
  R extends TSchema = TSchema,
  X = undefined,
  F = undefined,
>(
  declaration: Address<P, Q, B, R> & (WriteOf<P, Q, B, Static<R>, X, F> | ReadOf<P, Q, B, Static<R>>),
): Operation {
  return operationOf(declaration, 'one', declaration.result, declaration);
}

/** An operation that answers a part of a list; `result` declares one of its items. */
export function definePage<
  P extends TProperties = None,
  Q extends TProperties = None,
  R extends TSchema = TSchema,
>(declaration: Address<P, Q, None, R> & ReadOf<P, Q, None, Page<Static<R>>>): Operation {
  const page = struct({
    items: list(declaration.result, 'The objects.'),
    next: nullable(text(255, 'With it the next ones are asked for; nil: these are the last.')),
  });
  return operationOf(declaration, 'page', page, declaration);
}

/** The parts of a method that an operation may have. */
const workParts = ['checkParams', 'prepare', 'load', 'cost'] as const;

function operationOf(
  address: Address<TProperties, TProperties, TProperties, TSchema>,
  answers: Operation['answers'],
  result: TSchema,
  work: {
    access: 'read' | 'write';
    right: ReadRight | WriteRight;
    run: unknown;
  } & Partial<Record<(typeof workParts)[number], unknown>>,
): Operation {
  const { access, right, run } = work;
  const { verb, path, summary, faults, params = none, query = none, body = none } = address;
  const from = { path: Object.keys(params), query: Object.keys(query), body: Object.keys(body) };
  const name = `${verb} ${path}`;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
  if (inPath.join() !== from.path.join()) throw new Error(`${name} declares other parameters of the path`);
  const all = [...from.path, ...from.query, ...from.body];
  if (new Set(all).size < all.length) throw new Error(`${name} declares a parameter twice`);
  const declared = { name, summary, right, faults, result, trusted: 'never', access, run } as const;
  const method: unknown = {
    ...declared,
    params: struct({ ...params, ...query, ...body }),
    ...Object.fromEntries(
      workParts.flatMap((part) => (work[part] === undefined ? [] : [[part, work[part]]])),
    ),
  };
  return {
    verb,
    path,
    method: method as Method,
    from,
    answers,
    item: address.result,
    on_behalf: address.on_behalf ?? 'taken',
    idempotent: address.idempotent ?? false,
  };
}

/** The parameters of a list in parts, as the reseller face and whoever likes names them. */
export const pageQuery = {
  limit: optional(integer('Answer at most so many; absent: 100.', { minimum: 1, maximum: 1_000 })),
  after: optional(text(255, 'The `next` of the answer before; absent: from the beginning.')),
};

/**
 * For lists whose rows may be wide. To read a page of them holds the event loop for long, so they take turns with the
 * slow reads: a top-level customer has few of them at once.
 */
export const wideList = { cost: 'slow' } as const satisfies { readonly cost: ReadCost };
