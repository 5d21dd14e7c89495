/** The password policies: what a new web password must be like. They stand in the database. */
import { type Queryable, sql } from '../db/database';
import { badParameter } from '../faults';

export interface PasswordPolicy {
  readonly min_length: number;
  /** A lower-case letter, an upper-case letter and a digit. */
  readonly needs_mixed: boolean;
}

const policyOfStatement = sql(
  'policy_of_customer',
  `SELECT p.min_length, p.needs_mixed FROM customers c
   JOIN password_policies p ON p.i_password_policy = coalesce(c.i_password_policy, 1) WHERE c.i_customer = $1`,
);

/** Throws fault 400 unless the password satisfies the policy of the customer. */
export async function demandPolicy(db: Queryable, i_customer: number, password: string): Promise<void> {
  const [policy] = await db.query<PasswordPolicy>(policyOfStatement, [i_customer]);
  if (policy) demandSatisfies(password, policy);
}

/** Throws fault 400 unless the password satisfies the policy. */
export function demandSatisfies(password: string, policy: PasswordPolicy): void {
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
