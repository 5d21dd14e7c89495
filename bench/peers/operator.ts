/**
 * Treeline as `treeline customers import` runs it: its own session, dispatch and `importCustomer`, as they are
 * built, all strings as in a CSV file. In front of it is the same bare `node:http` as in front of the peer, so that
 * one load drives both.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pathToFileURL } from 'node:url';
import type * as App from '../../src/server/app';
import type * as Commands from '../../src/commands/shared/context';
import type * as Faults from '../../src/base/faults';
import { type Population, newMembers } from '../calls';
import { projectRoot, serveTasks } from '../processes';

export interface OperatorTask {
  readonly settings: Readonly<Record<string, string>>;
  readonly i_wholesaler: number;
  readonly population: Population;
}

type Built = typeof App & typeof Commands & typeof Faults;

async function loadBuilt(): Promise<Built> {
  const names = ['app', 'commands/context', 'faults'];
  const files = names.map((name) => pathToFileURL(join(projectRoot, 'dist/src', `${name}.js`)).href);
  const modules = (await Promise.all(files.map((file) => import(file)))) as object[];
  return Object.assign({}, ...modules) as Built;
}

serveTasks(serve);

/** Answers the port. The session lasts as long as this process. */
async function serve({ settings, i_wholesaler, population }: OperatorTask): Promise<number> {
  const built = await loadBuilt();
  const terminal = {
    env: settings,
    stdin: new PassThrough(),
    stdout: process.stdout,
    stderr: process.stderr,
  };
  const shell = { terminal, version: '', methods: built.allMethods, serve: () => Promise.resolve() };
  return new Promise((resolve, reject) => {
    built
      .inSession(shell, {}, async (context) => {
        const importer = (name: string) => importOne(built, { ...context, i_wholesaler }, name, population);
        resolve(await listen(importer));
        return new Promise<never>(() => undefined);
      })
      .catch(reject);
  });
}

async function importOne(
  { attempt, Fault }: Built,
  context: Commands.Context,
  name: string,
  population: Population,
): Promise<string> {
  const given = Object.entries(newMembers(name, population)).filter(([key]) => !key.endsWith('_password'));
  const members = Object.fromEntries(given.map(([key, value]) => [key, cellOf(value)]));
  const outcome = await attempt(context, 'importCustomer', members);
  if (outcome instanceof Fault) throw outcome;
  return `<name>i_customer</name>${JSON.stringify(outcome.result)}`;
}

const cellOf = (value: string | number | boolean): string =>
  typeof value === 'boolean' ? String(Number(value)) : String(value);

function listen(importer: (name: string) => Promise<string>): Promise<number> {
  const server = createServer((_request, response) => {
    importer(`imported-${randomUUID()}`).then(
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
