/**
 * Treeline's own statements, run again without Treeline. One call is recorded twice, about two customers; what
 * stays the same is a constant, and what differs is the customer, an earlier statement's answer, or the moment.
 */
import type { PoolClient } from 'pg';
import type { Recorded } from '../test/setup/recording';

type Rows = readonly Readonly<Record<string, unknown>>[];
type Value = (i_customer: number, answers: readonly Rows[]) => unknown;

interface Step {
  readonly name: string | undefined;
  readonly text: string;
  readonly values: readonly Value[];
}

export interface Recording {
  readonly i_customer: number;
  readonly statements: readonly Recorded[];
}

/** Runs all statements for a customer, one round trip each; answers their rows. */
export type Replay = (client: PoolClient, i_customer: number) => Promise<readonly Rows[]>;

export function replayOf(first: Recording, second: Recording): Replay {
  const texts = ({ statements }: Recording): string => statements.map(({ text }) => text).join(';\n');
  if (texts(first) !== texts(second)) throw new Error(`Two calls differ:\n${texts(first)}\n${texts(second)}`);
  const steps = first.statements.map((statement, index): Step => {
    const others = second.statements[index]?.values ?? [];
    const values = statement.values.map((value, place) =>
      valueOf(value, others[place], first, second, index),
    );
    return { name: statement.name, text: statement.text, values };
  });
  return async (client, i_customer) => {
    const answers: Rows[] = [];
    for (const { name, text, values } of steps) {
      const given = values.map((value) => value(i_customer, answers));
      const { rows } = await client.query<Record<string, unknown>>({
        ...(name && { name }),
        text,
        values: given,
      });
      answers.push(rows);
    }
    return answers;
  };
}

function valueOf(value: unknown, other: unknown, first: Recording, second: Recording, index: number): Value {
  const text = JSON.stringify(value);
  if (text === JSON.stringify(other)) return () => value;
  const [mine, its] = [first, second].map(({ i_customer }) => new RegExp(`\\b${i_customer}\\b`, 'g'));
  if (mine && its && text.replace(mine, '?') === JSON.stringify(other).replace(its, '?')) {
    return (i_customer) => JSON.parse(text.replace(mine, String(i_customer))) as unknown;
  }
  for (const [place, { rows }] of first.statements.slice(0, index).entries()) {
    const column = Object.entries(rows[0] ?? {}).find(
      ([name, answer]) => answer === value && second.statements[place]?.rows[0]?.[name] === other,
    )?.[0];
    if (column !== undefined) return (_, answers) => answers[place]?.[0]?.[column];
  }
  // The number of the request, or the time.
  return () => (value instanceof Date ? new Date() : value);
}
