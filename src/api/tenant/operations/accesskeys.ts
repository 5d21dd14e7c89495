/** Access keys: with one, a program calls as an administrator of the tenant. The key itself is told once. */
import { newAccessKey } from '../../../core/auth/authenticate-token';
import { cursorQuery } from '../../../core/call/cursor-pagination';
import { defineOperation, definePage } from '../../../core/call/operation';
import { editBelow } from '../../../core/tree/rights';
import { integer, optional, struct, text } from '../../../core/schema/schema';
import {
  deleteOwned,
  getOwned,
  makeOwned,
  newestOwned,
  replaceOwned,
} from '../../../features/resources/service';
import type { OwnedRow } from '../../../features/resources/service';
import { accessKeyKind } from '../../../features/resources/tenant-kinds';
import {
  administrator,
  common,
  described,
  describedShown,
  idInPath,
  requirePermission,
  rfc3339,
  timesOf,
} from './shared-schemas';

const shown = {
  ...common,
  ...describedShown,
  token_prefix: text(16, 'How the key begins.'),
  tm_expire: text(64, 'When it ends, RFC 3339.'),
};
const result = struct(shown);

const show = (row: OwnedRow) => ({
  id: row.uuid,
  customer_id: row.customer_id,
  name: String(row['name']),
  detail: String(row['detail']),
  token_prefix: String(row['token_prefix']),
  tm_expire: rfc3339(row['tm_expire'] as Date) ?? '',
  ...timesOf(row),
});

const year_s = 365 * 24 * 3_600;
const base = { right: 'none', result } as const;

export const accessKeyOperations = requirePermission(administrator, [
  definePage({
    ...base,
    verb: 'GET',
    access: 'read',
    path: '/accesskeys',
    summary: 'Lists the access keys of the tenant, the newest first; never the keys themselves.',
    query: cursorQuery,
    faults: [],
    run: async (call, given) => {
      const { items, next } = await newestOwned(call, accessKeyKind, given);
      return { items: items.map(show), next };
    },
  }),
  defineOperation({
    ...base,
    verb: 'POST',
    access: 'write',
    right: editBelow,
    path: '/accesskeys',
    summary: 'Makes an access key, and tells it this once.',
    body: {
      ...described,
      expire: optional(
        integer('How long it lives, in seconds; absent: a year.', { minimum: 1, maximum: 10 * year_s }),
      ),
    },
    result: struct({ ...shown, token: text(64, 'The key; it is not told again.') }),
    faults: [],
    run: async (call, { name = '', detail = '', expire = year_s }) => {
      const { token, token_prefix, token_hash } = newAccessKey();
      const tm_expire = new Date(call.now.getTime() + expire * 1_000);
      const made = { name, detail, token_prefix, token_hash, tm_expire };
      return { ...show(await makeOwned(call, accessKeyKind, made)), token };
    },
  }),
  defineOperation({
    ...base,
    verb: 'GET',
    access: 'read',
    path: '/accesskeys/{id}',
    summary: 'Answers an access key of the tenant; never the key itself.',
    params: idInPath,
    faults: ['not_found'],
    run: async (call, { id }) => show(await getOwned(call, accessKeyKind, id)),
  }),
  defineOperation({
    ...base,
    verb: 'PUT',
    access: 'write',
    right: editBelow,
    path: '/accesskeys/{id}',
    summary: 'Changes name and detail of an access key.',
    params: idInPath,
    body: described,
    faults: ['not_found'],
    run: async (call, { id, ...given }) => show(await replaceOwned(call, accessKeyKind, id, given)),
  }),
  defineOperation({
    ...base,
    verb: 'DELETE',
    access: 'write',
    right: editBelow,
    path: '/accesskeys/{id}',
    summary: 'Ends an access key at once, and answers it.',
    params: idInPath,
    faults: ['not_found'],
    run: async (call, { id }) => show(await deleteOwned(call, accessKeyKind, id)),
  }),
]);
