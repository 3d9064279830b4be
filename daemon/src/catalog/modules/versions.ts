/** The versions of a module on this node: one Module object for each. At most one is active, so that its types are the node's. */
import { compareVersions } from '../../../../protocol/definitions/version-order.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import { type ModuleFields, moduleFieldsOf, moduleRef } from './types.ts';

/** Limit on the versions of one module that a node keeps. */
export const MAX_VERSIONS = 100;

/** A version on this node. */
export interface VersionHere {
  ref: ObjectRef;
  object: ApiObject;
  fields: ModuleFields;
}

/** All versions of a module, newest first. `reads`: a transaction, or the durable state. */
export async function versionsHere(reads: Pick<Transaction, 'find' | 'get'>, node: string, module: string): Promise<VersionHere[]> {
  const { group, plural, namespace } = moduleRef(node, '');
  const found: VersionHere[] = [];
  // one more than the limit, in case an earlier dtkd kept more
  for (const ref of await reads.find({ group, plural, namespace, path: 'spec.module', value: module, limit: MAX_VERSIONS + 1 })) {
    const object = await reads.get(ref);
    const fields = object === undefined ? undefined : moduleFieldsOf(object);
    if (object !== undefined && fields !== undefined) found.push({ ref, object, fields });
  }
  return found.sort((a, b) => compareVersions(b.fields.version, a.fields.version));
}

/** Refuses a further version if the limit is reached. */
export function assertRoom(here: readonly VersionHere[], { module, version }: ModuleFields): void {
  if (here.length < MAX_VERSIONS || here.some(({ fields }) => fields.version === version)) return;
  throw new DtkdError('CONFLICT', `there are ${here.length} versions of module ${module} on this node, the most that are kept`, {
    next: `Remove one that is not needed: dtkd module rm ${module}@${here.at(-1)?.fields.version ?? 'VERSION'}.`,
  });
}

/** Unless `replace` is set, refuses other content for a version that is here, and to replace active types by those of an older version. */
export function assertReplaceable(here: readonly VersionHere[], fields: ModuleFields, replace: boolean): void {
  const { module, version, digest } = fields;
  for (const { fields: there } of here) {
    const order = compareVersions(there.version, version);
    if (order === 0 && there.digest !== digest) {
      if (replace && (fields.active || !there.active)) continue;
      throw new DtkdError('CONFLICT', `module ${module} ${version} is installed with other content`, {
        next:
          there.active && !fields.active
            ? 'Its types are in use on this node: give the new content a new version.'
            : 'Give the new content a new version, or install it with --replace.',
        details: { installed: there.digest, given: digest },
      });
    }
    if (order > 0 && there.active && fields.active && !replace) {
      throw new DtkdError('CONFLICT', `module ${module} is installed in version ${there.version}, which is newer than ${version}`, {
        next: 'To go back to the older version, install it with --replace; to keep both and only stage the older one, use --no-types.',
        details: { installed: there.version, given: version },
      });
    }
  }
}
