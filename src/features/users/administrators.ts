/** Every customer keeps somebody who can log in and decide: whoever is the last one stays that. */
import { type Transaction, sql } from '../../db/database';
import { conflict } from '../../base/faults';

/** In order and locked, so that of two who remove each other the second sees what the first did. */
const othersStatement = sql(
  'other_administrators',
  `SELECT u.i_web_user FROM users u
   WHERE u.i_customer = $1 AND u.i_web_user <> $2 AND u.i_access_level = 'ADMINISTRATOR' AND u.deleted_at IS NULL
     AND NOT u.is_recovery AND NOT u.blocked
     AND (u.password_hash IS NOT NULL
       OR u.is_default AND EXISTS (SELECT FROM api_credentials k WHERE k.i_customer = u.i_customer))
   ORDER BY u.i_web_user FOR NO KEY UPDATE OF u`,
);

/** Throws fault 409 if nobody else is left who can log in as an administrator. */
export async function assertAnotherAdministrator(
  db: Transaction,
  i_customer: number,
  i_web_user: number,
): Promise<void> {
  const others = await db.query(othersStatement, [i_customer, i_web_user]);
  if (others.length === 0) throw conflict('This is the only administrator of the customer');
}
