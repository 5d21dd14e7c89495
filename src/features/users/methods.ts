/** The calls about people who log in: the table of contents of this folder. */
import { hashGivenPassword } from '../../core/auth/hashing';
import { defineMethod } from '../../core/call/method';
import { editBelow } from '../../core/tree/rights';
import {
  flag,
  id,
  integer,
  nullable,
  ok,
  oneOf,
  optional,
  streamed,
  struct,
  text,
} from '../../core/schema/schema';
import { authCustomer } from './authenticate';
import { resetCustomerOneTimePassword } from './one-time-password';
import { accessLevels } from './repository';
import {
  blockWebUser,
  createWebUser,
  assertMayCreateUser,
  deleteWebUser,
  getWebUserInfo,
  listWebUsers,
  unblockWebUser,
  updateWebUser,
} from './service';

const accessLevel = oneOf(accessLevels, 'What the user may do.');
const userFields = {
  i_access_level: optional(oneOf(accessLevels, 'What the user may do; absent at creation: ADMINISTRATOR.')),
  name: optional(nullable(text(64, 'The name of the person.', { format: 'label' }))),
  description: optional(nullable(text(1024, 'A description.'))),
  email: optional(nullable(text(255, 'An e-mail address.', { format: 'address' }))),
};
const webLogin = text(64, 'The login; unique on the platform.', { format: 'login', digits: true });
const webPassword = text(128, "The password; must satisfy the customer's policy.", {
  minLength: 8,
  secret: true,
  digits: true,
});
const webUser = struct({
  i_web_user: id('Its id.'),
  i_customer: id('The customer whose user it is.'),
  web_login: text(129, 'Its login.'),
  i_access_level: accessLevel,
  name: nullable(text(64, 'The name of the person.')),
  description: nullable(text(1024, 'A description.')),
  email: nullable(text(255, 'An e-mail address.')),
  blocked: flag('Whether the user itself is blocked.'),
  is_default: flag("Whether it is the customer's own login."),
  is_recovery: flag('Whether it is the recovery user, which nobody can change.'),
});

const own = { trusted: 'required', right: editBelow } as const;
const look = { trusted: 'required', right: 'none' } as const;
const oneUser = struct({ i_web_user: id('The user; neither the default user nor the recovery user.') });
const oneUserAnswer = struct({ result: ok, i_web_user: id('The user.') });

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
    cost: 'hash',
    run: authCustomer,
  }),
  defineMethod({
    name: 'resetCustomerOneTimePassword',
    summary:
      'Makes a one-time password for a login of the actor or of a customer below it, and unlocks the login.',
    access: 'write',
    right: editBelow,
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
  defineMethod({
    ...own,
    access: 'write',
    name: 'createWebUser',
    summary: 'Makes a user of the actor, or, with the right to edit, of a customer below it.',
    params: struct({
      web_login: webLogin,
      web_password: webPassword,
      i_customer: optional(id('The customer; absent: the actor.')),
      ...userFields,
    }),
    result: oneUserAnswer,
    faults: ['not_found', 'conflict'],
    mayCall: assertMayCreateUser,
    prepare: hashGivenPassword,
    run: createWebUser,
  }),
  defineMethod({
    ...own,
    access: 'write',
    name: 'updateWebUser',
    summary: 'Changes a user: absent leaves alone, nil clears.',
    params: struct(
      {
        i_web_user: id('The user; neither the default user nor the recovery user.'),
        web_login: optional(webLogin),
        web_password: optional(webPassword),
        ...userFields,
      },
      { minProperties: 2 },
    ),
    result: oneUserAnswer,
    faults: ['not_found', 'conflict'],
    prepare: hashGivenPassword,
    run: updateWebUser,
  }),
  defineMethod({
    ...own,
    access: 'write',
    name: 'deleteWebUser',
    summary: 'Deletes a user; the login becomes free.',
    params: oneUser,
    result: oneUserAnswer,
    faults: ['not_found'],
    run: deleteWebUser,
  }),
  defineMethod({
    ...own,
    access: 'write',
    name: 'blockWebUser',
    summary: 'Blocks a user: it cannot log in until it is unblocked.',
    params: oneUser,
    result: oneUserAnswer,
    faults: ['not_found'],
    run: blockWebUser,
  }),
  defineMethod({
    ...own,
    access: 'write',
    name: 'unblockWebUser',
    summary: 'Unblocks a user.',
    params: oneUser,
    result: oneUserAnswer,
    faults: ['not_found'],
    run: unblockWebUser,
  }),
  defineMethod({
    ...look,
    access: 'read',
    name: 'getWebUserInfo',
    summary: 'Answers a user of the actor or of a customer below it; never a password.',
    params: struct({ i_web_user: id('The user.') }),
    result: struct({ result: ok, i_web_user: id('The user.'), web_user: webUser }),
    faults: ['not_found'],
    run: getWebUserInfo,
  }),
  defineMethod({
    ...look,
    access: 'read',
    name: 'listWebUsers',
    summary: 'Lists the users of the actor or of a customer below it.',
    params: struct({
      i_customer: optional(id('The customer; absent: the actor.')),
      offset: optional(integer('Skip so many.', { minimum: 0 })),
      limit: optional(integer('Answer at most so many; absent: all.', { minimum: 0 })),
    }),
    result: struct({ result: ok, web_users: streamed(webUser, 'The users, in order of i_web_user.') }),
    faults: ['not_found'],
    run: listWebUsers,
  }),
];
