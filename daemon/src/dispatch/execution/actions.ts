/** The daemon actions `dispatch` and `executions`: parses requests, and answers with JSON or with JSON lines. */
import type { z } from 'zod';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DispatchRequestSpec } from '../../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { MAX_TARGETS } from '../../../../protocol/orders/order.ts';
import {
  abortRequest,
  dispatchRequest,
  followOffsets,
  followRequest,
  resumeRequest,
  retryRequest,
} from '../../../../protocol/requests/dispatch.ts';
import type { ContextAnswer, FollowLine, PlanAnswer } from '../../../../protocol/requests/follow.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { KnownContext } from '../plan/context.ts';
import { fieldsOf } from './execution-object.ts';
import type { AbortAnswer, ExecutionAction, ExecutionActionRequest } from './executions.types.ts';
import { MAX_REQUEST_BYTES } from './limits.ts';

export interface ActionPorts {
  dispatch(principal: Principal, request: DispatchRequestSpec): Promise<ApiObject>;
  plan(principal: Principal, request: DispatchRequestSpec): Promise<PlanAnswer>;
  context(principal: Principal, known: KnownContext): Promise<ContextAnswer>;
  follow(
    principal: Principal,
    id: string,
    how: { from?: ReadonlyMap<number, number>; signal: AbortSignal; allNotes?: boolean },
  ): Promise<AsyncIterable<FollowLine>>;
  show(principal: Principal, id: string): Promise<ApiObject>;
  abort(principal: Principal, id: string, index?: number): Promise<AbortAnswer>;
  resume(principal: Principal, id: string, pause?: number): Promise<ApiObject>;
  retry(principal: Principal, id: string, dryRun: boolean): Promise<ApiObject | PlanAnswer>;
}

export function executionActions(ports: ActionPorts): ReadonlyMap<string, ExecutionAction> {
  return new Map([
    ['dispatch', opened((request) => dispatchAction(ports, request))],
    ['executions', opened((request) => executionsAction(ports, request))],
  ]);
}

function opened(run: (request: ExecutionActionRequest) => Promise<unknown>): ExecutionAction {
  return Object.assign(run, { open: 'user' as const, maxBodyBytes: MAX_REQUEST_BYTES });
}

async function dispatchAction(
  ports: ActionPorts,
  { principal, method, query, body, rest, signal }: ExecutionActionRequest,
): Promise<unknown> {
  if (rest.length > 0) throw noSuch(rest);
  if (method === 'GET') {
    const known = { ...given(query, 'model'), ...given(query, 'type'), ...given(query, 'resource'), ...given(query, 'command') };
    return ports.context(principal, known);
  }
  assertMethod(method, 'POST');
  const { request, dryRun, follow } = read(dispatchRequest, body);
  if (dryRun === true) return ports.plan(principal, request);
  return answered(ports, principal, await ports.dispatch(principal, request), follow, signal);
}

async function executionsAction(ports: ActionPorts, request: ExecutionActionRequest): Promise<unknown> {
  const { principal, method, query, body, rest, signal } = request;
  const [id, what, ...more] = rest;
  if (id === undefined || more.length > 0) throw noSuch(rest);
  switch (what) {
    case undefined:
      assertMethod(method, 'GET');
      return ports.show(principal, id);
    case 'follow': {
      // many offsets do not fit into a URL
      const from = method === 'POST' ? offsetsOf(read(followRequest, body ?? {}).from ?? {}) : fromOf(query);
      assertMethod(method, method === 'POST' ? 'POST' : 'GET');
      return { stream: await ports.follow(principal, id, { from, signal }) };
    }
    case 'abort':
      assertMethod(method, 'POST');
      return ports.abort(principal, id, read(abortRequest, body ?? {}).index);
    case 'resume':
      assertMethod(method, 'POST');
      return ports.resume(principal, id, read(resumeRequest, body ?? {}).pause);
    case 'retry': {
      assertMethod(method, 'POST');
      const { dryRun = false, follow } = read(retryRequest, body ?? {});
      const answer = await ports.retry(principal, id, dryRun);
      return 'metadata' in answer ? answered(ports, principal, answer, follow, signal) : answer;
    }
    default:
      throw noSuch(rest);
  }
}

/** The execution, or a stream of what it does until it rests. */
async function answered(
  ports: ActionPorts,
  principal: Principal,
  object: ApiObject,
  follow: boolean | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  if (follow !== true) return object;
  if (isEmpty(object)) return { stream: nothing(object) };
  return { stream: await ports.follow(principal, object.metadata.name, { signal, allNotes: true }) };
}

/** An execution without targets is not stored, so it cannot be followed. */
function isEmpty(object: ApiObject): boolean {
  return fieldsOf(object)?.spec.targets.length === 0;
}

async function* nothing(object: ApiObject): AsyncGenerator<FollowLine> {
  yield { execution: { ...object } };
  yield { end: { phase: 'Finished' } };
}

function fromOf(query: URLSearchParams): ReadonlyMap<number, number> {
  const text = query.get('from');
  if (text === null || text === '') return new Map();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DtkdError('BAD_REQUEST', '"from" is not JSON', { cause });
  }
  return offsetsOf(read(followOffsets, value));
}

function offsetsOf(given: Record<string, number>): ReadonlyMap<number, number> {
  const entries = Object.entries(given);
  if (entries.length > MAX_TARGETS) throw new DtkdError('BAD_REQUEST', `"from" has more than ${MAX_TARGETS} offsets`);
  return new Map(entries.map(([index, offset]) => [Number(index), offset]));
}

function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new DtkdError('BAD_REQUEST', `the request is not as expected: ${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'invalid'}`);
}

function assertMethod(method: string, expected: 'GET' | 'POST'): void {
  if (method !== expected) throw new DtkdError('METHOD_NOT_ALLOWED', `${method} is not allowed here`, { next: `Use ${expected}.` });
}

function noSuch(rest: readonly string[]): DtkdError {
  return new DtkdError('NOT_FOUND', `there is nothing at "${rest.join('/').slice(0, 80)}"`, {
    next: 'There are executions/ID, and below it follow, abort, resume and retry.',
  });
}

function given<K extends string>(query: URLSearchParams, name: K): { [name in K]?: string } {
  const value = query.get(name);
  const fields: { [name in K]?: string } = {};
  if (value !== null && value !== '') fields[name] = value.slice(0, 512);
  return fields;
}
