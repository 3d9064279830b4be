/** The types of a module by name, with what they inherit within the module. Pure. */
import type { Commands } from '../definitions/commands.ts';
import type { ModuleManifest, ModuleType } from '../definitions/module.ts';
import type { LinkRule, PropertyRule } from '../definitions/type-rules.ts';
import { BUILTIN_TYPES } from './builtin-types.ts';

const BUILTIN = new Map(BUILTIN_TYPES.map((type) => [type.name.toLowerCase(), type]));
/** The name that stands for machines. */
export const NODE_TYPE_KEY = 'node';
/** Longest chain of types within a module. The node checks chains that continue outside. */
const MAX_CHAIN = 64;

export interface OwnType {
  name: string;
  type: ModuleType;
}

/** What is known of a name. `elsewhere`: it may belong to a module that this one depends on. */
export type Known = 'builtin' | 'node' | 'elsewhere' | 'unknown' | OwnType;

export interface Chain {
  /** The type and its supertypes within the module, nearest first. */
  types: readonly ModuleType[];
  /** Where the chain continues: nowhere, at a built-in type, or outside of what is known. */
  end: 'closed' | 'builtin' | 'open';
}

export class TypeTable {
  readonly own: ReadonlyMap<string, OwnType>;
  readonly #hasDependencies: boolean;

  /** `own`: by key, with distinct names. */
  constructor(own: ReadonlyMap<string, OwnType>, { dependencies = {} }: Pick<ModuleManifest, 'dependencies'>) {
    this.own = own;
    this.#hasDependencies = Object.keys(dependencies).length > 0;
  }

  known(name: string): Known {
    const key = name.toLowerCase();
    const own = this.own.get(key);
    if (own !== undefined) return own;
    if (key === NODE_TYPE_KEY) return 'node';
    if (BUILTIN.has(key)) return 'builtin';
    return this.#hasDependencies ? 'elsewhere' : 'unknown';
  }

  /** Returns a type with its supertypes, or the names of a cycle. */
  chain(name: string): Chain | { cycle: string[] } {
    const types: ModuleType[] = [];
    const names: string[] = [];
    const seen = new Set<string>();
    for (let next: string | undefined = name; next !== undefined; ) {
      const key: string = next.toLowerCase();
      if (seen.has(key)) return { cycle: [...names, next] };
      const found: OwnType | undefined = this.own.get(key);
      if (found === undefined || types.length > MAX_CHAIN) return { types, end: BUILTIN.has(key) ? 'builtin' : 'open' };
      seen.add(key);
      names.push(found.name);
      types.push(found.type);
      next = found.type.extends;
    }
    return { types, end: 'closed' };
  }

  /** Returns the rule of a property; undefined if there is none, `open` if there may be one, or none is needed. */
  property(name: string, property: string): PropertyRule | 'open' | undefined {
    const chain = this.chain(name);
    if ('cycle' in chain) return 'open';
    const rules = chain.types.flatMap(({ properties = {} }) => (Object.hasOwn(properties, property) ? (properties[property] ?? []) : []));
    // A subtype's own fields override the inherited ones.
    if (rules.length > 0) {
      const all: PropertyRule = {};
      for (const rule of rules.reverse()) Object.assign(all, rule);
      return all;
    }
    const open = chain.types.find((type) => type.open !== undefined)?.open ?? chain.end !== 'closed';
    return open ? 'open' : undefined;
  }

  /** Returns the type and its known supertypes, nearest first, including built-in ones. */
  lineage(name: string): { types: readonly OwnType[]; isWhole: boolean } {
    const types: OwnType[] = [];
    for (let next: string | undefined = name; next !== undefined; ) {
      const key: string = next.toLowerCase();
      const builtin = BUILTIN.get(key);
      const found: OwnType | undefined = this.own.get(key) ?? (builtin === undefined ? undefined : { name: builtin.name, type: builtin });
      if (found === undefined || types.includes(found) || types.length > MAX_CHAIN) return { types, isWhole: false };
      types.push(found);
      next = found.type.extends;
    }
    return { types, isWhole: true };
  }

  /** Returns the rule of a link; `open` if there may be one that is not known here. */
  link(name: string, link: string): LinkRule | 'open' | undefined {
    const chain = this.chain(name);
    if ('cycle' in chain) return 'open';
    for (const { links = {} } of chain.types) if (Object.hasOwn(links, link)) return links[link];
    return chain.end === 'open' ? 'open' : undefined;
  }

  /** Returns the commands of a type within the module, the nearest of each name; `open` if there may be more. */
  commands(name: string): { commands: Commands; open: boolean } {
    const chain = this.chain(name);
    const commands: Commands = {};
    if ('cycle' in chain) return { commands, open: true };
    for (const type of [...chain.types].reverse()) Object.assign(commands, type.commands ?? {});
    return { commands, open: chain.end === 'open' };
  }
}
