/** What is known of the types of a module with those that every node has, as what converges or runs something of them sees them: pure. */
import type { Command } from '../definitions/commands.ts';
import type { ModuleType } from '../definitions/module.ts';
import { overridden } from '../definitions/property-rule.ts';
import type { LinkRule, PropertyRule } from '../definitions/type-rules.ts';
import { nearMiss } from '../text/near-miss.ts';
import { BUILTIN_TYPES } from './builtin-types.ts';
import type { OwnType, TypeTable } from './type-table.ts';

/** A type with all that it inherits. */
export interface KnownType {
  name: string;
  /** Nearest first. */
  lineage: readonly OwnType[];
  /** All that it extends is known. */
  isWhole: boolean;
  abstract: boolean;
  open: boolean;
  properties: ReadonlyMap<string, PropertyRule>;
  /** With the type that has it. */
  commands: ReadonlyMap<string, { command: Command; from: OwnType }>;
  links: ReadonlyMap<string, LinkRule>;
}

export class KnownTypes {
  readonly table: TypeTable;
  /** Types of modules that it depends on are not known. */
  readonly hasMore: boolean;
  readonly #known = new Map<string, KnownType | undefined>();
  readonly #exported: ReadonlySet<string>;

  constructor(table: TypeTable, { hasMore }: { hasMore: boolean }) {
    this.table = table;
    this.hasMore = hasMore;
    const all = [...table.own.values()].map(({ type }) => type);
    this.#exported = new Set([...all, ...BUILTIN_TYPES].flatMap(exportedBy));
  }

  /** Undefined for one of which nothing is known. */
  get(name: string): KnownType | undefined {
    const key = name.toLowerCase();
    if (!this.#known.has(key)) this.#known.set(key, this.#resolve(name));
    return this.#known.get(key);
  }

  /** Types of the module of which there can be resources, and that are or extend this one. */
  concrete(of: OwnType): KnownType[] {
    return [...this.table.own.values()]
      .filter(({ type }) => type.abstract !== true)
      .flatMap(({ name }) => this.get(name) ?? [])
      .filter(({ lineage }) => lineage.includes(of));
  }

  /** What is wrong with the name of a property where values of commands are meant: undefined if a resource of one of these types may have it. */
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
