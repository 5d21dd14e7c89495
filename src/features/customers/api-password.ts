/**
 * An API password set by an operator. The one before may live on for a time, so that programs can
 * be moved one by one: both are then right, until the old one has expired.
 */
import { secretChange } from '../../core/call/audit';
import { ha1Of } from '../../core/auth/credentials';
import type { Call } from '../../core/call/method';
import { nameKey } from '../../core/schema/normalize-name';
import { sql } from '../../db/database';
import { forbidden, notFound } from '../../base/faults';
import { isWithin } from '../../core/tree/visibility';

const findStatement = sql(
  'find_api_login',
  `SELECT c.i_customer, c.api_access, u.web_login, u.is_default FROM users u JOIN customers c USING (i_customer)
   WHERE u.login_key = $1 AND u.deleted_at IS NULL AND c.deleted_at IS NULL AND ${isWithin('c', '$2')}
   FOR NO KEY UPDATE OF c`,
);
const retireStatement = sql(
  'retire_api_password',
  `UPDATE api_credentials SET expires_at = now() + make_interval(secs => $2::double precision * 3600)
   WHERE i_customer = $1 AND expires_at IS NULL`,
);
const removeStatement = sql(
  'remove_old_api_passwords',
  `DELETE FROM api_credentials WHERE i_customer = $1 AND ($2::boolean OR expires_at <= now())`,
);
const insertStatement = sql(
  'add_api_password',
  'INSERT INTO api_credentials (i_customer, sealed_ha1) VALUES ($1, $2)',
);

interface LoginRow {
  readonly i_customer: number;
  readonly api_access: 0 | 1;
  readonly web_login: string;
  readonly is_default: boolean;
}

export async function setApiPassword(
  call: Call,
  params: { web_login: string; api_password: string; keep_old_hours?: number },
) {
  const { db, actor, credentials } = call;
  const [login] = await db.query<LoginRow>(findStatement, [nameKey(params.web_login), actor.i_customer]);
  if (!login) throw notFound('Login');
  if (!login.is_default) throw forbidden('Only the login of a customer itself has an API password');
  const { i_customer, web_login, api_access } = login;

  const kept_hours = params.keep_old_hours ?? 0;
  const sealed = credentials.sealHa1(ha1Of(web_login, params.api_password), i_customer);
  await Promise.all([
    kept_hours > 0 && db.query(retireStatement, [i_customer, kept_hours]),
    db.query(removeStatement, [i_customer, kept_hours === 0]),
    db.query(insertStatement, [i_customer, sealed]),
  ]);
  await call.audit({
    action: 'U',
    resource: `customers:i_customer=${i_customer}`,
    i_customer,
    changes: {
      api_password: secretChange,
      ...(kept_hours > 0 && { keep_old_hours: [null, kept_hours] as const }),
    },
  });
  return { result: 'OK' as const, i_customer, api_access };
}
