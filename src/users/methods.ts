/** The calls about people who log in: the table of contents of this folder. */
import { defineMethod } from '../core/method';
import { id, ok, oneOf, struct, text } from '../core/schema';
import { authCustomer } from './authenticate';
import { resetCustomerOneTimePassword } from './one-time-password';

/** What a user may do, as the API names it. */
export const accessLevels = ['ADMINISTRATOR', 'REPORTER', 'BILLING', 'CALL_SHOP_OPERATOR', 'NOC'] as const;

export const userMethods = [
  defineMethod({
    name: 'authCustomer',
    summary: 'Checks the login and password of a person: the login of the actor or of a customer below it.',
    access: 'read',
    right: 'none',
    trusted: 'optional',
    params: struct({
      username: text(255, 'The login of the self-care interface.', { digits: true }),
      password: text(255, 'Its password, or its one-time password.', { secret: true, digits: true }),
    }),
    result: struct({
      result: ok,
      i_customer: id('The customer whose login it is.'),
      i_web_user: id('The user who logged in.'),
      i_access_level: oneOf(
        accessLevels,
        "The user's access level; ADMINISTRATOR for a customer's own login.",
      ),
    }),
    faults: ['one_time_password', 'too_many_failures'],
    run: authCustomer,
  }),
  defineMethod({
    name: 'resetCustomerOneTimePassword',
    summary:
      'Makes a one-time password for a login of the actor or of a customer below it, and unlocks the login.',
    access: 'write',
    right: 'none',
    trusted: 'required',
    params: struct({
      web_login: text(255, 'The login. Those of others need the right customers_mgmt:edit.', {
        digits: true,
      }),
    }),
    result: struct({ result: ok, password: text(64, 'The one-time password.') }),
    faults: ['not_found'],
    run: resetCustomerOneTimePassword,
  }),
];
