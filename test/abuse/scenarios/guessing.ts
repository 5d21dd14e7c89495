/** Attacks on logins: guesses, and requests that make the server hash passwords. */
import { type Login, loginRequest, resellerRequest, xmlRequest } from '../http';
import { scenario } from '../scenario';
import { makeCustomer, webPassword } from '../world';

/** So many passwords of one address may be found wrong, over all logins, before it is told to wait. */
const guessesAtMost = 500;

/** Answers that say that a password was looked at and was wrong. */
const wrongAnswers = ['HTTP 401', 'fault 403'];

const manyLogins = scenario<Login>({
  name: 'guesses-many-logins',
  attack_is: 'A stranger guesses the passwords of many logins, some of which exist, 64 at once',
  prepare: async (stage) => (await makeCustomer(stage, 'attacker')).api,
  attack: async (hands) => {
    let serial = 0;
    await hands.flood(hands.scaled(64, 16), (lane) => {
      const guess = {
        login: (serial += 1) % 10 === 0 ? 'victim' : `login ${serial}`,
        password: `guess ${serial}`,
      };
      if (lane % 3 === 0) return hands.send(loginRequest(guess));
      return hands.send(
        lane % 3 === 1
          ? xmlRequest(guess, 'getCustomerInfo', {})
          : resellerRequest(guess, 'GET', '/authenticated'),
      );
    });
  },
  verify: (_stage, _data, tally) => {
    const wrong = wrongAnswers.reduce((sum, outcome) => sum + (tally[outcome] ?? 0), 0);
    return Promise.resolve(
      wrong > guessesAtMost ? [`One address guessed ${wrong} passwords before it was told to wait`] : [],
    );
  },
});

const oneLogin = scenario<Record<string, never>>({
  name: 'guesses-one-login',
  attack_is: "A stranger guesses the victim's passwords over 300 connections at once",
  prepare: () => Promise.resolve({}),
  attack: async (hands) => {
    let serial = 0;
    await hands.flood(hands.scaled(300, 30), (lane) => {
      const guess = { login: 'victim', password: `guess ${(serial += 1)}` };
      return hands.send(lane % 2 === 0 ? xmlRequest(guess, 'getCustomerInfo', {}) : loginRequest(guess));
    });
  },
});

const hashingBodies = scenario<Login>({
  name: 'hashing-bodies',
  attack_is: 'A customer without rights sends 40 requests at once, each with 100 users and their passwords',
  prepare: async (stage) => (await makeCustomer(stage, 'attacker')).api,
  attack: (hands, api) => {
    const users = Array.from({ length: 100 }, (_, index) => ({
      name: `user ${index}`,
      role_id: 1,
      password: `${webPassword} ${index}`,
    }));
    return hands.flood(hands.scaled(40, 4), () =>
      hands.send(
        resellerRequest(api, 'POST', '/account/reseller', {
          name: 'never made',
          contact_name: 'nobody',
          users,
        }),
      ),
    );
  },
});

const hashingWrites = scenario<Login>({
  name: 'hashing-writes',
  attack_is: 'A customer without rights makes users of its own, and checks passwords of them, 64 at once',
  prepare: async (stage) => (await makeCustomer(stage, 'attacker')).api,
  attack: async (hands, api) => {
    let serial = 0;
    await hands.flood(hands.scaled(64, 8), (lane) =>
      hands.send(
        lane % 2 === 0
          ? xmlRequest(api, 'createWebUser', {
              web_login: `user ${(serial += 1)}`,
              web_password: webPassword,
            })
          : xmlRequest(api, 'authCustomer', { username: api.login, password: webPassword }),
      ),
    );
  },
});

export const guessingScenarios = [manyLogins, oneLogin, hashingBodies, hashingWrites];
