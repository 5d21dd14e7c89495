/**
 * The caller of an HTTP request: a trusted host, or a login that proves its API password by Digest
 * or, where nobody can listen in, by Basic. A trusted host is not asked for a password at all.
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Proof, WrongPassword, authenticateLogin } from '../../../core/auth/authenticate';
import { type SealedHa1, ha1Of, realm } from '../../../core/auth/credentials';
import type { Core } from '../../../core/call/dispatch';
import { trustedHostsOf } from '../../../core/auth/trusted-hosts';
import { type Origin, isInRanges, isLoopback, originOf } from '../address';
import { assertNoBrowser, isFromBrowser } from './browser';
import { type Digest, createDigest } from './digest';
import type { Caller } from '../../../core/auth/caller';

/** Ask again: the values of the WWW-Authenticate header, a line for each. */
export class Challenge {
  constructor(readonly lines: readonly string[]) {}
}

/** Throws fault 429, 403 or 503 as `core/auth/authenticate.ts` does. */
export type Authenticate = (
  request: IncomingMessage,
  request_id: string,
  options?: AuthenticateOptions,
) => Promise<Caller | Challenge>;

interface AuthenticateOptions {
  /** Login and password that came otherwise than in a header; they count as Basic does. */
  readonly given?: Password | undefined;
  /** A trusted host needs a password, too. */
  readonly trusted?: 'never';
}

interface Password {
  readonly login: string;
  readonly password: string;
}

export function createAuthenticate(core: Core): Authenticate {
  const { config, credentials } = core;
  const digest = createDigest({
    nonce_keys: credentials.nonce_keys,
    algorithms: config.digest,
    nonce_life_ms: config.nonce_life_s * 1_000,
  });
  const trustedHosts = trustedHostsOf(core);

  const trustedCaller = async (address: string): Promise<Caller | undefined> => {
    const renew = () => trustedCaller(address);
    if (isInRanges(address, config.trusted_hosts)) return { kind: 'trusted', address, access: null, renew };
    const { ranges, access } = await trustedHosts();
    return isInRanges(address, ranges) ? { kind: 'trusted', address, access, renew } : undefined;
  };

  const challenge = (request: IncomingMessage, origin: Origin, stale: boolean): Challenge => {
    const basic = allowsBasic(origin) ? [`Basic realm="${realm}"`] : [];
    return new Challenge([...digest.challenges(stale, knowsMd5Only(request)), ...basic]);
  };

  return async (request, request_id, { given, trusted } = {}) => {
    const origin = originOf(request, config.trusted_proxies);
    const { address } = origin;
    const host = origin.certain && trusted !== 'never' ? await trustedCaller(address) : undefined;
    if (host) {
      assertNoBrowser(request);
      return host;
    }
    const header = request.headers.authorization ?? '';
    const claim =
      readDigest(digest, header, request) ??
      (allowsBasic(origin) ? claimOf(given ?? readBasic(header)) : undefined);
    if (!claim) return challenge(request, origin, false);
    const caller = await authenticateLogin(core, { address, request_id }, claim.login, claim.prove);
    if (caller instanceof WrongPassword) {
      core.log.warn('Wrong API password', { request_id, login: caller.login, address });
      return challenge(request, origin, false);
    }
    return caller === 'stale' || !claim.once() ? challenge(request, origin, true) : caller;
  };
}

/** Whether a request comes from loopback or from a trusted host, and from no browser; without a database the table's hosts are outside. */
export function createIsInside(core: Core): (request: IncomingMessage) => Promise<boolean> {
  const trustedHosts = trustedHostsOf(core);
  return async (request) => {
    if (isFromBrowser(request)) return false;
    const origin = originOf(request, core.config.trusted_proxies);
    if (isLoopback(origin)) return true;
    if (!origin.certain) return false;
    if (isInRanges(origin.address, core.config.trusted_hosts)) return true;
    const { ranges } = await trustedHosts().catch(() => ({ ranges: [] }));
    return isInRanges(origin.address, ranges);
  };
}

/** What a header claims, and how to tell whether it is so. */
interface Claim {
  readonly login: string;
  readonly prove: (ha1: SealedHa1) => Proof;
  /** False if the proof was used before. */
  readonly once: () => boolean;
}

/** Python's httplib2 keeps the last challenge of a scheme alone, and breaks down when that is SHA-256. */
const knowsMd5Only = (request: IncomingMessage): boolean =>
  /httplib2/i.test(request.headers['user-agent'] ?? '');

const allowsBasic = (origin: Origin): boolean => origin.encrypted || isLoopback(origin);

function readDigest(digest: Digest, header: string, request: IncomingMessage): Claim | undefined {
  const answer = digest.read(header);
  if (!answer || !isSameUri(answer.uri, request.url ?? '')) return undefined;
  const state = digest.nonceState(answer.nonce);
  // Nobody can have proved anything with a nonce that we never gave out.
  if (state === 'foreign') return undefined;
  return {
    login: answer.username,
    prove: (ha1) => {
      if (!digest.matches(answer, ha1, request.method ?? '')) return 'wrong';
      return state === 'alive' ? 'right' : 'stale';
    },
    once: () => digest.takeCount(answer),
  };
}

/** The same target, as a path or, as some proxies and old clients write it, with scheme and host. */
function isSameUri(claimed: string, requested: string): boolean {
  const withoutHost = (uri: string): string => uri.replace(/^https?:\/\/[^/]+/i, '');
  return withoutHost(claimed) === withoutHost(requested);
}

function readBasic(header: string): Password | undefined {
  const encoded = /^basic\s+([A-Za-z0-9+/=]+)\s*$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  // A login with NUL is nobody's, and PostgreSQL could not even be asked for it.
  const [, login, password] =
    /^([^:\0]*):([^]*)$/.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? [];
  return login === undefined || password === undefined ? undefined : { login, password };
}

function claimOf(claimed: Password | undefined): Claim | undefined {
  if (!claimed) return undefined;
  const { login, password } = claimed;
  const given = Buffer.from(ha1Of(login, password)['SHA-256']);
  return {
    login,
    prove: (ha1) => (timingSafeEqual(given, Buffer.from(ha1()['SHA-256'])) ? 'right' : 'wrong'),
    once: () => true,
  };
}
