/**
 * Takes instances down, on request with those that are staged against them, and puts their files away. Files are never lost: the
 * repository is archived with its history.
 */
import { DtkdError, type ErrorCode } from '../../../../../protocol/errors.ts';
import type { ServicePlanAnswer } from '../../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import { prefixEnd } from '../../../store/kv.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import type { PlanOptions } from '../desired/plan/plan.types.ts';
import { planDelete } from '../desired/plan/plan-delete.ts';
import type { AppliedResource, Plan } from '../instances.types.ts';
import { appsOf } from '../service-apps/app-rows.ts';
import { planApps } from '../service-apps/app-steps.ts';
import { appliedRow } from '../tasks/applied-rows.ts';
import { SELF_OPERATOR } from '../tasks/run-step.ts';
import { dropStep, unsettledOf } from '../tasks/step-rows.ts';
import { taskRef } from '../tasks/task-object.ts';
import type { StartedTask, TaskEnd } from '../tasks/tasks.types.ts';
import { afterSuccess } from './afterwards.ts';
import { appliedNow, changeInstance } from './changing.ts';
import type { ConvergePorts } from './converge.types.ts';
import { allDependents, assertMayDelete, hasDependents, withSomething } from './dependents.ts';
import { appliedStatus, type Instance, instanceRef, isDown } from './instance-object.ts';
import { planAnswerOf } from './plan-answer.ts';
import { expandSource, findInstance } from './planning.ts';
import { resourceTaken } from './resources.ts';

/**
 * Expected reasons why a service that was to be uninstalled stays: it was cancelled, a command failed, somebody brought it up, or
 * this daemon shuts down. Its task and its status tell which.
 */
const NO_FAULTS: ReadonlySet<ErrorCode> = new Set(['TASK_FAILED', 'CONFLICT', 'UNAVAILABLE']);

export interface TakeDownRequest {
  recursive?: boolean | undefined;
  threads?: number | undefined;
  keepGoing?: boolean | undefined;
  dryRun?: boolean | undefined;
  abandon?: boolean | undefined;
}

interface TakenDown {
  answer: ServicePlanAnswer;
  task: StartedTask | undefined;
}

/**
 * Takes down everything that is applied and keeps the files. Errors: NOT_FOUND, CONFLICT (dependents, a running task), FORBIDDEN,
 * TASK_FAILED (of a dependent).
 */
export async function deleteInstance(
  ports: ConvergePorts,
  principal: Principal,
  name: string,
  request: TakeDownRequest,
  signal: AbortSignal,
): Promise<ServicePlanAnswer> {
  const before = await dependentsFirst(ports, principal, name, request, 'delete', signal);
  const { answer } = await takeDown(ports, principal, name, request);
  return { ...answer, notes: [...before, ...answer.notes] };
}

/**
 * Takes down and removes the instance. Its history is kept: `kept` says where, unless commands have to run first. Errors: as
 * `deleteInstance`.
 */
export async function uninstall(
  ports: ConvergePorts,
  principal: Principal,
  name: string,
  request: TakeDownRequest,
  signal: AbortSignal,
): Promise<ServicePlanAnswer> {
  const before = await dependentsFirst(ports, principal, name, request, 'uninstall', signal);
  const { answer, done } = await uninstallOne(ports, principal, name, request);
  void done.catch((err: unknown) => {
    if (err instanceof DtkdError && NO_FAULTS.has(err.code))
      ports.logger.info({ service: name, reason: err.message }, 'A service that was to be uninstalled is still there');
    else ports.logger.warn({ err, service: name }, 'A service could not be removed after it was taken down');
  });
  return { ...answer, notes: [...before, ...answer.notes] };
}

/** `done` resolves once the instance is put away, and rejects if it stays. */
async function uninstallOne(
  ports: ConvergePorts,
  principal: Principal,
  name: string,
  request: TakeDownRequest,
): Promise<{ answer: ServicePlanAnswer; done: Promise<void> }> {
  const instance = await findInstance(ports, name);
  if (request.abandon === true || isDown(instance)) {
    ports.tasks.assertIdle(name);
    const answer = planAnswerOf({ steps: [], unchanged: 0, differences: [], notes: [], tree: '' });
    if (request.dryRun === true) return { answer, done: Promise.resolve() };
    const kept = await ports.turns.alone(name, async () => {
      // abandoning needs the same rights as taking down
      if (request.abandon === true) await judge(ports, principal, name);
      return putAway(ports, name, { abandon: request.abandon });
    });
    return { answer: { ...answer, ...(kept === undefined ? {} : { kept }) }, done: Promise.resolve() };
  }
  const { answer, task } = await takeDown(ports, principal, name, request);
  if (request.dryRun === true) return { answer, done: Promise.resolve() };
  if (task === undefined) {
    const kept = await ports.turns.alone(name, () => putAway(ports, name));
    return { answer: { ...answer, ...(kept === undefined ? {} : { kept }) }, done: Promise.resolve() };
  }
  const done = task.ended.then(async (end) => {
    if (end?.state !== 'succeeded') throw notDown(name, task.name, end);
    await ports.turns.alone(name, () => putAway(ports, name, { task: task.name }));
  });
  return { answer: { ...answer, notes: [...answer.notes, `its files are moved away once task ${task.name} has succeeded`] }, done };
}

/**
 * Archives the repository, and removes the object with all that belongs to it. The task that took it down then says where the
 * history is. Call it in a turn of the instance, and it checks that nobody has brought it up meanwhile. Returns where the history
 * is kept. Errors: NOT_FOUND, CONFLICT.
 */
export async function putAway(
  ports: ConvergePorts,
  name: string,
  { task, abandon = false }: { task?: string; abandon?: boolean | undefined } = {},
): Promise<string | undefined> {
  const { store, node, repositories, copies, tasks, model } = ports;
  tasks.assertIdle(name);
  if (!abandon) assertDown(await findInstance(ports, name));
  // gone: archived by a daemon that died before the rest, or removed by hand
  const kept = await repositories.archive(name).catch(unlessGone);
  const unsettled = await unsettledOf(store.kv, name);
  await store.transact(async (tx) => {
    for (const row of unsettled) dropStep(tx, row);
    const ended = task === undefined || kept === undefined ? undefined : await tx.get(taskRef(node, task));
    if (ended !== undefined) await tx.put({ ...ended, status: { ...Object(ended['status']), message: `its history is kept in ${kept}` } });
    if (!(await changeInstance(tx, ports, name, {}))) return;
    await model.removeAll({ tx, principal: SELF_OPERATOR, instance: name });
    for (const rows of [appliedRow(name, ''), `i/p/${name}/`]) tx.clearRows(rows, prefixEnd(rows));
    await tx.delete(instanceRef(node, name));
  });
  await copies.releaseCopies(name, []);
  await tasks.tidy();
  return kept;
}

function assertDown(instance: Instance): void {
  if (isDown(instance)) return;
  const { name } = instance.object.metadata;
  throw new DtkdError('CONFLICT', `service "${name}" is ${instance.status.phase}: it was brought up meanwhile`, {
    next: `Nothing was removed. Take it down with all its resources: dtkd service uninstall ${name}.`,
  });
}

async function takeDown(ports: ConvergePorts, principal: Principal, name: string, request: TakeDownRequest): Promise<TakenDown> {
  return ports.turns.alone(name, async () => {
    const { tasks, store } = ports;
    if (request.dryRun !== true) tasks.assertIdle(name);
    const instance = await findInstance(ports, name);
    const applied = await tasks.applied(name);
    const nodes = await ports.nodes.members();
    const plan = await planOf(ports, instance, applied, { threads: request.threads, nodes });
    const made = await appsOf(store.kv, name);
    const apps = planApps(ports, { instance: name, principal }, { wanted: [], made, before: plan.steps, nodes }, () => undefined);
    const steps = [...plan.steps, ...apps.steps];
    const answer = planAnswerOf({ steps, unchanged: 0, differences: plan.differences, notes: [], tree: '' });
    if (request.dryRun === true) return { answer, task: undefined };
    if (steps.length === 0) {
      if (!isDown(instance)) await markDeleted(ports, instance, principal);
      return { answer, task: undefined };
    }
    await judge(ports, principal, name);
    const task = await tasks.start({
      instance: name,
      principal,
      action: 'delete',
      title: `delete ${name}`,
      plan: { steps, threads: plan.threads },
      own: apps.own,
      keepGoing: request.keepGoing === true,
      goals: new Map(),
      applied,
      begin: async (tx, { metadata }) => {
        await changeInstance(tx, ports, name, { phase: 'Deleting', task: metadata.name, message: undefined });
      },
      deleted: resourceTaken(ports, name),
      finish: (tx, end) => finish(ports, tx, name, end),
      over: afterSuccess(ports, name, () => forgetApplied(ports, name), 'The branch "applied" could not be removed'),
    });
    return { answer: { ...answer, task: task.name }, task };
  });
}

/** Uses the `delete` workflow of the files that were applied last. */
async function planOf(
  ports: ConvergePorts,
  { object, status }: Instance,
  applied: ReadonlyMap<string, AppliedResource>,
  options: PlanOptions,
): Promise<Plan> {
  const source = await ports.files.at(object.metadata.name, status.applied ?? 'HEAD').catch(() => undefined);
  const expanded = source === undefined ? undefined : await expandSource(ports, source, applied);
  const workflows = expanded?.desired?.workflows ?? {};
  return planDelete(applied, workflows['delete'], { ...options, workflows });
}

/** Checks that the principal may delete everything, so that nothing is run that could not be recorded. */
async function judge(ports: ConvergePorts, principal: Principal, name: string): Promise<void> {
  const { store, model } = ports;
  await store.transact(
    async (tx) => {
      await changeInstance(tx, ports, name, {});
      await model.removeAll({ tx, principal, instance: name });
    },
    { dryRun: true },
  );
}

async function finish(ports: ConvergePorts, tx: Transaction, name: string, { state, message }: TaskEnd): Promise<void> {
  if (state !== 'succeeded') {
    await changeInstance(tx, ports, name, { phase: 'Failed', ...(await appliedNow(ports, name)), message });
    return;
  }
  await changeInstance(tx, ports, name, deletedStatus());
  await ports.model.removeAll({ tx, principal: SELF_OPERATOR, instance: name });
}

async function markDeleted(ports: ConvergePorts, { object }: Instance, principal: Principal): Promise<void> {
  const { name } = object.metadata;
  await ports.store.transact(async (tx) => {
    await changeInstance(tx, ports, name, deletedStatus());
    await ports.model.removeAll({ tx, principal, instance: name });
  });
  await forgetApplied(ports, name);
}

function deletedStatus() {
  return { phase: 'Deleted', applied: undefined, appliedAt: undefined, message: undefined, ...appliedStatus([], []) };
}

async function forgetApplied({ repositories, copies }: ConvergePorts, name: string): Promise<void> {
  const repository = await repositories.open(name).catch(unlessGone);
  await repository?.setApplied(undefined);
  await copies.releaseCopies(name, []);
}

function unlessGone(error: unknown): undefined {
  if (error instanceof DtkdError && error.code === 'NOT_FOUND') return undefined;
  throw error;
}

/**
 * Refuses while others are staged against the instance, or with `recursive` takes those down first, in order. Returns notes on
 * what was done.
 */
async function dependentsFirst(
  ports: ConvergePorts,
  principal: Principal,
  name: string,
  request: TakeDownRequest,
  how: 'delete' | 'uninstall',
  signal: AbortSignal,
): Promise<string[]> {
  const all = await allDependents(ports, name);
  const there = how === 'uninstall' ? all : await withSomething(ports, all);
  if (there.length === 0) return [];
  if (request.recursive !== true) throw hasDependents(name, there);
  for (const one of there) await assertMayDelete(ports, principal, one);
  if (request.dryRun === true) return there.map((one) => `first: ${how} ${one}, which is staged against it`);
  const notes: string[] = [];
  for (const one of there) {
    signal.throwIfAborted();
    if (how === 'uninstall') await (await uninstallOne(ports, principal, one, request)).done;
    else {
      const { task } = await takeDown(ports, principal, one, request);
      const end = await task?.ended;
      if (task !== undefined && end?.state !== 'succeeded') throw notDown(one, task.name, end);
    }
    notes.push(`${how === 'delete' ? 'deleted' : 'uninstalled'}: ${one}`);
  }
  return notes;
}

function notDown(name: string, task: string, end: TaskEnd | undefined): DtkdError {
  if (end === undefined) {
    return new DtkdError('UNAVAILABLE', `this node is shutting down, and service "${name}" is not taken down yet`, {
      next: 'Try again when it is back: what is done already is not repeated.',
    });
  }
  return new DtkdError('TASK_FAILED', `service "${name}" could not be taken down: ${end.message ?? end.state}`, {
    next: `See what failed with "dtkd service status ${name}", and try again: what is done already is not repeated.`,
    details: { task },
  });
}
