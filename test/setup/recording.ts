/**
 * Listens in on node-postgres: which statements the server's own code runs in this process, with their values and
 * answers, in order. The benchmark's peers and `docs/explain.md` take their SQL from here, so that none goes stale.
 */
import { Client } from 'pg';

export interface Recorded {
  /** Which of the connections it went over. */
  readonly connection: unknown;
  readonly name: string | undefined;
  readonly text: string;
  readonly values: readonly unknown[];
  /** What it answered; empty where its rows were not waited for. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

interface Query {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

interface Heard {
  readonly connection: unknown;
  readonly query: Query;
  readonly values: unknown;
  readonly answer: unknown;
}

type AnyQuery = (this: unknown, ...given: unknown[]) => unknown;

/** What `work` sends to PostgreSQL from this process. */
export async function recorded(work: () => Promise<unknown>): Promise<Recorded[]> {
  const prototype = Client.prototype as unknown as { query: AnyQuery };
  const original = prototype.query;
  const heard: Heard[] = [];
  prototype.query = function (...given) {
    const answer = original.apply(this, given);
    const [first, values] = given;
    const query = typeof first === 'string' ? { text: first } : (first as Query);
    heard.push({ connection: this, query, values: query.values ?? values, answer });
    return answer;
  };
  try {
    await work();
  } finally {
    prototype.query = original;
  }
  return Promise.all(heard.map(settled));
}

async function settled({ connection, query, values, answer }: Heard) {
  const result: unknown = answer instanceof Promise ? await answer.catch(() => undefined) : undefined;
  const rows = (result as { rows?: Recorded['rows'] } | undefined)?.rows ?? [];
  return {
    connection,
    name: query.name,
    text: query.text,
    values: Array.isArray(values) ? [...(values as unknown[])] : [],
    rows,
  };
}
