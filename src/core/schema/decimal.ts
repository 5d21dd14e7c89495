/**
 * Money as exact decimals: strings of the form that `numeric(20,6)` holds. Only the wire knows
 * doubles; here they are read as their shortest decimal of at most 15 significant digits, because
 * a sender's 0.1 + 0.2 means 0.3 (docs/reference/xmlrpc.md, "Types").
 */
import Big from 'big.js';

/** Amounts of money: a decimal string with at most six places, such as `50.12`; never a float. */
export type Money = string;

const places = 6;
const maximum = new Big('99999999999999.999999');
const decimalText = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?$/;

/** A double as money; undefined when it is not finite. */
export function moneyFromDouble(value: number): Money | undefined {
  return Number.isFinite(value) ? moneyFromText(value.toPrecision(15)) : undefined;
}

/** Longer than any decimal in plain notation whose exponent has four digits; a megabyte of digits would take too long. */
const decimalText_max_length = 16_000;

/** A decimal text (exponent allowed) in plain notation, without needless zeros; undefined when it is none. */
export function moneyFromText(text: string): Money | undefined {
  if (text.length > decimalText_max_length) return undefined;
  return decimalText.test(text) ? plain(new Big(text.replace(/^\+/, ''))) : undefined;
}

/** What is wrong with an amount in words that complete "Parameter x …", or undefined. */
export function moneyProblem(amount: Money): string | undefined {
  const value = new Big(amount);
  if (!value.round(places).eq(value)) return `must have at most ${places} decimal places`;
  if (value.abs().gt(maximum)) return `must be between -${plain(maximum)} and ${plain(maximum)}`;
  return undefined;
}

export const negate = (amount: Money): Money => plain(new Big(amount).neg());
export const isPositive = (amount: Money): boolean => new Big(amount).gt(0);
export const isNegative = (amount: Money): boolean => new Big(amount).lt(0);
export const isZero = (amount: Money): boolean => new Big(amount).eq(0);
export const minus = (left: Money, right: Money): Money => plain(new Big(left).minus(right));
export const sum = (left: Money, right: Money): Money => plain(new Big(left).plus(right));
export const exceeds = (left: Money, right: Money): boolean => new Big(left).gt(right);

/** Without exponent, without needless zeros, without a negative zero. */
export const plain = (value: Big | Money): Money => {
  const text = new Big(value).toFixed();
  return text === '-0' ? '0' : text;
};

/** The same of any value that is an amount; undefined for everything else, such as NaN. Never throws. */
export const plainIfAmount = (value: unknown): Money | undefined => {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value;
  return typeof text === 'string' ? moneyFromText(text) : undefined;
};
const microsOfOne = 1_000_000;

/** The amount as a whole number of millionths, which can be multiplied and divided without loss. */
export const toMicros = (amount: Money): bigint => BigInt(new Big(amount).times(microsOfOne).toFixed(0));
export const fromMicros = (micros: bigint): Money => plain(new Big(micros.toString()).div(microsOfOne));
