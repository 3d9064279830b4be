/**
 * Looks up types by name and resolves them with their supertypes. Caches the results, so that judging many resources of few types reads
 * each type once; whoever changes types must clear the cache. Reads from what it is given: a transaction, or the durable state.
 */
import { compilePattern } from '../../../../protocol/definitions/pattern.ts';
import { type ReadyRule, typeOfRule } from '../../../../protocol/definitions/property-value.ts';
import type { PropertyRule } from '../../../../protocol/definitions/type-rules.ts';
import { MAX_SUPERTYPES } from '../../../../protocol/limits.ts';
import { CACHED_TYPES } from './limits.ts';
import { type Reads, refIn, typeKey, typeNameOf, typeSpecOf } from './objects.ts';
import { mergedProperties, type NamedType, type ResolvedProperty, type ResolvedType, resolvedType } from './resolved-type.ts';
import { nameRow, readName } from './rows.ts';

/** Why a chain of supertypes is invalid. */
export type ChainFault = { fault: 'unknown'; name: string } | { fault: 'cycle'; names: string[] } | { fault: 'deep' };

export class TypeBook {
  readonly #node: string;
  readonly #resolved = new Map<string, ResolvedType>();
  readonly #chains = new Map<string, readonly NamedType[]>();
  /** Counts clearings, so that a result based on reads from before a clearing is not cached. */
  #generation = 0;

  constructor(node: string) {
    this.#node = node;
  }

  /** Clears the cache. */
  clear(): void {
    this.#generation += 1;
    this.#resolved.clear();
    this.#chains.clear();
  }

  /** A type and its supertypes, nearest first. */
  async chain(reads: Reads, name: string): Promise<readonly NamedType[] | ChainFault> {
    const key = typeKey(name);
    const known = this.#chains.get(key);
    if (known !== undefined) return known;
    const generation = this.#generation;
    const chain = await chainOf(name, (wanted) => this.named(reads, wanted));
    if ('fault' in chain || generation !== this.#generation) return chain;
    if (this.#chains.size >= CACHED_TYPES) this.#chains.clear();
    this.#chains.set(key, chain);
    return chain;
  }

  /** A type without what it inherits, by name without regard to case. */
  async named(reads: Reads, name: string): Promise<NamedType | undefined> {
    const object = await readName(reads, nameRow.type(typeKey(name)));
    const stored = object === undefined ? undefined : await reads.get(refIn(this.#node, 'types', object));
    const written = stored === undefined ? undefined : typeNameOf(stored);
    const spec = stored === undefined ? undefined : typeSpecOf(stored);
    return written === undefined || spec === undefined ? undefined : { name: written, spec };
  }

  /** A type with all that it inherits; undefined if there is none of that name, or its chain of supertypes is invalid. */
  async resolve(reads: Reads, name: string): Promise<ResolvedType | undefined> {
    const key = typeKey(name);
    const known = this.#resolved.get(key);
    if (known !== undefined) return known;
    const generation = this.#generation;
    const chain = await this.chain(reads, name);
    if ('fault' in chain) return undefined;
    const resolved = await resolveChain(chain);
    if (generation !== this.#generation) return resolved;
    if (this.#resolved.size >= CACHED_TYPES) this.#resolved.clear();
    this.#resolved.set(key, resolved);
    return resolved;
  }
}

/** A type and its supertypes, nearest first. */
export async function chainOf(
  name: string,
  lookUp: (name: string) => Promise<NamedType | undefined>,
): Promise<readonly NamedType[] | ChainFault> {
  const chain: NamedType[] = [];
  const seen = new Set<string>();
  for (let next: string | undefined = name; next !== undefined; ) {
    if (seen.has(typeKey(next))) return { fault: 'cycle', names: [...chain.map((type) => type.name), next] };
    if (chain.length > MAX_SUPERTYPES) return { fault: 'deep' };
    const type = await lookUp(next);
    if (type === undefined) return { fault: 'unknown', name: next };
    seen.add(typeKey(next));
    chain.push(type);
    next = type.spec.extends;
  }
  return chain;
}

export async function resolveChain(chain: readonly NamedType[]): Promise<ResolvedType> {
  const properties = new Map<string, ResolvedProperty>();
  for (const [name, { rule, from }] of mergedProperties(chain)) properties.set(name, { rule: await ready(rule), from });
  return resolvedType(chain, properties);
}

/** A rule with its pattern compiled. Invalid patterns were refused when the type was written. */
export async function ready(rule: PropertyRule): Promise<ReadyRule> {
  const base = { ...rule, type: typeOfRule(rule) };
  if (rule.pattern === undefined) return base;
  const result = await compilePattern(rule.pattern);
  return 'pattern' in result ? { ...base, compiled: result.pattern } : base;
}
