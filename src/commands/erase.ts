/** `treeline erase`: forgets who a deleted customer was. */
import type { Command } from 'commander';
import { sql } from '../db/database';
import { nameKey } from '../core/schema/normalize-name';
import { notFound } from '../base/faults';
import { type Context, type Shell, call, customerMember, inSession } from './shared/context';
import { Refusal } from './shared/exit-codes';
import type { Options } from './shared/options';
import { withExamples, withJson } from './shared/method-command';
import { confirm, writeLine } from './shared/terminal';

const findDeletedStatement = sql(
  'find_deleted',
  'SELECT i_customer FROM customers WHERE name_key = $1 AND deleted_at IS NOT NULL ORDER BY i_customer LIMIT 10',
);

/** Calls know no deleted customers, and any number of them may have had one name. */
async function findDeleted({ store }: Context, text: string): Promise<number> {
  const member = customerMember(text);
  if ('i_customer' in member) return member.i_customer;
  const rows = await store.db.query<{ i_customer: number }>(findDeletedStatement, [nameKey(member.name)]);
  const [first, second] = rows;
  if (!first) throw notFound('Deleted customer');
  if (second) {
    const ids = rows.map(({ i_customer }) => i_customer).join(', ');
    throw new Refusal(`Several deleted customers had this name, choose one by its id: ${ids}`);
  }
  return first.i_customer;
}

export function addErase(program: Command, shell: Shell): void {
  const command = withJson(program.command('erase <customer>'))
    .description(
      'Erases the personal data of a deleted customer, by id or by name: there is no way back. Its books stay.',
    )
    .option('--yes', 'Does not ask.')
    .addHelpText(
      'after',
      '\nName, logins, addresses and descriptions go, also from the audit records. Notes of payments are part of the books and stay.\n',
    );
  withExamples(command, ['treeline erase 5', 'treeline erase "Blue Fjord" --yes']).action(
    (customer: string, options: Options) =>
      inSession(shell, {}, async (context) => {
        const i_customer = await findDeleted(context, customer);
        const question = `Erase who customer ${i_customer} was? There is no way back.`;
        await confirm(shell.terminal, question, options['yes'] === true);
        await call(context, 'eraseCustomer', { i_customer });
        const said =
          options['json'] === true ? JSON.stringify({ i_customer }) : `Erased: i_customer ${i_customer}`;
        await writeLine(shell.terminal.stdout, said);
      }),
  );
}
