/**
 * The vocabulary in which parameters and results are declared. A declaration is one TypeBox schema
 * that carries everything its readers need: core/schema/check-field.ts checks it, TypeScript infers from it, the faces
 * take the type tag from `wire`, help and docs/reference take the description, the log hides `secret`.
 */
import {
  Type,
  type Static,
  type TArray,
  type TObject,
  type TOptional,
  type TProperties,
  type TSchema,
  type TUnsafe,
} from '@sinclair/typebox';
import type { FormatName } from './formats';
import type { Money } from './decimal';

export type { Money };

/** How a value stands on the wire and is read from it; docs/reference/xmlrpc.md, "Types". */
export type Wire = 'integer' | 'double' | 'money' | 'flag' | 'bit' | 'text' | 'struct' | 'list' | 'any';

interface TextOptions {
  readonly minLength?: number;
  /** A check of `core/schema/formats.ts`. */
  readonly format?: FormatName;
  /** Never logged, never answered. */
  readonly secret?: true;
  /** May be all digits, so a number is accepted for it. */
  readonly digits?: true;
}

export const maxInteger = 2_147_483_647;

/** An integer of 32 bits. */
export function integer(description: string, range: { minimum?: number; maximum?: number } = {}) {
  return Type.Integer({
    minimum: -maxInteger - 1,
    maximum: maxInteger,
    ...range,
    description,
    wire: 'integer',
  });
}

/** An id; one that cannot exist, such as 0, is answered like one that does not. */
export const id = (description: string) => integer(description);

/** An id of what there may be more than 2^31 of, such as payments: any integer that a double holds exactly. */
export const bigId = (description: string) =>
  integer(description, { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER });

/** An id in whose place old callers send a name: a text of other than digits is taken as that parameter. */
export const idOr = (otherwise: string, description: string) => ({ ...id(description), otherwise });

/** A finite floating-point number. */
export function double(description: string, range: { minimum?: number; maximum?: number } = {}) {
  return Type.Number({ ...range, description, wire: 'double' });
}

/** An amount of money, a double on the wire, exact inside. `format` says the range. */
export function money(
  description: string,
  format: 'money' | 'money-not-negative' | 'money-positive' | 'credit' = 'money',
) {
  return Type.Unsafe<Money>({ type: 'string', format, description, wire: 'money' });
}

/** true or false, a boolean on the wire. */
export const flag = (description: string) => Type.Boolean({ description, wire: 'flag' });

/** 0 or 1, an int on the wire; accepted like a flag. */
export const bit = (description: string) =>
  Type.Unsafe<0 | 1>({ type: 'integer', minimum: 0, maximum: 1, description, wire: 'bit' });

/** A text of at most `maxLength` characters (code points). */
export function text(maxLength: number, description: string, options: TextOptions = {}) {
  return Type.String({ format: 'text', ...options, maxLength, description, wire: 'text' });
}

/** The name of an object over REST. */
export const uuid = (description: string) => text(36, description, { format: 'uuid' });

/** A moment, UTC: `09:57:29.000 GMT Wed Nov 18 2009` or ISO 8601; answered in the former form. */
export const time = (description: string) => text(64, description, { format: 'time' });

/** A member that is answered and cannot be changed: naming it is a mistake that is told. */
export const locked = (description: string) => text(64, description, { format: 'locked', digits: true });

/** The one text that it may be; `result` of every call is `OK`. */
export const literal = <T extends string>(value: T, description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: [value], description, wire: 'text' });

/** The `result` of every call of the customer API. */
export const ok = literal('OK', 'OK.');

/** One of the listed texts. */
export const oneOf = <const T extends readonly string[]>(values: T, description: string) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: values, description, wire: 'text' });

/** Any value; `type` is what a signature says of it. */
export const any = (description: string, type: 'struct' | 'array' = 'struct') =>
  Type.Unknown({ description, wire: 'any', signature: type });

/** The value may be nil. */
export function nullable<T extends TSchema>(schema: T): TUnsafe<Static<T> | null> {
  return Type.Unsafe<Static<T> | null>({ ...schema, nullable: true });
}

/** The member may be absent. */
export const optional = <T extends TSchema>(schema: T): TOptional<T> => Type.Optional(schema) as TOptional<T>;

/** A struct of the declared members and no others. */
export function struct<T extends TProperties>(
  properties: T,
  options: { description?: string; exactlyOne?: readonly string[]; minProperties?: number } = {},
): TObject<T> {
  return Type.Object(properties, {
    description: 'A struct.',
    ...options,
    additionalProperties: false,
    wire: 'struct',
  });
}

export function list<T extends TSchema>(
  items: T,
  description: string,
  range: { minItems?: number; maxItems?: number } = {},
): TArray<T> {
  return Type.Array(items, { ...range, description, wire: 'list' });
}

/** A list that may be produced piece by piece, so that a long one never stands whole in memory. */
export type Batches<T> = AsyncGenerator<readonly T[], void> & {
  /** The bytes of the rows that it holds before it is read. */
  readonly held_bytes: number;
};
export const streamed = <T extends TSchema>(items: T, description: string) =>
  Type.Unsafe<readonly Static<T>[] | Batches<Static<T>>>({ type: 'array', items, description, wire: 'list' });

/** The parts of a declared schema that its readers look at. */
export interface Declared {
  readonly wire: Wire;
  readonly description: string;
  readonly nullable?: boolean;
  readonly secret?: boolean;
  readonly digits?: boolean;
  readonly otherwise?: string;
  readonly signature?: 'struct' | 'array';
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: TSchema;
  readonly properties?: TProperties;
  /** Of a struct: the names of the members that must be there. */
  readonly required?: readonly string[];
}

/** Reads a schema as one of ours; a schema made elsewhere is a mistake in a declaration. */
export function declared(schema: TSchema): Declared {
  if (typeof schema['wire'] !== 'string' || typeof schema.description !== 'string') {
    throw new Error('A schema was not declared with the vocabulary of core/schema/schema.ts');
  }
  return schema as unknown as Declared;
}

export type { Static, TObject, TProperties, TSchema };
