/**
 * What Treeline is measured against: the least that a Node server on PostgreSQL can do. A bare
 * `node:http` with a pool of the same size takes the id from the URL, runs the statements of the
 * call by name and joins the answer's XML. It parses no body, asks nobody who he is, checks
 * nothing, escapes nothing, logs nothing. The statements of money and lists are Treeline's own.
 */
import { randomUUID } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool, type PoolClient } from 'pg';
import type { Call } from '../src/core/method';
import { customerColumns } from '../src/customers/fields';
import { listCustomers } from '../src/customers/list';
import type { Database, Statement, Transaction } from '../src/db/database';
import { post } from '../src/money/books';
import { serveTasks } from './processes';
import { listLimit } from './requests';

export interface PeerTask {
  readonly connection: { host: string; port: number; user: string; database: string };
  readonly pool_size: number;
  /** Whose customers are listed. */
  readonly i_wholesaler: number;
}

interface Query extends Statement {
  readonly values: readonly unknown[];
}

type Row = Record<string, string | number | boolean | null>;

serveTasks(serve);

/** Answers the port. */
async function serve(task: PeerTask): Promise<number> {
  const pool = new Pool({ ...task.connection, ssl: false, max: task.pool_size });
  const list = await recorded((db) =>
    listCustomers({ actor: { i_customer: task.i_wholesaler }, db } as unknown as Call<Database>, {
      limit: listLimit,
    }),
  );
  const answerOf = (call: string | undefined, id: number): Promise<string> => {
    switch (call) {
      case 'info':
        return info(pool, id);
      case 'list':
        return listed(pool, list);
      default:
        return addFunds(pool, id);
    }
  };
  return listen(
    createServer((request, response) => {
      const [, call, id] = (request.url ?? '').split('/');
      const answer = answerOf(call, Number(id));
      answer.then(
        (xml) => {
          response.writeHead(200, {
            'content-type': 'text/xml; charset=utf-8',
            'content-length': Buffer.byteLength(xml),
          });
          response.end(xml);
        },
        (error: unknown) => {
          response.writeHead(500, { 'content-length': 0 }).end();
          console.error(error);
        },
      );
    }),
  );
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** The statement that Treeline's own function runs, with its values. */
async function recorded(run: (db: Transaction) => Promise<unknown>): Promise<Query> {
  let query: Query | undefined;
  await run({
    inTransaction: true,
    query: (statement, values = []) => {
      query = { ...statement, values };
      return Promise.resolve([]);
    },
    atCommit: () => undefined,
  });
  if (!query) throw new Error('No statement was run');
  return query;
}

const infoText = `SELECT i_customer, i_wholesaler, base_currency, blocked, ${customerColumns.join(', ')}
  FROM customers WHERE i_customer = $1`;

async function info(pool: Pool, id: number): Promise<string> {
  const { rows } = await pool.query<Row>({ name: 'info', text: infoText, values: [id] });
  return head + structOf(rows[0] ?? {}) + foot;
}

async function listed(pool: Pool, { name, text, values }: Query): Promise<string> {
  const { rows } = await pool.query<Row>({ name: name ?? '', text, values: [...values] });
  let xml = `${head}<value><array><data>`;
  for (const row of rows) xml += structOf(row);
  return `${xml}</data></array></value>${foot}`;
}

/** Treeline's `post` is one statement and its values. */
async function addFunds(pool: Pool, i_customer: number): Promise<string> {
  const client = await pool.connect();
  let isUsable = false;
  try {
    await client.query('BEGIN');
    const posted = await post(transactionOn(client), {
      kind: 'add_funds',
      i_customer,
      amount: '0.01',
      request_id: randomUUID(),
    });
    await client.query('COMMIT');
    isUsable = true;
    return head + structOf({ ...posted }) + foot;
  } finally {
    client.release(!isUsable);
  }
}

const transactionOn = (client: PoolClient): Transaction => ({
  inTransaction: true,
  query: async <R>(statement: Statement, values: readonly unknown[] = []) =>
    (await client.query({ ...statement, values: [...values] })).rows as R[],
  atCommit: () => undefined,
});

const head = '<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse><params><param>';
const foot = '</param></params></methodResponse>\n';

function structOf(row: Row): string {
  let xml = '<value><struct>';
  for (const name in row)
    xml += `<member><name>${name}</name><value><string>${row[name] ?? ''}</string></value></member>`;
  return `${xml}</struct></value>`;
}
