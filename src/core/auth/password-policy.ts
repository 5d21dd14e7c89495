/** The password policies: what a new web password must be like. They stand in the database. */
import { type Queryable, sql } from '../../db/database';
import { badParameter } from '../../base/faults';

export interface PasswordPolicy {
  readonly min_length: number;
  /** A lower-case letter, an upper-case letter and a digit. */
  readonly needs_mixed: boolean;
}

/** SQL: the policy with the id, where null is the first one, as a JSON value. */
export const policyWithId = (i_password_policy: string): string =>
  `(SELECT json_build_object('min_length', p.min_length, 'needs_mixed', p.needs_mixed)
    FROM password_policies p WHERE p.i_password_policy = coalesce(${i_password_policy}, 1))`;

/** SQL: the policy of the customer `alias`. */
export const policyOf = (alias: string): string => policyWithId(`${alias}.i_password_policy`);

const policyOfStatement = sql(
  'policy_of_customer',
  `SELECT ${policyOf('c')} AS policy FROM customers c WHERE c.i_customer = $1`,
);

/** Throws fault 400 unless the password satisfies the policy of the customer. */
export async function assertPasswordPolicy(
  db: Queryable,
  i_customer: number,
  password: string,
): Promise<void> {
  const [row] = await db.query<{ policy: PasswordPolicy }>(policyOfStatement, [i_customer]);
  if (row) assertSatisfiesPolicy(password, row.policy);
}

/** Throws fault 400 unless the password satisfies the policy. */
export function assertSatisfiesPolicy(password: string, policy: PasswordPolicy): void {
  const mixed = /\p{Ll}/u.test(password) && /\p{Lu}/u.test(password) && /\p{Nd}/u.test(password);
  if (Array.from(password).length >= policy.min_length && (mixed || !policy.needs_mixed)) return;
  const letters = policy.needs_mixed
    ? ', among them a lower-case letter, an upper-case letter and a digit'
    : '';
  throw badParameter(
    'web_password',
    `must have at least ${policy.min_length} characters${letters} (password policy)`,
  );
}
