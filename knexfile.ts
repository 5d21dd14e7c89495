/**
 * For knex's own command line, which operators and developers use on a PostgreSQL of theirs:
 * `DATABASE_URL=… npm run knex -- migrate:latest`. The server needs none of it: it migrates when it starts. The
 * migrations are those of the server, under the same names, so that neither finds the other's folder corrupt.
 */
import { migrationSource } from './src/db/migrations';

const { DATABASE_URL } = process.env;
if (DATABASE_URL === undefined || DATABASE_URL === '') {
  throw new Error('DATABASE_URL must name the PostgreSQL that knex works on');
}

export const client = 'pg';
export const connection = { connectionString: DATABASE_URL };
export const migrations = { migrationSource };
