/**
 * What Executions and Tasks are about. Pure. Whoever may read all resources of an Execution, or the service instance of a Task, may read it
 * too; whoever may run commands on them may end it.
 */
import { executionKind, executionSchema } from '../../../protocol/kinds/execution.ts';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import { INSTANCE_CREATOR_ANNOTATION, serviceInstanceKind } from '../../../protocol/kinds/service-instance.ts';
import { taskKind, taskSchema } from '../../../protocol/kinds/task.ts';
import type { Asked } from './access.types.ts';

export function isExecution({ group, plural }: Pick<Asked, 'group' | 'plural'>): boolean {
  return group === executionKind.group && plural === executionKind.plural;
}

/** The same question about each of the resources; empty if there are none, or if the Execution includes other work (programs, files). */
export function aboutResources({ verb, object }: Asked): Asked[] {
  const targets = executionSchema.shape.spec.shape.targets.safeParse(Reflect.get(Object(object?.['spec']), 'targets')).data ?? [];
  const asked: Asked[] = [];
  for (const { work } of targets) {
    if (work.type !== 'command' || object === undefined) return [];
    const { object: name, uid, model, type, name: shown } = work.resource;
    const { namespace, resourceVersion, generation, creationTimestamp } = object.metadata;
    asked.push({
      verb,
      group: resourceKind.group,
      plural: resourceKind.plural,
      name,
      object: {
        apiVersion: `${resourceKind.group}/${resourceKind.version}`,
        kind: resourceKind.kind,
        metadata: { name, uid, resourceVersion, generation, creationTimestamp, ...(namespace === undefined ? {} : { namespace }) },
        spec: { model, type, name: shown },
      },
    });
  }
  return asked;
}

export function isTask({ group, plural }: Pick<Asked, 'group' | 'plural'>): boolean {
  return group === taskKind.group && plural === taskKind.plural;
}

/**
 * The same question about a task's service instance, and the instance's creator as noted in the task; undefined if the object does not name
 * an instance.
 */
export function aboutInstance({ verb, object }: Asked): { asked: Asked; creator: string | undefined } | undefined {
  const name = taskSchema.shape.spec.shape.instance.safeParse(Reflect.get(Object(object?.['spec']), 'instance')).data;
  if (name === undefined) return undefined;
  const { group, plural } = serviceInstanceKind;
  return { asked: { verb, group, plural, name }, creator: object?.metadata.annotations?.[INSTANCE_CREATOR_ANNOTATION] };
}
