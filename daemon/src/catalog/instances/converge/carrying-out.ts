/**
 * Carries out a plan: writes its Types and Resources together with the Task that runs it, and updates the instance's status when
 * the task has ended. The principal's rights are judged before anything runs; the end is recorded even if those rights have
 * changed since.
 */

import type { CodeRef } from '../../../../../protocol/definitions/code.ts';
import { isLeftCode } from '../../../../../protocol/definitions/scoped-names.ts';
import { INSTANCE_LABEL } from '../../../../../protocol/kinds/service-instance.ts';
import type { ServicePlanAnswer } from '../../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import { refIn } from '../../model/objects.ts';
import type { Applying, Refused } from '../apply/apply.types.ts';
import { resourceObjectName } from '../apply/scoping.ts';
import { readCounters, writeCounters } from '../tasks/counters.ts';
import { SELF_OPERATOR } from '../tasks/run-step.ts';
import type { TaskEnd } from '../tasks/tasks.types.ts';
import { afterSuccess } from './afterwards.ts';
import { appliedNow, changeInstance } from './changing.ts';
import type { ConvergePorts } from './converge.types.ts';
import { readyStatus } from './instance-object.ts';
import type { Planned } from './planning.ts';
import { goalOf, publishCopies, resourceTaken, resourceToWrite, revisionOf, typesToWrite } from './resources.ts';

/** Resources of an instance that are looked up. */
const MAX_FOUND = 100_000;

export interface CarryingOut {
  principal: Principal;
  /** The commit that holds the planned files. */
  commit: string;
  title: string;
  keepGoing: boolean;
  timeout?: string | undefined;
}

/**
 * Starts a task if there is something to run; otherwise writes what there is to write and resolves once that is done. Errors:
 * CONFLICT, FORBIDDEN, INVALID, ALREADY_EXISTS.
 */
export async function carryOut(ports: ConvergePorts, planned: Planned, how: CarryingOut): Promise<ServicePlanAnswer> {
  const work = new Converging(ports, planned, how, await publishCopies(ports, planned.files));
  return planned.steps.length === 0 ? work.settle() : work.run();
}

/** What the principal may not do of all that this would write and delete. Writes nothing. */
export async function refusedOf(ports: ConvergePorts, planned: Planned, principal: Principal): Promise<Refused[]> {
  const how = { principal, commit: '', title: '', keepGoing: false };
  return new Converging(ports, planned, how, await publishCopies(ports, planned.files, { dryRun: true })).refused();
}

class Converging {
  readonly #ports: ConvergePorts;
  readonly #planned: Planned;
  readonly #how: CarryingOut;
  readonly #published: Awaited<ReturnType<typeof publishCopies>>;
  readonly #name: string;
  /** Code that the instance's types need. */
  #needed: readonly CodeRef[] = [];

  constructor(ports: ConvergePorts, planned: Planned, how: CarryingOut, published: Awaited<ReturnType<typeof publishCopies>>) {
    this.#ports = ports;
    this.#planned = planned;
    this.#how = how;
    this.#published = published;
    this.#name = planned.instance.object.metadata.name;
  }

  /** For plans without steps. */
  async settle(): Promise<ServicePlanAnswer> {
    const { store } = this.#ports;
    this.#ports.tasks.assertIdle(this.#name);
    await store.transact(async (tx) => {
      await this.#bumpRevision(tx);
      await this.#change(tx, { ...readyStatus(this.#how.commit, this.#ports.now()), ...(await appliedNow(this.#ports, this.#name)) });
      await this.#write(this.#as(tx, this.#how.principal));
      await this.#publishLeft();
    });
    await this.#applyBranch();
    return { ...this.#planned.answer, commit: this.#how.commit };
  }

  async run(): Promise<ServicePlanAnswer> {
    const { tasks, now } = this.#ports;
    const { plan, apps, steps, desired, applied, answer } = this.#planned;
    const { principal, commit, title, keepGoing, timeout } = this.#how;
    if (this.#takesDown()) await this.#judge();
    const at = now();
    const task = await tasks.start({
      instance: this.#name,
      principal,
      action: 'converge',
      title,
      commit,
      plan: { steps, threads: plan.threads },
      own: apps.own,
      keepGoing,
      timeout,
      goals: new Map([...desired.resources].map(([name, resource]) => [name, goalOf(resource, commit, at)])),
      applied,
      begin: async (tx, { metadata }) => {
        await this.#bumpRevision(tx);
        await this.#change(tx, { phase: 'Converging', head: commit, task: metadata.name, message: undefined });
        await this.#write(this.#as(tx, principal));
        await this.#publishLeft();
      },
      deleted: resourceTaken(this.#ports, this.#name, desired.resources),
      finish: (tx, end) => this.#finish(tx, end),
      over: afterSuccess(this.#ports, this.#name, () => this.#applyBranch(), 'The branch "applied" could not be moved'),
    });
    return { ...answer, task: task.name, commit };
  }

  async refused(): Promise<Refused[]> {
    const found: Refused[] = [];
    await this.#ports.store.transact(
      async (tx) => {
        const as = { ...this.#as(tx, this.#how.principal), refused: (one: Refused) => void found.push(one) };
        await this.#change(tx, {});
        await this.#write(as);
        if (this.#takesDown()) await this.#writeEnd(as);
      },
      { dryRun: true },
    );
    return found;
  }

  /** Tries to write the final state, so that nothing is run that could not be recorded. */
  async #judge(): Promise<void> {
    await this.#ports.store.transact(
      async (tx) => {
        await this.#change(tx, {});
        await this.#writeEnd(this.#as(tx, this.#how.principal));
      },
      { dryRun: true },
    );
  }

  /** Writes the state after everything that is leaving has been taken down. */
  async #writeEnd(as: Applying): Promise<void> {
    const deleted = [...this.#leaving(), ...(await this.#stale(as.tx))];
    const resources = [...this.#planned.desired.resources.values()].map(resourceToWrite);
    await this.#ports.model.apply(as, { ...this.#described(), types: this.#types(), resources, deleted });
  }

  /** Writes everything except what has to be taken down first. */
  async #write(as: Applying): Promise<void> {
    const moved = this.#moved();
    const { desired } = this.#planned;
    const resources = [...desired.resources.values()].filter(({ name }) => !moved.has(name)).map(resourceToWrite);
    const leaving = [...this.#leaving(), ...moved];
    const deleted = await this.#stale(as.tx);
    const { types } = await this.#ports.model.apply(as, {
      ...this.#described(),
      types: this.#types(),
      resources,
      deleted,
      ...(leaving.length === 0 ? {} : { leaving }),
    });
    this.#needed = types.code;
  }

  async #finish(tx: Transaction, { state, message }: TaskEnd): Promise<void> {
    const { now, model } = this.#ports;
    const applied = await appliedNow(this.#ports, this.#name);
    if (state !== 'succeeded') return this.#change(tx, { phase: 'Failed', ...applied, message });
    await this.#change(tx, { ...readyStatus(this.#how.commit, now()), ...applied });
    // types that only resources just taken down still used can go
    const { code } = await model.applyTypes(this.#as(tx, SELF_OPERATOR), this.#types());
    this.#needed = code;
  }

  async #applyBranch(): Promise<void> {
    const { repositories, copies } = this.#ports;
    await (await repositories.open(this.#name)).setApplied(this.#how.commit);
    await copies.releaseCopies(
      this.#name,
      this.#needed.map(({ digest }) => digest),
    );
  }

  /** Publishes code that left resources still need, before any of its commands can be requested. */
  async #publishLeft(): Promise<void> {
    for (const { version = '', ...code } of this.#needed) {
      if (isLeftCode(code.name)) await this.#ports.copies.publishLeft({ ...code, version });
    }
  }

  #takesDown(): boolean {
    return this.#leaving().length + this.#moved().size > 0;
  }

  /** Resources that are applied and no longer wanted. */
  #leaving(): string[] {
    const { desired, applied } = this.#planned;
    return [...applied.keys()].filter((name) => !desired.resources.has(name));
  }

  /** Resources that are taken down and then brought up anew. */
  #moved(): Set<string> {
    const { steps, desired } = this.#planned;
    return new Set(steps.flatMap(({ work }) => (work?.act === 'delete' && desired.resources.has(work.resource) ? [work.resource] : [])));
  }

  /** Resources that were written, never brought up, and are no longer wanted. */
  async #stale(tx: Transaction): Promise<string[]> {
    const { desired, applied } = this.#planned;
    const { group, plural, namespace } = refIn(this.#ports.node, 'resources', '');
    const path = `metadata.labels.${INSTANCE_LABEL}`;
    const prefix = resourceObjectName(this.#name, '');
    const found = await tx.find({ group, plural, namespace, path, value: this.#name, limit: MAX_FOUND });
    return found.map(({ name }) => name.slice(prefix.length)).filter((name) => !desired.resources.has(name) && !applied.has(name));
  }

  #types() {
    return typesToWrite(this.#planned.desired, this.#published);
  }

  #described(): { description?: string } {
    const { description } = this.#planned.files.service;
    return description === undefined ? {} : { description };
  }

  #as(tx: Transaction, principal: Principal): Applying {
    return { tx, principal, instance: this.#name };
  }

  async #change(tx: Transaction, status: Parameters<typeof changeInstance>[3]): Promise<void> {
    await changeInstance(tx, this.#ports, this.#name, status, this.#planned.files.service);
  }

  async #bumpRevision(tx: Transaction): Promise<void> {
    const counters = await readCounters(tx, this.#name);
    const revision = Math.max(counters.revision, ...[...this.#published.values()].map(revisionOf));
    if (revision !== counters.revision) writeCounters(tx, this.#name, { ...counters, revision });
  }
}
