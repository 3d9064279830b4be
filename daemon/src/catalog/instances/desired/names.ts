/**
 * Checks the names of an instance's Model, Types, Resources and app objects: an object of that name that belongs to something
 * else is never overwritten, and so is a violation.
 */
import { scopedType, typeObjectNameOf } from '../../../../../protocol/definitions/scoped-names.ts';
import type { Plural } from '../../model/objects.ts';
import { resourceObjectName } from '../apply/scoping.ts';
import { takenAppText, takenText } from '../apply/taken.ts';
import type { Desired } from '../instances.types.ts';
import { APP_KINDS } from '../service-apps/app-objects.ts';
import { whereOf } from './copied-types.ts';
import type { World } from './desired.types.ts';
import type { Findings } from './findings.ts';

export async function judgeNames(
  instance: string,
  { types, resources, apps }: Pick<Desired, 'types' | 'resources' | 'apps'>,
  { applied, isTaken, isAppTaken }: Pick<World, 'applied' | 'isTaken' | 'isAppTaken'>,
  findings: Findings,
): Promise<void> {
  const taken = async (plural: Plural, name: string) =>
    (await isTaken(instance, plural, name)) ? takenText(plural, name, instance) : undefined;
  const model = await taken('models', instance);
  if (model !== undefined) findings.add('ILLEGAL_VALUE', ['name'], model.message, model.next);
  for (const [name, { copy }] of types) {
    const type = await taken('types', typeObjectNameOf(scopedType(name, instance)));
    if (type !== undefined) findings.addAt('ILLEGAL_VALUE', whereOf(copy, name), type.message, type.next);
  }
  for (const { name, component } of resources.values()) {
    // an applied resource has its object already
    const resource = applied.has(name) ? undefined : await taken('resources', resourceObjectName(instance, name));
    if (resource !== undefined) findings.add('ILLEGAL_VALUE', ['components', component], resource.message, resource.next);
  }
  for (const { name, node } of apps) {
    for (const kind of APP_KINDS) {
      if (!(await isAppTaken(instance, kind, { name, node }))) continue;
      const { message, next } = takenAppText(kind, node, name, instance);
      findings.add('ILLEGAL_VALUE', ['apps', name.slice(instance.length + 1)], message, next);
    }
  }
}
