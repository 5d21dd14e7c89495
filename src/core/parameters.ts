/**
 * What a caller sent becomes what a method declares: first each value is converted by the declared
 * type of its parameter (contract.md, "Types a caller may send"), then ajv checks the whole. ajv
 * itself converts nothing and removes nothing: null means "unlimited" or "own tariff" here, so a
 * blank form field that became null would grant something.
 */
import { Ajv, type ErrorObject } from 'ajv';
import { Fault, badParameter } from '../faults';
import { moneyFromDouble, moneyFromText } from './decimal';
import { type FormatName, formats } from './formats';
import { type Declared, type TObject, type TProperties, declared, ownKeywords } from './schema';
import { DateTime, Double, type Struct, Unreadable, type Value } from './values';

export type Params = Record<string, unknown>;

/** Turns the members of a call's struct into checked parameters, or throws fault 400. */
export type Check = (
  members: Struct,
  unknown: 'refuse' | 'ignore',
  onIgnored: (name: string) => void,
) => Params;

const ajv = new Ajv({
  strict: true,
  allErrors: true,
  ownProperties: true,
  verbose: true,
  formats: Object.fromEntries(
    Object.entries(formats).map(([name, problem]) => [name, (value: string) => problem(value) === undefined]),
  ),
});
ajv.addVocabulary([...ownKeywords]);

/** Compiles the check of one struct of parameters; done once for each method at start. */
export function compileCheck(schema: TObject): Check {
  const validate = ajv.compile(schema);
  const fields = fieldsOf(schema.properties);
  const order = [...fields.keys()];

  return (members, unknown, onIgnored) => {
    const params = convertMembers(members, fields);
    if (unknown === 'ignore') {
      for (const name of Object.keys(params)) {
        if (fields.has(name)) continue;
        Reflect.deleteProperty(params, name);
        onIgnored(name);
      }
    }
    const alternative = exactlyOneProblem(schema, params);
    if (!validate(params)) {
      const errors = validate.errors ?? [];
      // It would keep what was sent, passwords too, in memory until the next mistake.
      validate.errors = null;
      throw firstFault(errors, order);
    }
    if (alternative) throw alternative;
    return params;
  };
}

const fieldsOf = (properties: TProperties): ReadonlyMap<string, Declared> =>
  new Map(Object.entries(properties).map(([name, field]) => [name, declared(field)]));

/** Without a prototype a member called __proto__ is a member; made like this, V8 keeps it as fast as any object. */
const Bare = function () {} as unknown as new () => Params;
Bare.prototype = Object.create(null) as object;

function convertMembers(members: Struct, fields: ReadonlyMap<string, Declared>): Params {
  const params = new Bare();
  for (const [name, value] of members) {
    const field = fields.get(name);
    const otherwise = field?.otherwise;
    // Old callers give a customer's name where its id is asked for.
    if (
      otherwise !== undefined &&
      typeof value === 'string' &&
      !/^\d+$/.test(value) &&
      !members.has(otherwise)
    ) {
      params[otherwise] = value;
    } else {
      params[name] = field ? convert(field, value) : value;
    }
  }
  return params;
}

/** The value as its declared type; one that cannot be read as such is left alone, for ajv to name. */
function convert(field: Declared, value: Value): unknown {
  if (value === null) return null;
  switch (field.wire) {
    case 'integer':
      return integerFrom(value);
    case 'bit':
      return bitFrom(value);
    case 'flag': {
      const bit = bitFrom(value);
      return bit === 0 || bit === 1 ? bit === 1 : value;
    }
    case 'double':
      return doubleFrom(value);
    case 'money':
      // As it is written: of what cannot be undone, nothing is read out of 1e2.
      if (field.format === 'credit' && typeof value === 'string') return value;
      return moneyFrom(value);
    case 'list': {
      const items = field.items && declared(field.items);
      return items && Array.isArray(value) ? value.map((item) => convert(items, item)) : value;
    }
    case 'struct':
      return field.properties && value instanceof Map
        ? convertMembers(value, fieldsOf(field.properties))
        : value;
    case 'text':
      if (field.digits && typeof value === 'number') return String(value);
      return field.format === 'time' && value instanceof DateTime ? value.text : value;
    default:
      return value;
  }
}

function integerFrom(value: Value): unknown {
  return typeof value === 'string' && /^[+-]?\d{1,16}$/.test(value) ? Number(value) : value;
}

function bitFrom(value: Value): unknown {
  if (value === true || value === 'true') return 1;
  if (value === false || value === 'false') return 0;
  return integerFrom(value);
}

function doubleFrom(value: Value): unknown {
  if (value instanceof Double) return value.value;
  if (typeof value !== 'string' || moneyFromText(value) === undefined) return value;
  return Number.isFinite(Number(value)) ? Number(value) : value;
}

function moneyFrom(value: Value): unknown {
  if (value instanceof Double) return moneyFromDouble(value.value) ?? value;
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? (moneyFromText(value) ?? value) : value;
}

function exactlyOneProblem(schema: TObject, params: Params): Fault | undefined {
  const names = schema['exactlyOne'] as readonly string[] | undefined;
  if (!names) return undefined;
  const given = names.filter((name) => name in params);
  if (given.length === 1) return undefined;
  return given.length === 0
    ? badParameter(names[0] ?? '', `is required, or ${names.slice(1).join(' or ')} in its place`)
    : badParameter(given[1] ?? '', `must not be given together with ${given[0] ?? ''}`);
}

/** One parameter at a time: the first in the order of the definition; unknown ones come last. */
function firstFault(errors: readonly ErrorObject[], order: readonly string[]): Fault {
  const place = (error: ErrorObject): number => {
    const index = order.indexOf(topOf(error));
    return index < 0 ? order.length : index;
  };
  const first = errors.reduce((best, error) => (place(error) < place(best) ? error : best));
  if (first.keyword === 'minProperties')
    return new Fault('bad_parameter', 'At least one attribute to change is required');
  return badParameter(parameterOf(first), problemOf(first));
}

const stepsTo = ({ instancePath }: ErrorObject): string[] =>
  instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));

/** The member of the call in which the mistake is, however deep. */
const topOf = (error: ErrorObject): string => stepsTo(error)[0] ?? parameterOf(error);

/** Such as `name`, or, within lists and structs, `users[0].name`. */
function parameterOf(error: ErrorObject): string {
  const steps = stepsTo(error);
  if (error.keyword === 'required') steps.push(String(error.params['missingProperty']));
  if (error.keyword === 'additionalProperties') {
    const name = String(error.params['additionalProperty']).slice(0, 64);
    // One at the top is named as it is, dots and all.
    if (steps.length === 0) return name;
    steps.push(name);
  }
  const [first = '', ...others] = steps;
  return first + others.map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`)).join('');
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

function problemOf(error: ErrorObject): string {
  const field = error.parentSchema as Declared | undefined;
  const value: unknown = error.data;
  switch (error.keyword) {
    case 'required':
      return 'is required';
    case 'additionalProperties':
      return 'is unknown';
    case 'type':
      if (value === null) return 'must not be nil';
      if (value instanceof Unreadable)
        return `must be ${typeNames[field?.wire ?? 'any']}, not "${value.text}"`;
      return `must be ${typeNames[field?.wire ?? 'any']}`;
    case 'minimum':
    case 'maximum':
      if (field?.wire === 'bit') return 'must be 0 or 1';
      return error.keyword === 'minimum'
        ? `must be at least ${String(field?.minimum)}`
        : `must be at most ${String(field?.maximum)}`;
    case 'minLength':
      return `must have at least ${String(field?.minLength)} characters`;
    case 'minItems':
      return `must have at least ${String(field?.minItems)} items`;
    case 'maxItems':
      return `must have at most ${String(field?.maxItems)} items`;
    case 'maxLength':
      return `must have at most ${String(field?.maxLength)} characters`;
    case 'enum':
      return `must be one of ${(field?.enum ?? []).join(', ')}`;
    case 'format':
      return formats[error.schema as FormatName](String(value)) ?? 'is not valid';
    default:
      return `is not valid (${error.keyword})`;
  }
}
