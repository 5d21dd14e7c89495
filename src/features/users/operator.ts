/** The call about people who log in that only the command line has. */
import { secretChange } from '../../core/call/audit';
import { hashGivenPassword } from '../../core/auth/hashing';
import { forgiveFailures } from '../../core/auth/lockout';
import { type Call, defineMethod } from '../../core/call/method';
import { assertPasswordPolicy } from '../../core/auth/password-policy';
import { id, ok, struct, text } from '../../core/schema/schema';
import { issueToken } from '../../core/auth/tokens';
import { sql } from '../../db/database';
import { forbidden, notFound } from '../../base/faults';
import { findUser, updateUser } from './repository';

/** Sets the password of any login, root's too, and unlocks it. */
async function setWebPassword(
  call: Call,
  { web_login, web_password }: { web_login: string; web_password: string },
  password_hash: string | undefined,
) {
  const { db } = call;
  const user = await findUser(db, call.actor, web_login);
  if (!user) throw notFound('Login');
  if (user.is_recovery) throw forbidden('The recovery user has no password');
  const { i_web_user, i_customer } = user;
  await assertPasswordPolicy(db, i_customer, web_password);
  await updateUser(db, i_web_user, {}, password_hash ?? null);
  await forgiveFailures(db, call.credentials, web_login);
  const resource = `web_users:i_web_user=${i_web_user}`;
  await call.audit({ action: 'U', resource, i_customer, changes: { web_password: secretChange } });
  return { result: 'OK' as const, i_web_user };
}

const recovery_s = 3_600;

const recoveryStatement = sql(
  'find_recovery_user',
  `SELECT uuid, i_customer FROM users WHERE i_customer = $1 AND is_recovery AND deleted_at IS NULL`,
);

/** A token of the guest agent of the customer whose login it is, for an hour: for who is locked out of all others. */
async function recoverLogin(call: Call, { web_login }: { web_login: string }) {
  const { db, now } = call;
  const user = await findUser(db, call.actor, web_login);
  if (!user) throw notFound('Login');
  const { i_customer } = user;
  const [guest] = await db.query<{ uuid: string }>(recoveryStatement, [i_customer]);
  if (!guest) throw notFound('Login');
  const token = await issueToken(call, { user: guest.uuid, password_hash: null }, now, recovery_s);
  await call.audit({ action: 'RECOVER', resource: `customer:username=${user.web_login}`, i_customer });
  const expires = new Date(now.getTime() + recovery_s * 1_000).toISOString();
  return { result: 'OK' as const, i_customer, token, expires };
}

export const userOperatorMethods = [
  defineMethod({
    name: 'recoverLogin',
    summary: 'Makes a token of the guest agent of the customer whose login it is.',
    access: 'write',
    right: 'root',
    trusted: 'optional',
    params: struct({ web_login: text(255, 'The login.', { digits: true }) }),
    result: struct({
      result: ok,
      i_customer: id('The customer.'),
      token: text(2_048, 'The token; it is not told again.'),
      expires: text(64, 'When it ends.'),
    }),
    faults: ['not_found'],
    run: recoverLogin,
  }),
  defineMethod({
    name: 'setWebPassword',
    summary: 'Sets the web password of a login.',
    access: 'write',
    right: 'root',
    trusted: 'optional',
    params: struct({
      web_login: text(255, 'The login.', { digits: true }),
      web_password: text(128, "The password; must satisfy the customer's policy.", {
        minLength: 8,
        secret: true,
        digits: true,
      }),
    }),
    result: struct({ result: ok, i_web_user: id('The user.') }),
    faults: ['not_found'],
    prepare: hashGivenPassword,
    run: setWebPassword,
  }),
];
