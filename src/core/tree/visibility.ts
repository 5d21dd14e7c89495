/**
 * SQL conditions on the position of a customer in the tree. Every statement that limits what an actor sees uses them, so
 * the rule is written once. `test/shape.test.ts` bans the raw form elsewhere.
 */

/** The customer of `alias` is the actor (a parameter such as `$2`) or below it. */
export const isWithin = (alias: string, actor: string): string => `${actor} = ANY(${alias}.path)`;

/** The customer of `alias` is below the actor (a parameter such as `$2`). */
export const isBelow = (alias: string, actor: string): string =>
  `${isWithin(alias, actor)} AND ${alias}.i_customer <> ${actor}`;

/** The customer of `ancestor` is that of `alias` or above it. Both are aliases of `customers`, or rows with `i_customer`. */
export const isSelfOrAbove = (ancestor: string, alias: string): string =>
  `${ancestor}.i_customer = ANY(${alias}.path)`;
