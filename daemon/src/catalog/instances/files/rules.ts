/** The properties of components, as far as reading, showing and editing their values needs them. Faults in types are reported elsewhere. */
import type { PropertyType } from '../../../../../protocol/definitions/property-types.ts';
import { typeOfRule } from '../../../../../protocol/definitions/property-value.ts';
import type { PropertyRule } from '../../../../../protocol/definitions/type-rules.ts';
import { BUILTIN_TYPES } from '../../../../../protocol/modules/builtin-types.ts';
import { typeKey } from '../../model/objects.ts';
import { mergedProperties, type NamedType } from '../../model/resolved-type.ts';
import { chainOf } from '../../model/type-book.ts';
import type { ModuleCopy, ServiceFiles } from '../instances.types.ts';

export type Rules = ReadonlyMap<string, PropertyRule>;

/** The types of an instance's copies, and those that every node has. */
export class KnownTypes {
  readonly #types = new Map<string, NamedType>();

  constructor(copies: Iterable<ModuleCopy>) {
    for (const type of BUILTIN_TYPES) this.#types.set(typeKey(type.name), { name: type.name, spec: type });
    for (const { manifest } of copies) {
      for (const [name, type] of Object.entries(manifest.types ?? {})) this.#types.set(typeKey(name), { name, spec: type });
    }
  }

  has(name: string): boolean {
    return this.#types.has(typeKey(name));
  }

  /** True if all of its supertypes are known, too. */
  async isWhole(name: string): Promise<boolean> {
    return !('fault' in (await chainOf(name, async (wanted) => this.#types.get(typeKey(wanted)))));
  }

  names(): string[] {
    return [...this.#types.values()].map(({ name }) => name);
  }

  /** Own and inherited properties of a type, as far as its supertypes are known. */
  async rulesOf(name: string): Promise<Rules> {
    const known: NamedType[] = [];
    await chainOf(name, async (wanted) => {
      const type = this.#types.get(typeKey(wanted));
      if (type !== undefined && !known.includes(type)) known.push(type);
      return type;
    });
    return new Map([...mergedProperties(known)].map(([property, { rule }]) => [property, rule]));
  }
}

/** The rules of all components' properties, by component. */
export async function componentRules({ service, copies }: Pick<ServiceFiles, 'service' | 'copies'>): Promise<Map<string, Rules>> {
  const types = new KnownTypes(copies.values());
  const byType = new Map<string, Promise<Rules>>();
  const rules = new Map<string, Rules>();
  for (const [name, { type }] of Object.entries(service.components ?? {})) {
    const found = byType.get(typeKey(type)) ?? types.rulesOf(type);
    byType.set(typeKey(type), found);
    rules.set(name, await found);
  }
  return rules;
}

/** Types of everything that can be set, by path. */
export async function settableTypes(files: Pick<ServiceFiles, 'service' | 'copies'>): Promise<Record<string, PropertyType>> {
  const types: Record<string, PropertyType> = {};
  for (const [name, rule] of Object.entries(files.service['parameter-rules'] ?? {})) types[`parameters.${name}`] = typeOfRule(rule);
  for (const [component, rules] of await componentRules(files)) {
    for (const [property, rule] of rules) if (rule.dynamic !== true) types[`${component}.${property}`] = typeOfRule(rule);
  }
  return types;
}

/** Paths in `dtk.service.yaml` of values that are known to be secret. */
export async function secretPaths(files: Pick<ServiceFiles, 'service' | 'copies'>): Promise<string[][]> {
  const { service } = files;
  const paths: string[][] = [];
  for (const [name, rule] of Object.entries(service['parameter-rules'] ?? {})) {
    if (typeOfRule(rule) !== 'secret') continue;
    paths.push(['parameters', name], ['parameter-rules', name, 'default']);
  }
  for (const [component, rules] of await componentRules(files)) {
    for (const [property, rule] of rules) {
      if (typeOfRule(rule) === 'secret') paths.push(['components', component, 'properties', property]);
    }
  }
  return paths;
}

/** The same, and all values of components whose types are not fully known, as when a copy is broken: any of them might be secret. */
export async function hiddenPaths(files: Pick<ServiceFiles, 'service' | 'copies'>): Promise<string[][]> {
  const paths = await secretPaths(files);
  const types = new KnownTypes(files.copies.values());
  const byType = new Map<string, Promise<boolean>>();
  for (const [component, { type, properties = {} }] of Object.entries(files.service.components ?? {})) {
    const isWhole = byType.get(typeKey(type)) ?? types.isWhole(type);
    byType.set(typeKey(type), isWhole);
    if (await isWhole) continue;
    for (const property of Object.keys(properties)) paths.push(['components', component, 'properties', property]);
  }
  return paths;
}
