/** resetCustomerOneTimePassword: a way in for somebody who lost the password, once and for a limited time. */
import { assertRightOver } from '../../core/tree/authorize';
import { randomPassword } from '../../core/auth/credentials';
import { forgiveFailures } from '../../core/auth/lockout';
import type { Call } from '../../core/call/method';
import { forbidden, notFound } from '../../base/faults';
import { findUser, setOneTimePassword } from './repository';

export async function resetCustomerOneTimePassword(call: Call, { web_login }: { web_login: string }) {
  const { actor, db } = call;
  const user = await findUser(db, actor, web_login);
  // The right comes before the target: without it, known and unknown logins of others look the same.
  assertRightOver(call, user?.i_customer);
  if (!user) throw notFound();
  if (user.is_recovery) throw forbidden('The recovery user has no password');

  const password = randomPassword();
  const life_ms = call.config.one_time_password_life_h * 3_600_000;
  const hash = call.credentials.hashOneTimePassword(password);
  await Promise.all([
    setOneTimePassword(db, user, hash, new Date(call.now.getTime() + life_ms)),
    forgiveFailures(db, call.credentials, web_login),
  ]);
  await call.audit({
    action: 'OTP_RST',
    resource: `customer:username=${user.web_login}`,
    i_customer: user.i_customer,
  });
  return { result: 'OK' as const, password };
}
