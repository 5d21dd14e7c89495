/**
 * The least that a Node server on PostgreSQL can do. A bare `node:http` with a `pg` pool takes the
 * id from the URL, runs statements by name and joins the answer's XML. It parses no body, asks
 * nobody who he is, checks nothing, escapes nothing, logs nothing. Money moves by the statements
 * that Treeline runs, recorded from it; rows are written as Treeline leaves them.
 */
import { randomBytes } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool, type PoolClient } from 'pg';
import { hashPassword } from '../../src/core/auth/credentials';
import { customerColumns } from '../../src/features/customers/fields';
import { listLimit } from '../calls';
import { webPassword } from '../members';
import { serveTasks } from '../processes';
import { type PlainTask, type Recordings, recordTreeline } from '../record';
import { send } from '../rows';

type Row = Readonly<Record<string, string | number | boolean | null>>;
type Answer = (i_customer: number) => Promise<string>;

serveTasks(serve);

/** Answers the port. */
async function serve(task: PlainTask): Promise<number> {
  const recordings = await recordTreeline(task);
  const pool = new Pool({ ...task.connection, ssl: false, max: task.pool_size, idleTimeoutMillis: 0 });
  const imports = new Pool({
    ...task.connection,
    ssl: false,
    max: task.import_pool_size,
    idleTimeoutMillis: 0,
  });
  const answers = answersOf(task, pool, imports, recordings);
  return listen(
    createServer((request, response) => {
      const [, call = '', id] = (request.url ?? '').split('/');
      const answer = answers[call]?.(Number(id)) ?? Promise.reject(new Error(`No call ${call}`));
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

/** Far above those that Treeline numbers. */
let lastNew = 1_000_000_000;

function answersOf(
  task: PlainTask,
  pool: Pool,
  imports: Pool,
  { funds, created, imported, updated }: Recordings,
): Readonly<Record<string, Answer>> {
  const tag = randomBytes(3).toString('hex');
  const create = async (on: Pool, templates: Recordings['created']): Promise<string> => {
    const i_customer = (lastNew += 1);
    await onClient(on, (client) => send(client, templates, i_customer, `plain-${tag}-${i_customer}`));
    return head + structOf({ result: 'OK', i_customer }) + foot;
  };
  return {
    info: (id) => info(pool, id),
    info_json: (id) => infoJson(pool, id),
    list: () => listed(pool, task.i_wholesaler),
    create: async () => {
      await hashPassword(webPassword);
      return create(pool, created);
    },
    create_unhashed: () => create(imports, imported),
    update: async (id) => {
      await onClient(pool, (client) => send(client, updated, id, `Northern Voice ${(lastNew += 1)}`));
      return head + structOf({ result: 'OK' }) + foot;
    },
    add_funds: async (id) => {
      const answers = await onClient(pool, (client) => funds(client, id));
      const i_payment = answers.flat().find((row) => 'i_payment' in row)?.['i_payment'] as number;
      return head + structOf({ result: 'OK', i_payment }) + foot;
    },
  };
}

/** A connection that an error leaves in a transaction is not lent again. */
async function onClient<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let isUsable = false;
  try {
    const result = await work(client);
    isUsable = true;
    return result;
  } finally {
    client.release(!isUsable);
  }
}

/** Every column of getCustomerInfo that is one of the row. */
const infoText = `SELECT i_customer, i_wholesaler, base_currency, blocked, ${customerColumns.join(', ')}
  FROM customers WHERE i_customer = $1`;
const infoJsonText = `SELECT row_to_json(t) AS customer FROM (${infoText}) t`;
const listText = `SELECT c.i_customer, c.name, u.web_login, c.description, c.balance, c.credit_limit, c.base_currency
  FROM customers c JOIN users u ON u.i_customer = c.i_customer AND u.is_default
  WHERE c.i_wholesaler = $1 AND c.deleted_at IS NULL ORDER BY c.i_customer LIMIT ${listLimit}`;

async function info(pool: Pool, id: number): Promise<string> {
  const { rows } = await pool.query<Row>({ name: 'info', text: infoText, values: [id] });
  return head + structOf(rows[0] ?? {}) + foot;
}

async function infoJson(pool: Pool, id: number): Promise<string> {
  const { rows } = await pool.query<{ customer: Row }>({
    name: 'info_json',
    text: infoJsonText,
    values: [id],
  });
  return head + structOf(rows[0]?.customer ?? {}) + foot;
}

async function listed(pool: Pool, i_wholesaler: number): Promise<string> {
  const { rows } = await pool.query<Row>({ name: 'list', text: listText, values: [i_wholesaler] });
  let xml = `${head}<value><array><data>`;
  for (const row of rows) xml += structOf(row);
  return `${xml}</data></array></value>${foot}`;
}

const head = '<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse><params><param>';
const foot = '</param></params></methodResponse>\n';

function structOf(row: Row): string {
  let xml = '<value><struct>';
  for (const name in row)
    xml += `<member><name>${name}</name><value><string>${row[name] ?? ''}</string></value></member>`;
  return `${xml}</struct></value>`;
}
