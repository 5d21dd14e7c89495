/**
 * What a caller sent becomes what a method declares: each value is converted by the declared type of
 * its parameter (docs/reference/xmlrpc.md, "Types"), then checked. The first mistake in the order
 * of the definition is the one that is answered. Nothing is coerced beyond that: null means
 * "unlimited" or "own tariff" here, so a blank form field that became null would grant something.
 */
import { Fault, badParameter } from '../../base/faults';
import { type Field, type Fields, ParamsObject, compileFields, expensiveChecks } from './check-field';
import { moneyFromDouble, moneyFromText } from './decimal';
import type { TObject } from './schema';
import { DateTime, Double, type Struct, type Value } from './values';

export type Params = Record<string, unknown>;

/** The two steps that check one struct of parameters. */
export interface Check {
  /**
   * Turns the members of a call's struct into parameters: presence, types, lengths, and every format that
   * costs little. Runs before anything is known of the caller's rights. Throws fault 400.
   */
  readonly read: (members: Struct, unknown: 'refuse' | 'ignore', onIgnored: (name: string) => void) => Params;
  /**
   * Checks the formats that parse: regular expressions, address ranges, lists of addresses. Runs once the
   * actor's right is known, so that nobody without it makes the server parse. Throws fault 400.
   */
  readonly checkExpensive: (params: Params) => void;
}

/** Compiles the check of one struct of parameters; done once for each method at start. */
export function compileCheck(schema: TObject): Check {
  const fields = compileFields(schema.properties, schema.required);
  const inOrder = [...fields];
  const expensive = expensiveChecks(fields);
  const fewest = schema.minProperties ?? 0;

  return {
    read: (members, unknown, onIgnored) => {
      const params = convertMembers(members, fields);
      for (const [name, field] of inOrder) {
        const value = params[name];
        if (value === undefined && !(name in params)) {
          if (field.isRequired) throw badParameter(name, 'is required');
          continue;
        }
        const fault = field.check(value, name);
        if (fault) throw fault;
      }
      const strangers = Object.keys(params).filter((name) => !fields.has(name));
      if (Object.keys(params).length - (unknown === 'ignore' ? strangers.length : 0) < fewest)
        throw new Fault('bad_parameter', 'At least one attribute to change is required');
      for (const name of strangers) {
        if (unknown === 'refuse') throw badParameter(name.slice(0, 64), 'is unknown');
        Reflect.deleteProperty(params, name);
        onIgnored(name);
      }
      const alternative = exactlyOneProblem(schema, params);
      if (alternative) throw alternative;
      return params;
    },
    checkExpensive: (params) => {
      for (const [name, check] of expensive) {
        const fault = name in params ? check(params[name], name) : undefined;
        if (fault) throw fault;
      }
    },
  };
}

function convertMembers(members: Struct, fields: Fields): Params {
  const params = new ParamsObject();
  for (const [name, value] of members) {
    const field = fields.get(name);
    const otherwise = field?.declared.otherwise;
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

/** The value as its declared type; one that cannot be read as such is left alone, and fails its check. */
function convert({ declared, items, members }: Field, value: Value): unknown {
  if (value === null) return null;
  switch (declared.wire) {
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
      if (declared.format === 'credit' && typeof value === 'string') return value;
      return moneyFrom(value);
    case 'list':
      return items && Array.isArray(value) ? value.map((item) => convert(items, item)) : value;
    case 'struct':
      return members && value instanceof Map ? convertMembers(value, members) : value;
    case 'text':
      if (declared.digits && typeof value === 'number') return String(value);
      return declared.format === 'time' && value instanceof DateTime ? value.text : value;
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
