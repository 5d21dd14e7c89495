/** The kinds of objects that the tenant API knows beside those of `kinds.ts`; what is not given stays as it is. */
import type { Kind } from './kinds';

interface Described {
  readonly name?: string;
  readonly detail?: string;
}

export interface TenantNumber extends Described {
  readonly number?: string;
  readonly call_flow_id?: string | null;
  readonly message_flow_id?: string | null;
}

export const tenantNumberKind: Kind<TenantNumber> = {
  table: 'numbers',
  id: 'i_number',
  noun: 'Number',
  isNarrow: true,
  product: 'number',
  readable: ['number', 'name', 'detail', 'call_flow_id', 'message_flow_id'],
  columns: ({ number, name, detail, call_flow_id, message_flow_id }) => ({
    number,
    name,
    detail,
    call_flow_id,
    message_flow_id,
  }),
};

export interface Flow extends Described {
  readonly actions?: readonly unknown[];
}

export const flowKind: Kind<Flow> = {
  table: 'flows',
  id: 'i_flow',
  noun: 'Flow',
  readable: ['name', 'detail', 'actions'],
  columns: ({ name, detail, actions }) => ({
    name,
    detail,
    actions: actions === undefined ? undefined : JSON.stringify(actions),
  }),
};

export interface Queue extends Described {
  readonly routing_method?: string;
  readonly tag_ids?: readonly string[];
  readonly wait_flow_id?: string | null;
  readonly wait_timeout?: number;
  readonly service_timeout?: number;
}

export const queueKind: Kind<Queue> = {
  table: 'queues',
  id: 'i_queue',
  noun: 'Queue',
  isNarrow: true,
  readable: [
    'name',
    'detail',
    'routing_method',
    'tag_ids',
    'wait_flow_id',
    'wait_timeout',
    'service_timeout',
  ],
  columns: ({ name, detail, routing_method, tag_ids, wait_flow_id, wait_timeout, service_timeout }) => ({
    name,
    detail,
    routing_method,
    tag_ids,
    wait_flow_id,
    wait_timeout,
    service_timeout,
  }),
};

export const tagKind: Kind<Described> = {
  table: 'tags',
  id: 'i_tag',
  noun: 'Tag',
  isNarrow: true,
  readable: ['name', 'detail'],
  columns: ({ name, detail }) => ({ name, detail }),
};

export interface AccessKey extends Described {
  readonly token_prefix?: string;
  readonly token_hash?: Buffer;
  readonly tm_expire?: Date;
}

export const accessKeyKind: Kind<AccessKey> = {
  table: 'access_keys',
  id: 'i_access_key',
  noun: 'Access key',
  isNarrow: true,
  readable: ['name', 'detail', 'token_prefix', 'tm_expire'],
  columns: ({ name, detail, token_prefix, token_hash, tm_expire }) => ({
    name,
    detail,
    token_prefix,
    token_hash,
    tm_expire,
  }),
  secret: ['token_hash'],
};
