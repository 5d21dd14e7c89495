/** The call about people who log in that only the command line has. */
import { secretChange } from '../core/audit';
import { hashGivenPassword } from '../core/credentials';
import { forgiveFailures } from '../core/lockout';
import { type Call, defineMethod } from '../core/method';
import { demandPolicy } from '../core/password-policy';
import { id, ok, struct, text } from '../core/schema';
import { forbidden, notFound } from '../faults';
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
  await demandPolicy(db, i_customer, web_password);
  await updateUser(db, i_web_user, {}, password_hash ?? null);
  await forgiveFailures(db, web_login);
  const resource = `web_users:i_web_user=${i_web_user}`;
  await call.audit({ action: 'U', resource, i_customer, changes: { web_password: secretChange } });
  return { result: 'OK' as const, i_web_user };
}

export const userOperatorMethods = [
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
