/** What is measured, and what is held against what: the table of the targets, as data. */
import { type CallName, membersOfMulticall } from './calls';
import type { RunnerName } from './runners';

/** One series of calls with one runner. In this order they are taken, so that neighbours are compared. */
export interface Entry {
  readonly runner: RunnerName;
  readonly call: CallName;
  readonly title: string;
  /** Over how many customers; absent: all. */
  readonly spread?: number;
  /** Absent: as many as the effort says. */
  readonly connections?: number;
  /** How many calls there are in one; absent: 1. */
  readonly members?: number;
  /** Where one of them takes long, so that there are enough of them. */
  readonly least_s?: number;
  /** Where they are so slow that Node has not compiled them after the usual time. */
  readonly warm_s?: number;
}

export const entries = {
  pgbench_info: { runner: 'pgbench', call: 'info', title: 'pgbench, prepared, the same SELECT' },
  abyss_info: { runner: 'abyss', call: 'info', title: 'xmlrpc-c Abyss, from memory' },
  plain_info_json: { runner: 'plain', call: 'info_json', title: 'node:http + pg, the row as JSON' },
  plain_info: { runner: 'plain', call: 'info', title: 'node:http + pg, the whole row' },
  info: { runner: 'treeline', call: 'info', title: 'Treeline: getCustomerInfo' },
  multicall: {
    runner: 'treeline',
    call: 'multicall',
    title: 'Treeline: system.multicall of 100 getCustomerInfo',
    members: membersOfMulticall,
    least_s: 4,
  },
  workers_info: { runner: 'workers', call: 'info', title: 'Treeline, 2 workers: getCustomerInfo' },
  naive_info: { runner: 'naive', call: 'info', title: 'npm xmlrpc + knex' },
  python_info: { runner: 'python', call: 'info', title: 'Python xmlrpc.server + psycopg2' },
  plain_list: { runner: 'plain', call: 'list', title: 'node:http + pg, the same 50 rows' },
  list: { runner: 'treeline', call: 'list', title: 'Treeline: listCustomers, limit 50' },
  plain_create: { runner: 'plain', call: 'create', title: 'pg, the same rows and argon2' },
  create: { runner: 'treeline', call: 'create', title: 'Treeline: createCustomer, all parameters' },
  create_alone: {
    runner: 'treeline',
    call: 'create',
    title: 'Treeline: createCustomer, one connection',
    connections: 1,
  },
  parsing: { runner: 'parsing', call: 'create', title: 'Reading the body of createCustomer' },
  plain_import: { runner: 'plain', call: 'create_unhashed', title: 'pg, the same rows' },
  import: {
    runner: 'operator',
    call: 'create_unhashed',
    title: 'Treeline: importCustomer, no password',
    warm_s: 6,
  },
  plain_update: { runner: 'plain', call: 'update', title: 'pg, the same rows' },
  update: {
    runner: 'treeline',
    call: 'update',
    title: 'Treeline: updateCustomer, one field',
    warm_s: 4,
  },
  argon2: { runner: 'argon2', call: 'auth', title: 'argon2 verifications' },
  auth: { runner: 'treeline', call: 'auth', title: 'Treeline: authCustomer' },
  plain_funds: { runner: 'plain', call: 'add_funds', title: 'pg, the same statements', spread: 1_000 },
  funds: {
    runner: 'treeline',
    call: 'add_funds',
    title: 'Treeline: customerAddFunds, 1,000 customers',
    spread: 1_000,
  },
  plain_funds_hot: { runner: 'plain', call: 'add_funds', title: 'pg, the same statements', spread: 1 },
  funds_hot: {
    runner: 'treeline',
    call: 'add_funds',
    title: 'Treeline: customerAddFunds, one customer',
    spread: 1,
  },
  rest_info: { runner: 'reseller', call: 'rest_info', title: 'Reseller API: GET one customer' },
  tenant_info: { runner: 'tenant', call: 'tenant_info', title: 'Tenant API: GET one customer' },
  tenant_list: { runner: 'tenant', call: 'tenant_list', title: 'Tenant API: GET 50 customers' },
  create_least: {
    runner: 'treeline',
    call: 'create_least',
    title: 'Treeline: createCustomer, the least with a password',
  },
  rest_create: {
    runner: 'reseller',
    call: 'rest_create',
    title: 'Reseller API: POST customer, the least with a password',
  },
  transfer: {
    runner: 'treeline',
    call: 'transfer',
    title: 'Treeline: transferFunds, 1,000 customers',
    spread: 1_000,
  },
  rest_transfer: {
    runner: 'reseller',
    call: 'rest_transfer',
    title: 'Reseller API: PUT balance, 1,000 customers',
    spread: 1_000,
  },
} as const satisfies Record<string, Entry>;
export type EntryId = keyof typeof entries;

export const entryIds = Object.keys(entries) as EntryId[];

/** The rate of one held against that of another. */
export interface Contest {
  readonly title: string;
  readonly own: EntryId;
  readonly peer: EntryId;
  /** The least that the ratio is to be; absent: it is only told. */
  readonly target?: number;
  /** Where the ratio is to be less than this. */
  readonly below?: number;
  /** Why it is no better; stands in the document while the target is missed. */
  readonly reason?: string;
}

export const contests: readonly Contest[] = [
  {
    title: 'getCustomerInfo',
    own: 'info',
    peer: 'plain_info',
    target: 1,
    reason:
      "one core of JavaScript bounds both; 11 % of Treeline's goes into writing to sockets, the rest evenly into HTTP, XML, Digest, checks, metrics and the log line, of which the peer has the sockets and HTTP.",
  },
  { title: 'getCustomerInfo', own: 'info', peer: 'plain_info_json' },
  { title: 'getCustomerInfo', own: 'info', peer: 'naive_info', target: 3 },
  {
    title: 'getCustomerInfo',
    own: 'info',
    peer: 'python_info',
    target: 2,
    reason:
      'the target supposes a peer at 0.46 of node:http + pg; on this machine it makes more than 0.6 of it, so twice its rate would be 1.2 of a server that does nothing.',
  },
  { title: 'getCustomerInfo', own: 'info', peer: 'abyss_info' },
  { title: 'getCustomerInfo', own: 'info', peer: 'pgbench_info' },
  { title: 'multicall of 100 getCustomerInfo', own: 'multicall', peer: 'info', target: 1.5 },
  { title: 'getCustomerInfo, 2 workers', own: 'workers_info', peer: 'info' },
  { title: 'listCustomers, limit 50', own: 'list', peer: 'plain_list', target: 0.6 },
  { title: 'createCustomer, all parameters', own: 'create', peer: 'plain_create', target: 0.8 },
  {
    title: 'importCustomer, no password',
    own: 'import',
    peer: 'plain_import',
    target: 0.8,
    reason:
      'both sides keep both cores busy, so it is a matter of processor time for each customer: in PostgreSQL 2.1 ms against 1.7, because five statements look at the actor, the wholesaler, the references and the next id, and hold what the row stands on, before it is written; in JavaScript 1.2 ms against 0.55, for checking seventy attributes, putting them into an audit record and five more statements. (Told by a sampling profiler on another run.)',
  },
  {
    title: 'updateCustomer, one field',
    own: 'update',
    peer: 'plain_update',
    target: 0.8,
    reason:
      'both sides keep both cores busy, so it is a matter of processor time for each call: in PostgreSQL 0.85 ms against 0.7, because three statements come on top (the rights of the actor, the row as it was, which is held, and whether a webhook is to be told); in JavaScript 0.7 ms against 0.28: what getCustomerInfo costs, too (HTTP, XML, Digest, checks, log), is 0.28 of them, the three statements and the audit record are the rest. The largest single piece is 8 %, the writes to PostgreSQL. (Told by a sampling profiler on another run.)',
  },
  {
    title: 'authCustomer',
    own: 'auth',
    peer: 'argon2',
    target: 0.9,
    reason:
      'argon2 keeps both cores busy, so whatever a call needs besides the 14 ms of hashing is taken from it: 1.4 ms in the server (HTTP, XML, Digest, the log, on caches that hashing has emptied), 0.5 in PostgreSQL (two look-ups), 0.3 in the load, which the peer has not. To hash two at a time instead of four changes nothing.',
  },
  { title: 'customerAddFunds, 1,000 customers', own: 'funds', peer: 'plain_funds', target: 0.6 },
  { title: 'customerAddFunds, one customer', own: 'funds_hot', peer: 'plain_funds_hot', target: 0.6 },
  {
    title: 'GET one customer',
    own: 'rest_info',
    peer: 'info',
    target: 1,
  },
  {
    title: 'GET one customer as a tenant',
    own: 'tenant_info',
    peer: 'info',
    target: 1,
  },
  {
    title: 'POST customer, the least with a password',
    own: 'rest_create',
    peer: 'create_least',
    target: 1,
    reason:
      'the password is that of a person who is made beside the customer and its own login, so PostgreSQL has 1.6 times the work.',
  },
  {
    title: 'PUT balance',
    own: 'rest_transfer',
    peer: 'transfer',
    target: 1,
  },
  { title: 'createCustomer alone, of its parsing', own: 'create_alone', peer: 'parsing', below: 0.1 },
];
