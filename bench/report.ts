/** docs/benchmarks.md and its pictures. */
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { farOffset } from './calls';
import { ownedInLarge } from './growth';
import { growthTable } from './growth-tables';
import type { Effort } from './measure';
import { memoryTable } from './memory-tables';
import type { ContestResults, Results } from './parts';
import { growthPicture, ratesPicture, ratiosPicture } from './pictures';
import { projectRoot } from './processes';
import { contestTable, count, detailTable, reasons } from './tables';

export const benchmarksFile = join('docs', 'benchmarks.md');

export interface Circumstances {
  readonly effort: Effort;
  readonly postgres_version: string;
  /** How many processes wanted a core in the minute before the start. */
  readonly load_average: number;
  readonly minutes: number;
  readonly command: string;
}

/** Writes what a whole run came to; answers the names of the files. */
export function writeDocument(results: Results, circumstances: Circumstances): string[] {
  const { contests, growth, memory } = results;
  if (!contests || !growth || !memory) return [];
  const files = {
    'bench-rates.svg': ratesPicture(contests.rounds),
    'bench-ratios.svg': ratiosPicture(contests.rounds),
    'bench-growth.svg': growthPicture(growth),
    'benchmarks.md': [
      opening(circumstances),
      throughput(contests, circumstances.effort),
      `## A growing tree\n\n${growthTable(growth)}\n\n${growthWords(growth.customersInLarge)}`,
      `## Memory\n\n${memoryTable(memory)}\n\n${memoryWords}`,
      `## In detail\n\n${detailTable(contests.rounds)}\n\n${detailWords}`,
    ].join('\n'),
  };
  return Object.entries(files).map(([name, content]) => {
    writeFileSync(join(projectRoot, 'docs', name), content);
    return join('docs', name);
  });
}

function opening({ effort, postgres_version, load_average, minutes, command }: Circumstances): string {
  const [cpu] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  const memory_gb = Math.round(totalmem() / 2 ** 30);
  return `# Benchmarks

Written by \`${command}\` on ${date}, in ${Math.round(minutes)} minutes; run it to have the figures of your machine. The figures by
themselves do not carry from one machine to another, the ratios do.

- Machine: ${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ${memory_gb} GB of memory, which servers, load and PostgreSQL share; load average before the start: ${load_average.toFixed(1)}.
- Node.js ${process.versions.node}; PostgreSQL ${postgres_version}, the embedded one, \`fsync\` on, over a unix socket.
- One server process, ${effort.connections} connections that are kept alive, each with one request at a time, Digest with one nonce, every check on, a JSON line in a log file for each call.
- ${effort.rounds} rounds of ${effort.seconds} s for each measurement after one that warms up, every second one in reverse order; medians, with the lowest and the highest round.
`;
}

function throughput({ rounds, customers, absent, crossChecked }: ContestResults, effort: Effort): string {
  return `## Beside the peers

![Calls a second beside the peers](bench-rates.svg)
![Ratios and their targets](bench-ratios.svg)

${contestTable(rounds)}

${count(customers)} customers below one wholesaler, who calls. A ratio is that of two neighbours in one round.
${listed('Not there', absent)}${listed('Targets that were missed', reasons(rounds))}
- **node:http + pg** (\`bench/peers/plain.ts\`): the least that a Node server can do. It takes the id from the URL, runs one named
  statement and joins the XML. It parses no body, asks nobody who he is, checks nothing, escapes nothing, logs nothing.
- **pg, the same rows**: the rows that a call of Treeline's was seen to leave, written in BEGIN … COMMIT with one plain statement
  for each table and a round trip for each. **The same statements**: those that Treeline was heard to run, one after another.
  Both are recorded at the start of every run, so they follow the code.
- **importCustomer** runs in the session of \`treeline customers import\`, without a password, with its 8 connections; so does its peer.
- **npm xmlrpc + knex**, **Python xmlrpc.server + psycopg2**: what is built in an afternoon, without authentication or rights.
- **xmlrpc-c Abyss** answers the same struct from memory: the limit of XML-RPC itself. **pgbench**: that of PostgreSQL.
- **argon2 verifications**: as many at once, in a process that does nothing else.
- Member calls of a multicall count singly. Parsing is the time in which the bytes of a createCustomer become values.

The load is a process of its own (\`bench/load.ts\`): Digest needs another header in each request, which wrk and autocannon cannot
send. Asked the same of the bare peer with ${effort.connections} connections, ${crossChecked}.
`;
}

const listed = (title: string, lines: readonly string[]): string =>
  lines.length > 0 ? `\n${title}:\n\n${lines.map((line) => `- ${line}`).join('\n')}\n` : '';

const growthWords = (customers: number): string => `![Latency against size and depth](bench-growth.svg)

One call after another over one connection, by the wholesaler that owns all customers of the two smaller trees and ${count(ownedInLarge)} of
${count(customers)} in the largest, where the others stand up to eight levels deep and a few own most. From a depth, a customer asks for
itself and changes the one below it: a change joins the rights of all who stand above anew, which for 64 rows takes PostgreSQL 0.09 ms
more in a tight loop. PostgreSQL's own cost of skipping ${count(farOffset)} is that of the index alone; \`after\` costs the same
wherever it stands.
`;

const memoryWords = `Resident memory of the process, as Linux counts it. The calls are getCustomerInfo over 32 connections; before idle memory is
read nothing happens for three seconds. The list has no limit and goes to a reader that takes all it can, and to one that pauses
between pieces. Where less is left after the calls than there was when the server had just become warm, the calls have added nothing:
what is above the start is what a server needs to serve ([decision 066](decisions/066-limit-the-young-generation-of-the-heap.md) says how it is bounded).
`;

const detailWords = `- *median*, *99 %*: in how much time so many of the calls were answered, as the load saw it.
- *server*, *postgres*, *load*, *others*: processor time in cores. Node runs JavaScript on one core, so a server near 1 is
  what sets the limit; a load far below 1 does not. *others* is what the machine did besides.
- *wrong*: answers without the text that the right one holds, or with a fault: a fault is HTTP 200, so bodies are looked into.
- *stale*: calls made again because their nonce had expired.

What PostgreSQL does for each statement is in [explain.md](explain.md).
`;
