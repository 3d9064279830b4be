/** Assembly objects: what can be staged from the modules on this node. Created and deleted in the transactions that write their Module. */

import type { ModuleManifest } from '../../../../protocol/definitions/module.ts';
import { assemblyObjectName } from '../../../../protocol/definitions/names.ts';
import { jsonEqual } from '../../../../protocol/encoding/json.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import type { ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import { type ModuleFields, newObject } from './types.ts';

/** The specs of a module's assemblies, by object name. */
function assemblySpecs({ module, version, assemblies = {} }: ModuleManifest): Map<string, Record<string, unknown>> {
  return new Map(
    Object.entries(assemblies).map(([assembly, { description, role, kind, target, components = {}, parameters }]) => [
      assemblyObjectName(module, version, assembly),
      {
        module,
        version,
        assembly,
        ...(description === undefined ? {} : { description }),
        ...(role === undefined ? {} : { role }),
        ...(kind === undefined ? {} : { kind }),
        ...(target === undefined ? {} : { target }),
        components: Object.keys(components),
        ...(parameters === undefined ? {} : { parameters: parameterTable(parameters) }),
      },
    ]),
  );
}

/** Makes the Assembly objects of a version match its manifest. */
export async function writeAssemblies(
  tx: Transaction,
  about: { node: string; principal: Principal; before: ModuleFields | undefined },
  manifest: ModuleManifest,
): Promise<void> {
  const { node, principal, before } = about;
  const specs = assemblySpecs(manifest);
  for (const ref of assemblyRefs(node, before)) if (!specs.has(ref.name)) await tx.delete(ref);
  for (const [name, spec] of specs) {
    const stored = await tx.get(assemblyRef(node, name));
    if (stored === undefined) await tx.put(newObject('Assembly', name, node, principal, spec));
    else if (!jsonEqual(stored['spec'], spec)) {
      await tx.put({ ...stored, metadata: { ...stored.metadata, generation: stored.metadata.generation + 1 }, spec });
    }
  }
}

/** The Assembly objects of a version on this node. */
export function assemblyRefs(node: string, fields: ModuleFields | undefined): ObjectRef[] {
  return (fields?.assemblies ?? []).map((assembly) =>
    assemblyRef(node, assemblyObjectName(fields?.module ?? '', fields?.version ?? '', assembly)),
  );
}

function assemblyRef(node: string, name: string): ObjectRef {
  return { group: DTKD_GROUP, plural: 'assemblies', namespace: node, name };
}

function parameterTable(parameters: NonNullable<NonNullable<ModuleManifest['assemblies']>[string]['parameters']>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { type, description, required, default: value }]) => [
      name,
      {
        ...(type === undefined ? {} : { type }),
        ...(description === undefined ? {} : { description }),
        ...(required === undefined ? {} : { required }),
        ...(value === undefined ? {} : { default: value }),
      },
    ]),
  );
}
