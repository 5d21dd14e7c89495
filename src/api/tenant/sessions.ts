/** Logging in and out: a password for a token, which a browser also keeps as a cookie. */
import { serialize } from 'cookie';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { endToken, logIn, tokenLife_s } from '../../core/auth/authenticate-token';
import type { Core } from '../../core/call/dispatch';
import { deadlineOf, withDeadline } from '../../core/call/deadline';
import { compileCheck } from '../../core/schema/parameters';
import { type Static, struct, text } from '../../core/schema/schema';
import { Fault } from '../../base/faults';
import { readBody } from '../http/request';
import { limitsOf } from '../http/limits';
import { readMembers } from '../json/values';
import { type Answering, Refused } from '../rest/routes';
import { identify, shownBy, visitOf } from './credentials';

export const loginBody = struct({
  username: text(255, 'The login.', { digits: true }),
  password: text(255, 'The password.', { secret: true, digits: true }),
});
const checkLogin = compileCheck(loginBody);

export function sessionRoutes(app: FastifyInstance, core: Core, answering: Answering): void {
  const route = (
    path: string,
    work: (request: FastifyRequest, reply: FastifyReply) => Promise<object>,
  ): void => {
    for (const url of [path, `${path}/`]) {
      app.route({
        method: 'POST',
        url,
        errorHandler: answering.errorHandler,
        handler: async (request, reply) => {
          try {
            const body = await withDeadline(deadlineOf(core), work(request, reply));
            return await answering.json(reply.code(200)).send(JSON.stringify(body));
          } catch (error) {
            if (!(error instanceof Fault || error instanceof Refused)) throw error;
            core.log.warn('Refused', { request_id: request.id, status: error.http, reason: error.message });
            return answering.send(reply, error);
          }
        },
      });
    }
  };
  route('/auth/login', async (request, reply) => {
    const { encrypted, ...visit } = visitOf(core, request);
    const given = await readLogin(core, request);
    const session = await logIn(core, visit, given, new Date(performance.timeOrigin + performance.now()));
    if (session === 'wrong')
      throw new Refused(401, 'The username or the password is wrong', 'INVALID_CREDENTIALS');
    void reply.header('set-cookie', cookieOf(session.token, tokenLife_s, encrypted));
    void reply.header('cache-control', 'no-store');
    return session;
  });
  route('/auth/logout', async (request, reply) => {
    const { encrypted } = visitOf(core, request);
    const caller = await identify(core, request);
    const shown = shownBy(request);
    if (shown && shown.kind !== 'access key') await endToken(core, caller, shown.secret);
    void reply.header('set-cookie', cookieOf('', 0, encrypted));
    return {};
  });
}

async function readLogin(core: Core, request: FastifyRequest): Promise<Static<typeof loginBody>> {
  const body = await readBody(core, request);
  if (body instanceof Fault) throw body;
  return checkLogin.read(await readMembers(body, limitsOf(core)), 'refuse', () => undefined) as Static<
    typeof loginBody
  >;
}

const cookieOf = (token: string, life_s: number, encrypted: boolean): string =>
  serialize('token', token, {
    httpOnly: true,
    sameSite: 'strict',
    path: '/',
    maxAge: life_s,
    secure: encrypted,
  });
