/** The paths of what a tenant owns: numbers, flows, queues, tags. All are made alike, and refer only to one another's own. */
import { type Operation, defineOperation, definePage, wideList } from '../../../core/call/operation';
import { cursorQuery } from '../../../core/call/cursor-pagination';
import type { Call } from '../../../core/call/method';
import {
  type Static,
  type TObject,
  type TProperties,
  integer,
  list,
  nullable,
  oneOf,
  optional,
  struct,
  text,
  uuid,
} from '../../../core/schema/schema';
import { editBelow } from '../../../core/tree/rights';
import type { Kind } from '../../../features/resources/kinds';
import {
  type OwnedRow,
  deleteOwned,
  assertOwned,
  getOwned,
  makeOwned,
  newestOwned,
  replaceOwned,
} from '../../../features/resources/service';
import {
  type Flow,
  type Queue,
  type TenantNumber,
  flowKind,
  queueKind,
  tagKind,
  tenantNumberKind,
} from '../../../features/resources/tenant-kinds';
import { actionsAtMost_bytes, actionsOf, actionShown, actionTaken } from './actions';
import { deleteFlow, deleteTag } from './reference-cleanup';
import {
  type Dated,
  type Guarded,
  administratorOrManager,
  common,
  described,
  describedShown,
  idInPath,
  requirePermission,
  tagIds,
  timesOf,
} from './shared-schemas';

interface Paths<V extends object> {
  readonly path: string;
  readonly kind: Kind<V>;
  readonly words: readonly [one: string, many: string];
  readonly body: TProperties;
  readonly replacement?: TProperties;
  readonly shown: TProperties;
  /** What is taken for what is not given. */
  readonly fallbacks: V;
  /** What was given as it is kept; throws 404 where it refers to what is not the tenant's. */
  readonly prepare?: (call: Call, given: V) => Promise<V>;
  readonly remove?: (call: Call, kind: Kind<never>, uuid: string) => Promise<OwnedRow>;
}

/** An owned object as this API shows it; `row` may be one that waited in an event. */
export const ownedObject = (
  kind: Pick<Kind, 'readable'>,
  row: Dated & { readonly uuid: string; readonly customer_id: string } & Readonly<Record<string, unknown>>,
) => ({
  id: row.uuid,
  customer_id: row.customer_id,
  ...Object.fromEntries(kind.readable.map((name) => [name, row[name]])),
  ...timesOf(row),
});

/** List, make, read, change, delete. */
const operationsOf = <V extends object>(paths: Paths<V>): Operation[] => [
  ...readingOf(paths),
  ...changingOf(paths),
];

const resultOf = ({ shown }: Pick<Paths<never>, 'shown'>) => {
  const properties: TProperties = { ...common, ...shown };
  return struct(properties);
};

function readingOf<V extends object>(paths: Paths<V>): Operation[] {
  const { path, kind } = paths;
  const [one, many] = paths.words;
  const base = { right: 'none', result: resultOf(paths) } as const;
  return [
    definePage({
      ...base,
      verb: 'GET',
      access: 'read',
      path,
      summary: `Lists the ${many} of the tenant, the newest first.`,
      ...(!kind.isNarrow && wideList),
      query: cursorQuery,
      faults: [],
      run: async (call, given) => {
        const { items, next } = await newestOwned(call, kind, given);
        return { items: items.map((row) => ownedObject(kind, row)), next };
      },
    }),
    defineOperation({
      ...base,
      verb: 'GET',
      access: 'read',
      path: `${path}/{id}`,
      summary: `Answers a ${one} of the tenant.`,
      params: idInPath,
      faults: ['not_found'],
      run: async (call, { id }) => ownedObject(kind, await getOwned(call, kind, id)),
    }),
  ];
}

function changingOf<V extends object>(paths: Paths<V>): Operation[] {
  const { path, kind, body, replacement = body, fallbacks } = paths;
  const [one] = paths.words;
  const { prepare = (_call: Call, given: V) => Promise.resolve(given), remove = deleteOwned } = paths;
  const base = { right: editBelow, result: resultOf(paths) } as const;
  // What has been checked by the declared members is what the kind takes.
  const valuesOf = (given: object): V => given as V;
  return [
    defineOperation({
      ...base,
      verb: 'POST',
      access: 'write',
      path,
      summary: `Makes a ${one} of the tenant.`,
      body,
      faults: kind.product === undefined ? ['not_found'] : ['not_found', 'conflict', 'short_of_money'],
      run: async (call, given) => {
        const values = { ...fallbacks, ...(await prepare(call, valuesOf(given))) };
        return ownedObject(kind, await makeOwned(call, kind, values));
      },
    }),
    defineOperation({
      ...base,
      verb: 'PUT',
      access: 'write',
      path: `${path}/{id}`,
      summary: `Changes a ${one} of the tenant: what is left out stays.`,
      params: idInPath,
      body: replacement,
      faults: ['not_found'],
      run: async (call, given) => {
        const { id, ...values } = given as Static<TObject> & { id: string };
        return ownedObject(kind, await replaceOwned(call, kind, id, await prepare(call, valuesOf(values))));
      },
    }),
    defineOperation({
      ...base,
      verb: 'DELETE',
      access: 'write',
      path: `${path}/{id}`,
      summary: `Deletes a ${one} of the tenant, and answers it.`,
      params: idInPath,
      faults: ['not_found', 'conflict'],
      run: async (call, { id }) => ownedObject(kind, await remove(call, kind, id)),
    }),
  ];
}

const flowId = (what: string) => nullable(uuid(what));
/** Nobody links to the flow of somebody else. */
const ownFlows = (call: Call, ...ids: readonly (string | null | undefined)[]): Promise<void> =>
  assertOwned(
    call,
    flowKind,
    ids.filter((id) => typeof id === 'string'),
  );

const numberLinks = {
  ...described,
  call_flow_id: optional(flowId('The flow that takes its calls; a flow of the tenant.')),
  message_flow_id: optional(flowId('The flow that takes its messages; a flow of the tenant.')),
};
const numbers = operationsOf<TenantNumber>({
  path: '/numbers',
  kind: tenantNumberKind,
  words: ['phone number', 'phone numbers'],
  body: {
    number: text(16, 'The number, E.164; one owner at a time.', { format: 'phone-number' }),
    ...numberLinks,
  },
  replacement: numberLinks,
  shown: {
    number: text(16, 'The number.'),
    ...describedShown,
    call_flow_id: flowId('The flow that takes its calls.'),
    message_flow_id: flowId('The flow that takes its messages.'),
  },
  fallbacks: { name: '', detail: '', call_flow_id: null, message_flow_id: null },
  prepare: async (call, given) => {
    await ownFlows(call, given.call_flow_id, given.message_flow_id);
    return given;
  },
});

const flows = operationsOf<Flow>({
  path: '/flows',
  kind: flowKind,
  words: ['flow', 'flows'],
  body: {
    ...described,
    actions: optional(
      list(actionTaken, `What is done, in order; at most ${actionsAtMost_bytes} bytes as JSON.`, {
        maxItems: 1_000,
      }),
    ),
  },
  shown: { ...describedShown, actions: list(actionShown, 'What is done, in order.') },
  fallbacks: { name: '', detail: '', actions: [] },
  prepare: (_call, given) =>
    Promise.resolve(given.actions === undefined ? given : { ...given, actions: actionsOf(given.actions) }),
  remove: deleteFlow,
});

const milliseconds = (what: string) => integer(what, { minimum: 0 });
const queues = operationsOf<Queue>({
  path: '/queues',
  kind: queueKind,
  words: ['queue', 'queues'],
  body: {
    ...described,
    routing_method: optional(oneOf(['random'], 'How an agent is chosen.')),
    tag_ids: optional(tagIds),
    wait_flow_id: optional(flowId('What those hear who wait; a flow of the tenant.')),
    wait_timeout: optional(milliseconds('How long somebody waits, in milliseconds; 0: without end.')),
    service_timeout: optional(milliseconds('How long somebody is served, in milliseconds; 0: without end.')),
  },
  shown: {
    ...describedShown,
    routing_method: text(16, 'How an agent is chosen.'),
    tag_ids: tagIds,
    wait_flow_id: flowId('What those hear who wait.'),
    wait_timeout: milliseconds('How long somebody waits, in milliseconds.'),
    service_timeout: milliseconds('How long somebody is served, in milliseconds.'),
  },
  fallbacks: {
    name: '',
    detail: '',
    routing_method: 'random',
    tag_ids: [],
    wait_flow_id: null,
    wait_timeout: 0,
    service_timeout: 0,
  },
  prepare: async (call, given) => {
    await Promise.all([ownFlows(call, given.wait_flow_id), assertOwned(call, tagKind, given.tag_ids ?? [])]);
    return given.tag_ids === undefined ? given : { ...given, tag_ids: [...new Set(given.tag_ids)] };
  },
});

const tags = operationsOf({
  path: '/tags',
  kind: tagKind,
  words: ['tag', 'tags'],
  body: described,
  shown: describedShown,
  fallbacks: { name: '', detail: '' },
  remove: deleteTag,
});

export const resourceOperations: readonly Guarded[] = requirePermission(administratorOrManager, [
  ...numbers,
  ...flows,
  ...queues,
  ...tags,
]);
