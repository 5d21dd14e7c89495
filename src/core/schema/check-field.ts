/**
 * Checks a value against its declaration (`core/schema/schema.ts`) and stops at the first mistake. Within a
 * field the order is type, length or range, format; so no format sees a text over its length limit.
 * Formats that parse (`isExpensive`) are a check of their own: the caller's right comes before them.
 */
import { type Fault, badParameter } from '../../base/faults';
import { type FormatName, formats } from './formats';
import { type Declared, type TProperties, type TSchema, declared } from './schema';
import { Unreadable } from './values';

/** An object without a prototype, so that a member called __proto__ is a member; V8 keeps one made like this as fast as any. */
export const ParamsObject = function () {} as unknown as new () => Record<string, unknown>;
ParamsObject.prototype = Object.create(null) as object;

/** Returns fault 400 for the first mistake in the value; undefined where there is none. `path` names the value, such as `users[0].name`. */
export type FieldCheck = (value: unknown, path: string) => Fault | undefined;

/** A declared parameter, ready to be checked. */
export interface Field {
  readonly declared: Declared;
  readonly isRequired: boolean;
  /** Of a list: its items. */
  readonly items: Field | undefined;
  /** Of a struct: its members by name, in the order of the definition. */
  readonly members: Fields | undefined;
  /** Presence, type, length and range, and the formats that cost little. */
  readonly check: FieldCheck;
  /** The formats that parse, for a value that passed `check`; undefined where the field has none. */
  readonly checkExpensive: FieldCheck | undefined;
}

export type Fields = ReadonlyMap<string, Field>;

/** Compiles the fields of a struct; done once for each declaration. */
export function compileFields(properties: TProperties, required: readonly string[] = []): Fields {
  return new Map(
    Object.entries(properties).map(([name, schema]) => [name, compileField(schema, required.includes(name))]),
  );
}

function compileField(schema: TSchema, isRequired: boolean): Field {
  const field = declared(schema);
  const items = field.items && compileField(field.items, true);
  const members = field.properties && compileFields(field.properties, field.required);
  const checkValue = compileValue(field, items, members);
  const check: FieldCheck = (value, path) =>
    value === null && field.nullable === true ? undefined : checkValue(value, path);
  return {
    declared: field,
    isRequired,
    items,
    members,
    check,
    checkExpensive: compileExpensive(field, items, members),
  };
}

const typeNames: Readonly<Record<Declared['wire'], string>> = {
  integer: 'an integer',
  bit: '0 or 1',
  flag: 'true or false',
  double: 'a number',
  money: 'a number',
  text: 'a string',
  list: 'an array',
  struct: 'a struct',
  any: 'a value',
};

function wrongType({ wire }: Declared, value: unknown, path: string): Fault {
  if (value === null) return badParameter(path, 'must not be nil');
  const found = value instanceof Unreadable ? `, not "${value.text}"` : '';
  return badParameter(path, `must be ${typeNames[wire]}${found}`);
}

/** The check of a value that is not nil, or must not be. */
function compileValue(field: Declared, items: Field | undefined, members: Fields | undefined): FieldCheck {
  switch (field.wire) {
    case 'integer':
    case 'bit':
    case 'double':
      return numberCheck(field);
    case 'flag':
      return (value, path) => (typeof value === 'boolean' ? undefined : wrongType(field, value, path));
    case 'text':
    case 'money':
      return textCheck(field);
    case 'list':
      return listCheck(field, items);
    case 'struct':
      return structCheck(field, members ?? new Map());
    case 'any':
      return () => undefined;
  }
}

function numberCheck(field: Declared): FieldCheck {
  const { wire, minimum = -Infinity, maximum = Infinity } = field;
  const isOfType = wire === 'double' ? Number.isFinite : Number.isInteger;
  return (value, path) => {
    if (!isOfType(value)) return wrongType(field, value, path);
    const number = value as number;
    if (number >= minimum && number <= maximum) return undefined;
    if (wire === 'bit') return badParameter(path, 'must be 0 or 1');
    return badParameter(
      path,
      number < minimum ? `must be at least ${minimum}` : `must be at most ${maximum}`,
    );
  };
}

function textCheck(field: Declared): FieldCheck {
  const { minLength = 0, maxLength = Infinity, enum: choices } = field;
  const format = formatOf(field);
  return (value, path) => {
    if (typeof value !== 'string') return wrongType(field, value, path);
    if (isLongerThan(value, maxLength))
      return badParameter(path, `must have at most ${maxLength} characters`);
    if (minLength > 0 && !isLongerThan(value, minLength - 1))
      return badParameter(path, `must have at least ${minLength} characters`);
    if (choices && !choices.includes(value))
      return badParameter(path, `must be one of ${choices.join(', ')}`);
    if (format === undefined || format.isExpensive === true) return undefined;
    const problem = format(value);
    return problem === undefined ? undefined : badParameter(path, problem);
  };
}

const formatOf = ({ format }: Declared): (typeof formats)['text'] | undefined =>
  format === undefined ? undefined : formats[format as FormatName];

/** Whether a text has more than so many characters (code points); looks at no more than it must. */
function isLongerThan(text: string, length: number): boolean {
  if (text.length <= length) return false;
  // A character is one or two units.
  if (text.length > 2 * length) return true;
  return Array.from(text).length > length;
}

function listCheck(field: Declared, items: Field | undefined): FieldCheck {
  const { minItems = 0, maxItems = Infinity } = field;
  return (value, path) => {
    if (!Array.isArray(value)) return wrongType(field, value, path);
    if (value.length > maxItems) return badParameter(path, `must have at most ${maxItems} items`);
    if (value.length < minItems) return badParameter(path, `must have at least ${minItems} items`);
    return items && firstIn(value, (item, index) => items.check(item, `${path}[${index}]`));
  };
}

function structCheck(field: Declared, members: Fields): FieldCheck {
  const required = [...members].flatMap(([name, { isRequired }]) => (isRequired ? [name] : []));
  return (value, path) => {
    if (!(value instanceof ParamsObject)) return wrongType(field, value, path);
    const missing = required.find((name) => !(name in value));
    if (missing !== undefined) return badParameter(`${path}.${missing}`, 'is required');
    const unknown = Object.keys(value).find((name) => !members.has(name));
    if (unknown !== undefined) return badParameter(`${path}.${unknown.slice(0, 64)}`, 'is unknown');
    return firstIn([...members], ([name, member]) =>
      name in value ? member.check(value[name], `${path}.${name}`) : undefined,
    );
  };
}

/** The checks of the fields with expensive formats, in or below this one; undefined where there are none. */
function compileExpensive(
  field: Declared,
  items: Field | undefined,
  members: Fields | undefined,
): FieldCheck | undefined {
  const format = formatOf(field);
  if (format?.isExpensive === true) {
    return (value, path) => {
      const problem = typeof value === 'string' ? format(value) : undefined;
      return problem === undefined ? undefined : badParameter(path, problem);
    };
  }
  const checkItem = items?.checkExpensive;
  if (checkItem)
    return (value, path) =>
      Array.isArray(value)
        ? firstIn(value, (item, index) => checkItem(item, `${path}[${index}]`))
        : undefined;
  const inside = members && expensiveChecks(members);
  if (!inside || inside.length === 0) return undefined;
  return (value, path) =>
    value instanceof ParamsObject
      ? firstIn(inside, ([name, check]) => check(value[name], `${path}.${name}`))
      : undefined;
}

/** The expensive checks of a struct's members, by name, in the order of the definition. */
export const expensiveChecks = (members: Fields): readonly (readonly [string, FieldCheck])[] =>
  [...members].flatMap(([name, { checkExpensive }]) =>
    checkExpensive ? [[name, checkExpensive] as const] : [],
  );

function firstIn<T>(
  values: readonly T[],
  check: (value: T, index: number) => Fault | undefined,
): Fault | undefined {
  for (const [index, value] of values.entries()) {
    const fault = check(value, index);
    if (fault) return fault;
  }
  return undefined;
}
