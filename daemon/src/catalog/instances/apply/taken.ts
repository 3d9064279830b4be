/** Texts for names that an instance needs and that are taken. Pure. */
import type { Kind } from '../../../../../protocol/kinds/kind.ts';
import { INSTANCE_LABEL } from '../../../../../protocol/kinds/service-instance.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Plural } from '../../model/objects.ts';
import { titleOf } from '../../model/refusal.ts';

/** True if the object does not belong to the instance. */
export function isForeign(object: ApiObject, instance: string): boolean {
  return object.metadata.labels?.[INSTANCE_LABEL] !== instance;
}

export function takenText(plural: Plural, name: string, instance: string): { message: string; next: string } {
  return {
    message: `${titleOf(`${plural}/${name}`)} exists already, and does not belong to the service "${instance}"`,
    next: plural === 'models' ? 'Stage the service under another name, or delete that model first.' : 'Delete it first, or rename it.',
  };
}

/** The same for the objects of an app, on the app's node. */
export function takenAppText({ kind }: Kind, node: string, name: string, instance: string): { message: string; next: string } {
  return {
    message: `${kind} "${name}" exists on ${node} already, and does not belong to the service "${instance}"`,
    next: 'Give the app another name in dtk.service.yaml, or delete what is there.',
  };
}
