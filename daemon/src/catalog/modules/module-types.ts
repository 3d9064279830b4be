/**
 * Writes the types of a module within the transaction that installs it: supertypes as spelled here, with the asker's rights, never over
 * types from elsewhere.
 */
import { typeObjectName } from '../../../../protocol/definitions/names.ts';
import { jsonEqual } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { TypeSpec } from '../../../../protocol/kinds/type.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import { refIn, typeKey, typeNameOf, typeSpecOf } from '../model/objects.ts';
import type { Rights } from '../model/rights.ts';
import { nameRow, readName } from '../model/rows.ts';
import { TypeBook } from '../model/type-book.ts';
import { type ModuleFields, newObject } from './types.ts';
import type { VersionHere } from './versions.ts';

/** How an installation changed the types of this node. */
export interface TypeChanges {
  created: string[];
  changed: string[];
  removed: string[];
}

/**
 * How to spell supertypes: those of the module as the module does, all others as this node does. `unknown`: those that this node does not
 * have.
 */
export async function spelling(
  tx: Transaction,
  node: string,
  own: object,
): Promise<{ spelled: (type: string) => string; unknown: readonly string[] }> {
  const unknown = new Set<string>();
  const names = new Map(Object.keys(own).map((name) => [typeKey(name), name]));
  const book = new TypeBook(node);
  const wanted = Object.values(own).map((type: { extends?: string }) => type.extends);
  for (const type of wanted) {
    if (type === undefined || names.has(typeKey(type))) continue;
    const known = await book.named(tx, type);
    if (known === undefined) unknown.add(type);
    else names.set(typeKey(type), known.name);
  }
  return { spelled: (type) => names.get(typeKey(type)) ?? type, unknown: [...unknown] };
}

/** Makes the types of a module match its specs, and removes types that only its earlier versions had. */
export async function writeTypes(
  { node, rights }: { node: string; rights: Rights },
  tx: Transaction,
  principal: Principal,
  specs: ReadonlyMap<string, TypeSpec>,
  earlier: readonly VersionHere[],
): Promise<TypeChanges> {
  const changes: TypeChanges = { created: [], changed: [], removed: [] };
  const module = [...specs.values()][0]?.module?.name ?? earlier[0]?.fields.module;
  await assertFree(tx, node, module, specs);
  for (const { fields } of earlier) {
    for (const type of await typesOfModule(tx, node, fields)) {
      const { name } = type.metadata;
      if (specs.has(name)) continue;
      await rights.assertMay(principal, { plural: 'types', name, before: type }, tx);
      await tx.delete(refIn(node, 'types', name));
      changes.removed.push(typeNameOf(type) ?? name);
    }
  }
  for (const [name, spec] of specs) {
    const before = await tx.get(refIn(node, 'types', name));
    if (before !== undefined && jsonEqual(before['spec'], spec)) continue;
    const after =
      before === undefined
        ? newObject('Type', name, node, principal, spec)
        : { ...before, metadata: { ...before.metadata, generation: before.metadata.generation + 1 }, spec };
    await rights.assertMay(principal, { plural: 'types', name, ...(before === undefined ? {} : { before }), after }, tx);
    await tx.put(after);
    (before === undefined ? changes.created : changes.changed).push(spec.name ?? name);
  }
  return changes;
}

/** Refuses names that other types have; reports all of them in one error. */
async function assertFree(tx: Transaction, node: string, module: string | undefined, specs: ReadonlyMap<string, TypeSpec>): Promise<void> {
  const taken = new Map<string, string>();
  for (const [object, { name = object }] of specs) {
    for (const holder of new Set([await readName(tx, nameRow.type(typeKey(name))), object])) {
      const ref = holder === undefined ? undefined : refIn(node, 'types', holder);
      const stored = ref === undefined ? undefined : await tx.get(ref);
      if (ref === undefined || stored === undefined) continue;
      const from = typeSpecOf(stored)?.module;
      if (from !== undefined && from.name === module) continue;
      const whose =
        (await tx.originOf(ref)) !== 'own'
          ? 'comes with dtkd'
          : from === undefined
            ? 'made by hand'
            : `of module ${from.name} ${from.version}`;
      taken.set(typeNameOf(stored) ?? ref.name, whose);
    }
  }
  if (taken.size === 0) return;
  const list = [...taken].map(([name, whose]) => `${name} (${whose})`);
  throw new DtkdError(
    'ALREADY_EXISTS',
    `types of the module exist here already: ${list.slice(0, 20).join(', ')}${list.length > 20 ? ', …' : ''}`,
    {
      next: 'Rename them in the module, or delete the existing ones first.',
      details: { types: [...taken.keys()] },
    },
  );
}

/** The Type objects of an installed module. */
export async function typesOfModule(tx: Transaction, node: string, fields: ModuleFields | undefined): Promise<ApiObject[]> {
  const types: ApiObject[] = [];
  for (const name of fields?.types ?? []) {
    const object = await tx.get(refIn(node, 'types', typeObjectName(name)));
    if (object !== undefined && typeSpecOf(object)?.module?.name === fields?.module) types.push(object);
  }
  return types;
}
