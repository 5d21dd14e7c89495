/** What must hold across nodes at the door: a nonce of one is taken by the other, guesses are counted together. */
import { digestExchange, digestFields, freshNonce } from '../../test/setup/digest-client';
import { callBody } from '../../test/setup/raw-http';
import { openCaller } from './caller';
import type { Cluster } from './cluster';
import { apiPassword, makeMember } from './writers';

const body = callBody('listCustomers');

function demand(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new Error(otherwise);
}

/** The status that a node answers to a call with this nonce. */
async function statusOf(
  url: string,
  login: string,
  password: string,
  nonce: string,
  nc = 1,
): Promise<number> {
  const fields = digestFields({ login, password, nonce, nc, algorithm: 'SHA-256' });
  return (await digestExchange(url, fields, { body, headers: ['Connection: close'] })).status;
}

export async function proveNonces({ nodes: [one, other], url, rootPassword }: Cluster): Promise<void> {
  for (const [giver, taker] of [
    [one, other],
    [other, one],
    [one, url],
  ] as const) {
    const status = await statusOf(taker, 'root', rootPassword, await freshNonce(giver));
    demand(status === 200, `A nonce of ${giver} was answered ${status} at ${taker}`);
  }
}

const limit = 20;
/** Another address of loopback, from which nobody has guessed. */
const elsewhere = '127.0.0.7';

/** Guesses alternately at both nodes until the login is locked; answers the login. */
export async function lockByGuesses(cluster: Cluster, login: string): Promise<string> {
  await makeMember(cluster, login);
  for (let guess = 0; guess < limit; guess += 1) {
    const node = cluster.nodes[guess % 2] ?? cluster.url;
    const status = await statusOf(node, login, `wrong-password-${guess}`, await freshNonce(node));
    demand(status === 401, `Guess ${guess + 1} was answered ${status}`);
  }
  await proveLocked(cluster, login);
  return login;
}

/** The right password is refused wherever it comes to, and only from the address of the guesses. */
export async function proveLocked({ nodes, url }: Cluster, login: string): Promise<void> {
  for (const each of [...nodes, url]) {
    const status = await statusOf(each, login, apiPassword, await freshNonce(each));
    demand(status === 429, `After ${limit} guesses ${each} answered ${status} to the right password`);
  }
  const other = openCaller({ url, login, password: apiPassword, localAddress: elsewhere });
  const heard = await other.call('listCustomers', {});
  other.close();
  demand('result' in heard, `From another address it was answered ${JSON.stringify(heard)}`);
}
