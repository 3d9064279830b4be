/** Makes an execution from a plan: freezes it, and gives each target its driver. */
import { join } from 'node:path';
import { durationMs } from '../../../../protocol/definitions/commands.ts';
import { decodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DispatchRequestSpec, ExecutionFields, PlannedTarget } from '../../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { MAX_ORDER_LIFETIME_MS, planHeader } from '../../../../protocol/orders/order.ts';
import type { Part } from '../../../../protocol/orders/outcome.ts';
import { displayOf, type Principal, SELF } from '../../../../protocol/rights/principal.ts';
import { type FrozenPlan, freeze } from '../plan/freeze.ts';
import type { Plan } from '../plan/plan.types.ts';
import { whatOf } from '../target/about.ts';
import { newExecution, statusOf } from './execution-object.ts';
import type { ExecutionsOptions } from './executions.types.ts';
import { ORDER_LIFETIME_MS, SETTLE_MS, type Timing } from './limits.ts';
import { Collected } from './output/collected.ts';
import { openConversation } from './part/conversation.ts';
import { localConversation } from './part/local-conversation.ts';
import { PartDriver } from './part/part-driver.ts';
import type { DriverOptions, Holder, Line } from './part/part-driver.types.ts';
import { type Evidence, verdictOf } from './part/verdict.ts';
import { Run } from './run/run.ts';

export type StartingPorts = Pick<
  ExecutionsOptions,
  'node' | 'members' | 'isGone' | 'target' | 'holding' | 'content' | 'directory' | 'logger' | 'now'
> & {
  timing: Timing;
  save(object: ApiObject, open: boolean): Promise<void>;
  mark(id: string, upTo: number): Promise<void>;
  finished(parts: readonly Part[]): void;
};

/** The user named to other nodes: a user of this node; undefined for its operator. */
export function wireUser(principal: Principal): { name: string; uid: string } | undefined {
  return principal.type === 'user' && principal.home === SELF ? { name: principal.name, uid: principal.uid } : undefined;
}

/** Where collected output is in the data directory, with a subdirectory for each execution. */
export function collectedIn(directory: string): string {
  return join(directory, 'dispatch', 'collected');
}

export function collectedDirectory(directory: string, id: string): string {
  return join(collectedIn(directory), id);
}

export interface Started {
  run: Run;
  frozen: FrozenPlan;
}

/** A new execution. Nothing of it is stored yet. */
export function startRun(ports: StartingPorts, principal: Principal, request: DispatchRequestSpec, plan: Plan): Started {
  const { node, now, timing, logger } = ports;
  const createdAt = now();
  const queueMs = request.queue === undefined ? undefined : durationMs(request.queue);
  if (queueMs !== undefined && (queueMs <= 0 || queueMs > MAX_ORDER_LIFETIME_MS)) {
    throw new DtkdError('BAD_REQUEST', 'an order can be queued for 7 days at most', { next: 'Use --queue with 7d or less.' });
  }
  const notAfter = createdAt + (queueMs ?? ORDER_LIFETIME_MS);
  const frozen = freeze(plan, { starter: node.name, user: displayOf(principal), createdAt, notAfter });
  const { id, header, targets } = frozen;
  const parts = targets.map((target, index) => firstPart(target, plan.parts[index]?.skip, createdAt));
  const directory = collectedDirectory(ports.directory, id);
  const object = newExecution({
    id,
    node: node.name,
    principal,
    request,
    header,
    targets,
    status: statusOf({ phase: 'Running', parts, startedAt: createdAt, finishedAt: undefined, message: undefined }),
  });
  const common = { id, notAfter, timeoutMs: plan.timeoutMs, principal };
  const run = new Run({
    id,
    object,
    startedAt: createdAt,
    stages: plan.stages,
    batch: plan.batch,
    pauseOnFailure: request.pauseOnFailure === true,
    parts: targets.map((target, index) => {
      const collected = Collected.begin(join(directory, String(index)));
      const bundle = plan.parts[index]?.bundle;
      return {
        stage: target.stage,
        collected,
        driver: (on) =>
          new PartDriver({
            ...driverOptions(ports, common, target, parts[index] ?? firstPart(target, undefined, createdAt), on),
            sink: collected,
            order: () => ({ order: frozen.order(index), ...(bundle === undefined ? {} : { bundle }) }),
            ...(queueMs === undefined || target.domain === ''
              ? {}
              : { holder: holderOf(ports, common, target, () => frozen.order(index), bundle) }),
          }),
      };
    }),
    mark: (upTo) => ports.mark(id, upTo),
    save: (changed, open) => ports.save(changed, open),
    finished: (ended) => ports.finished(ended),
    settleUntil: notAfter + SETTLE_MS,
    timing,
    now,
    logger,
  });
  return { run, frozen };
}

/** Makes the run of an execution that an earlier daemon started. Errors: FRAME_INVALID if its header is not valid. */
export async function takeUpRun(
  ports: StartingPorts,
  principal: Principal,
  object: ApiObject,
  { spec, status }: ExecutionFields,
): Promise<Run> {
  const { now, timing, logger } = ports;
  const id = object.metadata.name;
  const { notAfter, timeoutMs, createdAt } = decodeCbor(
    Uint8Array.from(Buffer.from(spec.header, 'base64')),
    planHeader,
    'the header of a plan',
  );
  const directory = collectedDirectory(ports.directory, id);
  const common = { id, notAfter, timeoutMs, principal };
  const known = new Map((status?.parts ?? []).map((part) => [part.index, part]));
  const parts = await Promise.all(
    spec.targets.map(async (target) => {
      const path = join(directory, String(target.index));
      const part = known.get(target.index) ?? firstPart(target, undefined, createdAt);
      const isOpen = part.state !== 'ended' || part.outcome === 'unknown';
      const collected = isOpen ? await Collected.resume(path) : Collected.at(path, { length: part.offset ?? 0, printed: part.printed });
      return { target, part, collected };
    }),
  );
  const finishedAt = status?.finishedAt === undefined ? undefined : Date.parse(status.finishedAt);
  return new Run({
    id,
    object,
    startedAt: createdAt,
    ...(finishedAt === undefined || status?.phase !== 'Finished' ? {} : { finishedAt }),
    ...(status?.message === undefined ? {} : { message: status.message }),
    stages: [],
    batch: undefined,
    pauseOnFailure: false,
    parts: parts.map(({ target, part, collected }) => ({
      stage: target.stage,
      collected,
      driver: (on) =>
        new PartDriver({
          ...driverOptions(ports, common, target, part, on),
          sink: collected,
          ...(part.state === 'queued' ? { holder: holderOf(ports, common, target, undefined, undefined) } : {}),
        }),
    })),
    mark: (upTo) => ports.mark(id, upTo),
    save: (changed, open) => ports.save(changed, open),
    finished: (ended) => ports.finished(ended),
    settleUntil: notAfter + SETTLE_MS,
    timing,
    now,
    logger,
  });
}

interface Common {
  id: string;
  notAfter: number;
  timeoutMs: number;
  principal: Principal;
}

function firstPart({ index, node, work, stage }: PlannedTarget, skip: { code: string; reason: string } | undefined, now: number): Part {
  const part = { index, node, what: whatOf(work), stage };
  if (skip === undefined) return { ...part, state: 'waiting' };
  return { ...part, state: 'ended', ...verdictOf({ is: 'planned', ...skip }), endedAt: now };
}

function driverOptions(
  ports: StartingPorts,
  { id, notAfter, timeoutMs, principal }: Common,
  target: PlannedTarget,
  part: Part,
  on: {
    change(what: 'state' | 'output'): void;
    note(note: { event: 'telling' | 'lost' | 'waiting'; index: number; node: string; text: string }): void;
  },
): Omit<DriverOptions, 'sink'> {
  const { timing, now, logger, node } = ports;
  const user = wireUser(principal);
  const isSelf = target.domain === '';
  return {
    id,
    part,
    self: node.name,
    line: lineOf(ports, target, principal),
    user,
    notAfter,
    settleUntil: notAfter + SETTLE_MS,
    timeoutMs,
    timing,
    now,
    logger,
    onChange: on.change,
    note: (event, text) => {
      // there is no connection to this node itself
      if (!isSelf || event !== 'telling') on.note({ event, index: target.index, node: target.node, text });
    },
    ...(target.work.type === 'get' && !isSelf ? { complete: (word: Part) => fetchFile(ports, target, word, timeoutMs) } : {}),
  };
}

function lineOf({ members, isGone, target: local }: StartingPorts, target: PlannedTarget, principal: Principal): Line {
  if (target.domain === '') {
    return {
      open: async () => localConversation(local, principal),
      maybeThere: () => true,
      isGone: () => false,
      onChange: () => () => undefined,
    };
  }
  const to = { domain: target.domain, key: target.key };
  return {
    open: (signal) => openConversation(members, to, signal),
    maybeThere: () => {
      const member = members.byKey(to.domain, to.key);
      return member !== undefined && member.reach !== 'away';
    },
    // it may be a member again since
    isGone: () => members.byKey(to.domain, to.key) === undefined && isGone(to.key),
    onChange: (listener) => members.onChange(listener),
  };
}

/** `order`: absent if it is held already. */
function holderOf(
  { holding }: StartingPorts,
  { id, notAfter, principal }: Common,
  target: PlannedTarget,
  order: (() => Uint8Array) | undefined,
  bundle: Uint8Array | undefined,
): Holder {
  const which = { domain: target.domain, target: target.key, id, index: target.index };
  const user = wireUser(principal);
  return {
    deposit: async () => {
      if (order === undefined) throw new DtkdError('GONE', 'the order is not known any more');
      const bytes = Uint8Array.from(order());
      const withBundle = bundle === undefined ? {} : { bundle: Uint8Array.from(bundle) };
      return holding.deposit({ ...which, notAfter, order: { ...(user === undefined ? {} : { user }), order: bytes, ...withBundle } });
    },
    cancel: () => holding.cancel(which),
    mayHaveDelivered: () => holding.mayHaveDelivered(which),
  };
}

/** Fetches the file that a target has read: without it here the work is not done. Returns evidence of failure, or undefined. */
async function fetchFile({ content }: StartingPorts, target: PlannedTarget, word: Part, timeoutMs: number): Promise<Evidence | undefined> {
  if (word.file === undefined) return undefined;
  try {
    await content.fetch(word.file.digest, {
      size: word.file.size,
      from: { domain: target.domain, key: target.key },
      signal: AbortSignal.timeout(timeoutMs),
    });
    return undefined;
  } catch (error) {
    const known = error instanceof DtkdError;
    const reason = `the file was read, but could not be fetched: ${known ? error.message : 'it could not be kept'}`;
    return {
      is: 'told-ended',
      part: { ...word, outcome: 'failed', code: known ? error.code : 'INTERNAL', reason: reason.slice(0, 1_024) },
    };
  }
}
