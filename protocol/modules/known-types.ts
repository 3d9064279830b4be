/** The types of a module and the built-in types, as a converge or a command sees them. Pure. */
import type { Command } from '../definitions/commands.ts';
import type { ModuleType } from '../definitions/module.ts';
import { overridden } from '../definitions/property-rule.ts';
import type { LinkRule, PropertyRule } from '../definitions/type-rules.ts';
import { nearMiss } from '../text/near-miss.ts';
import { BUILTIN_TYPES } from './builtin-types.ts';
import type { OwnType, TypeTable } from './type-table.ts';

/** A type with everything that it inherits. */
export interface KnownType {
  name: string;
  /** The type and its supertypes, nearest first. */
  lineage: readonly OwnType[];
  /** All its supertypes are known. */
  isWhole: boolean;
  abstract: boolean;
  open: boolean;
  properties: ReadonlyMap<string, PropertyRule>;
  /** Each command with the type that defines it. */
  commands: ReadonlyMap<string, { command: Command; from: OwnType }>;
  links: ReadonlyMap<string, LinkRule>;
}

export class KnownTypes {
  readonly table: TypeTable;
  /** There may be more types, from modules that this one depends on. */
  readonly hasMore: boolean;
  readonly #known = new Map<string, KnownType | undefined>();
  readonly #exported: ReadonlySet<string>;

  constructor(table: TypeTable, { hasMore }: { hasMore: boolean }) {
    this.table = table;
    this.hasMore = hasMore;
    const all = [...table.own.values()].map(({ type }) => type);
    this.#exported = new Set([...all, ...BUILTIN_TYPES].flatMap(exportedBy));
  }

  /** Returns a type; undefined if nothing is known of it. */
  get(name: string): KnownType | undefined {
    const key = name.toLowerCase();
    if (!this.#known.has(key)) this.#known.set(key, this.#resolve(name));
    return this.#known.get(key);
  }

  /** Returns the non-abstract types of the module that are or extend this one. */
  concrete(of: OwnType): KnownType[] {
    return [...this.table.own.values()]
      .filter(({ type }) => type.abstract !== true)
      .flatMap(({ name }) => this.get(name) ?? [])
      .filter(({ lineage }) => lineage.includes(of));
  }

  /**
   * Returns what is wrong with a property's name in a command or template; undefined if a resource of one of these types may have the
   * property.
   */
  unknownProperty(users: readonly KnownType[], property: string): string | undefined {
    if (users.length === 0 || this.hasMore || this.#exported.has(property)) return undefined;
    if (users.some((type) => type.open || !type.isWhole || type.properties.has(property))) return undefined;
    const near = nearMiss(property, users[0]?.properties.keys() ?? []);
    const [first] = users;
    return `type ${first?.name} has no property ${JSON.stringify(property.slice(0, 63))}${near === undefined ? '' : `; did you mean ${near}?`}`;
  }

  #resolve(name: string): KnownType | undefined {
    const { types: lineage, isWhole } = this.table.lineage(name);
    const [first] = lineage;
    if (first === undefined) return undefined;
    const properties = new Map<string, PropertyRule>();
    const commands = new Map<string, { command: Command; from: OwnType }>();
    const links = new Map<string, LinkRule>();
    for (const from of [...lineage].reverse()) {
      for (const [property, rule] of Object.entries(from.type.properties ?? {}))
        properties.set(property, overridden(properties.get(property), rule));
      for (const [command, one] of Object.entries(from.type.commands ?? {})) commands.set(command, { command: one, from });
      for (const [link, rule] of Object.entries(from.type.links ?? {})) links.set(link, rule);
    }
    const open = lineage.find(({ type }) => type.open !== undefined)?.type.open ?? false;
    return { name: first.name, lineage, isWhole, abstract: first.type.abstract === true, open, properties, commands, links };
  }
}

function exportedBy({ properties = {} }: Pick<ModuleType, 'properties'>): string[] {
  return Object.entries(properties).flatMap(([name, { exported }]) => (exported === true ? [name] : []));
}
