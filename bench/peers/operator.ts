/**
 * Treeline as `treeline customers import` runs it: its own session, dispatch and `importCustomer`, all strings as
 * in a CSV file. In front of it is the same bare `node:http` as in front of the peer, so that one load drives both.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { allMethods } from '../../src/app';
import { type Context, attempt, inSession } from '../../src/commands/context';
import { Fault } from '../../src/faults';
import { type Population, newMembers } from '../calls';
import { serveTasks } from '../processes';

export interface OperatorTask {
  readonly settings: Readonly<Record<string, string>>;
  readonly i_wholesaler: number;
  readonly population: Population;
}

serveTasks(serve);

/** Answers the port. The session lasts as long as this process. */
function serve({ settings, i_wholesaler, population }: OperatorTask): Promise<number> {
  const terminal = {
    env: settings,
    stdin: new PassThrough(),
    stdout: process.stdout,
    stderr: process.stderr,
  };
  const shell = { terminal, version: '', methods: allMethods, serve: () => Promise.resolve() };
  return new Promise((resolve, reject) => {
    inSession(shell, {}, async (context) => {
      resolve(await listen({ ...context, i_wholesaler }, population));
      return new Promise<never>(() => undefined);
    }).catch(reject);
  });
}

async function importOne(context: Context, name: string, population: Population): Promise<string> {
  const given = Object.entries(newMembers(name, population)).filter(([key]) => !key.endsWith('_password'));
  const members = Object.fromEntries(given.map(([key, value]) => [key, cellOf(value)]));
  const outcome = await attempt(context, 'importCustomer', members);
  if (outcome instanceof Fault) throw outcome;
  return `<name>i_customer</name>${JSON.stringify(outcome.result)}`;
}

const cellOf = (value: string | number | boolean): string =>
  typeof value === 'boolean' ? String(Number(value)) : String(value);

function listen(context: Context, population: Population): Promise<number> {
  const server = createServer((_request, response) => {
    importOne(context, `imported-${randomUUID()}`, population).then(
      (text) => {
        response.writeHead(200, { 'content-length': Buffer.byteLength(text) }).end(text);
      },
      (error: unknown) => {
        response.writeHead(500, { 'content-length': 0 }).end();
        console.error(error);
      },
    );
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}
