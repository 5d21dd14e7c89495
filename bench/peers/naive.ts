/** What is built in an afternoon: the npm package `xmlrpc`, and knex as query builder. No authentication, no rights. */
import knex from 'knex';
import xmlrpc from 'xmlrpc';
import { rowColumns } from '../outside';
import { freePort, serveTasks } from '../processes';
import type { Connection } from '../record';

export interface NaiveTask {
  readonly connection: Connection;
  readonly pool_size: number;
}

serveTasks(serve);

/** Answers the port. */
async function serve({ connection, pool_size }: NaiveTask): Promise<number> {
  const db = knex({
    client: 'pg',
    connection: { ...connection, ssl: false },
    pool: { min: 0, max: pool_size },
  });
  // The package does not tell which port it was given.
  const port = await freePort();
  return new Promise((resolve) => {
    const server = xmlrpc.createServer({ host: '127.0.0.1', port }, () => {
      resolve(port);
    });
    server.on('getCustomerInfo', (_error, [params], answer) => {
      const { i_customer } = params as { i_customer: number };
      db('customers')
        .where({ i_customer })
        .first(rowColumns)
        .then(
          (customer: unknown) => {
            answer(null, { result: 'OK', customer });
          },
          (error: unknown) => {
            answer(error, null);
          },
        );
    });
  });
}
