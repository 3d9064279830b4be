/**
 * Assembles the part's offer: handlers, subresources and actions over the parts that do the work. Settles at start what an
 * earlier daemon left unfinished.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { serviceInstanceKind } from '../../../../../protocol/kinds/service-instance.ts';
import type { TaskAction } from '../../../../../protocol/kinds/task.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import type { ModelHandler } from '../../model/ports.ts';
import type { ServiceInstances } from '../service-instances.types.ts';
import { interruptedText } from '../tasks/task-object.ts';
import { instanceActions, instanceSubresources, taskSubresources } from './actions.ts';
import { appliedNow, changeInstance } from './changing.ts';
import type { ConvergePorts } from './converge.types.ts';
import { dependentsOf, hasDependents } from './dependents.ts';
import { instanceOf, instanceRef, isDown } from './instance-object.ts';
import { putAway } from './taking-down.ts';

/** The service instances part, over its own parts. */
export function serviceInstances(ports: ConvergePorts): Omit<ServiceInstances, 'repositories'> {
  const { group, plural } = serviceInstanceKind;
  return {
    handlers: new Map([[`${group}/${plural}`, instanceHandler(ports)]]),
    subresources: new Map([...instanceSubresources(ports), ...taskSubresources(ports)]),
    actions: instanceActions(ports),
    async start() {
      await ports.repositories.tidy();
      await ports.tasks.recover((tx, instance, action) => interrupted(ports, tx, instance, action));
      await settlePhases(ports);
      await settleRepositories(ports);
    },
    stop: () => ports.tasks.close(),
  };
}

/** Handles deletion of the object as an uninstall, for instances that are already down. */
function instanceHandler(ports: ConvergePorts): ModelHandler {
  return {
    async delete(object, { dryRun }) {
      const { name } = object.metadata;
      const instance = instanceOf(object);
      if (instance !== undefined && !isDown(instance)) {
        throw new DtkdError('CONFLICT', `service "${name}" is ${instance.status.phase}: it has resources`, {
          next: `Take it down with all its resources: dtkd service uninstall ${name}.`,
        });
      }
      const dependents = await dependentsOf(ports, name);
      if (dependents.length > 0) throw hasDependents(name, dependents);
      ports.tasks.assertIdle(name);
      if (!dryRun) await ports.turns.alone(name, () => putAway(ports, name));
      return { handled: object };
    },
  };
}

/** Marks an instance whose task was interrupted, in the transaction that marks the task. */
async function interrupted(ports: ConvergePorts, tx: Transaction, instance: string, action: TaskAction): Promise<void> {
  const failed = action === 'converge' || action === 'delete' ? { phase: 'Failed', message: interruptedText(instance, action) } : {};
  await changeInstance(tx, ports, instance, { ...failed, ...(await appliedNow(ports, instance)) });
}

/** Marks instances that still show Converging or Deleting: nothing runs when a daemon starts. */
async function settlePhases(ports: ConvergePorts): Promise<void> {
  const { store, node } = ports;
  const { group, plural } = serviceInstanceKind;
  for (const phase of ['Converging', 'Deleting']) {
    const { items } = await store.list({ group, plural, namespace: node, fieldSelector: `status.phase=${phase}` });
    for (const { metadata } of items) {
      await store.transact((tx) => interrupted(ports, tx, metadata.name, phase === 'Deleting' ? 'delete' : 'converge'));
    }
  }
}

/**
 * Completes what an earlier daemon did not finish: archives repositories without an object, and moves the branch "applied" to
 * where the object says.
 */
async function settleRepositories({ store, node, repositories, logger }: ConvergePorts): Promise<void> {
  for (const name of await repositories.names()) {
    const object = await store.get(instanceRef(node, name));
    try {
      if (object === undefined) {
        const kept = await repositories.archive(name);
        logger.warn({ service: name, kept }, 'A repository that belongs to no service was put aside');
        continue;
      }
      const repository = await repositories.open(name);
      const applied = instanceOf(object)?.status.applied;
      if ((await repository.applied()) !== applied) await repository.setApplied(applied);
    } catch (err) {
      logger.warn({ err, service: name }, 'A repository could not be cleaned up');
    }
  }
}
