/**
 * The types of an instance: those of its module copies, then those that every node has. Checks each as if it were being
 * installed, so that writing it later is not refused.
 */
import type { Commands } from '../../../../../protocol/definitions/commands.ts';
import type { ModuleType } from '../../../../../protocol/definitions/module.ts';
import { compilePattern } from '../../../../../protocol/definitions/pattern.ts';
import { ruleFaults } from '../../../../../protocol/definitions/property-value.ts';
import type { LinkRule } from '../../../../../protocol/definitions/type-rules.ts';
import { MAX_SUPERTYPES } from '../../../../../protocol/limits.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import { MAX_PROPERTIES } from '../../model/limits.ts';
import { NODE_TYPE, typeKey } from '../../model/objects.ts';
import { type NamedType, type ResolvedType, wrongOverrides } from '../../model/resolved-type.ts';
import { judgeCommands } from '../../model/rules/command-rules.ts';
import { chainOf, ready, resolveChain } from '../../model/type-book.ts';
import type { ModuleCopy } from '../instances.types.ts';
import { type FilePath, type Findings, listed } from './findings.ts';
import { type Wanted, wantedBy } from './wanted.ts';

/** Message of a violation, followed by the type's name. */
export const UNDEFINED = 'no module of this service defines the type';

/** A type with everything that it inherits that components need. */
export interface ComponentType extends ResolvedType {
  /** By name. The nearest type in the chain that defines a name wins. */
  links: ReadonlyMap<string, LinkRule>;
  commands: ReadonlyMap<string, Commands[string]>;
  /** Name and archive digest of each type of its chain that a copy defines. */
  code: readonly string[];
  /** Properties that its texts refer to. */
  wanted: readonly Wanted[];
}

export class CopiedTypes {
  readonly #byKey = new Map<string, { named: NamedType; copy: ModuleCopy | undefined }>();
  readonly #resolved = new Map<string, Promise<ComponentType | undefined>>();
  readonly #findings: Findings;
  readonly #complete: boolean;
  /** The types of the copies, by bare name. */
  readonly own = new Map<string, { type: ModuleType; copy: ModuleCopy }>();

  /** `complete`: false if a copy is missing, which may define the unknown types; they are then not reported. */
  constructor(copies: Iterable<ModuleCopy>, builtins: readonly NamedType[], findings: Findings, { complete = true } = {}) {
    this.#findings = findings;
    this.#complete = complete;
    for (const named of builtins) this.#byKey.set(typeKey(named.name), { named, copy: undefined });
    for (const copy of copies) for (const [name, type] of Object.entries(copy.manifest.types ?? {})) this.#take(name, type, copy);
  }

  #take(name: string, type: ModuleType, copy: ModuleCopy): void {
    const key = typeKey(name);
    const before = this.#byKey.get(key);
    const fault = (kind: 'MODULE_INVALID' | 'DUPLICATE_TYPE', message: string, next: string): void =>
      this.#findings.addAt(kind, whereOf(copy, name), message, next);
    if (key === typeKey(NODE_TYPE)) fault('MODULE_INVALID', 'Node is reserved for machines and cannot be a type', 'Give it another name.');
    if (before?.copy !== undefined) {
      fault(
        'DUPLICATE_TYPE',
        `${before.copy.name} defines the type ${before.named.name} already`,
        'Rename one of them, or leave one of the modules out.',
      );
    }
    if (key === typeKey(NODE_TYPE) || before?.copy !== undefined) return;
    const { digest, version } = copy;
    // this only marks the type as part of a module: the copy is published, and then signed, later
    this.#byKey.set(key, { named: { name, spec: { ...type, module: { name: copy.name, version, digest, publisher: '' } } }, copy });
    this.own.set(name, { type, copy });
  }

  /** Checks every type of the copies, including those without a component. */
  async judge(): Promise<void> {
    for (const name of this.own.keys()) await this.resolve(name);
  }

  /** Reports a type that does not exist. */
  unknown(where: FilePath | string, name: string, message: string): void {
    if (!this.#complete) return;
    const names = [...this.#byKey.values()].map(({ named }) => named.name).sort();
    const near = nearMiss(name, names);
    const next = near === undefined ? `There are: ${listed(names, 20)}.` : `Did you mean ${near}?`;
    if (typeof where === 'string') this.#findings.addAt('UNKNOWN_TYPE', where, `${message} ${name}`, next);
    else this.#findings.add('UNKNOWN_TYPE', where, `${message} ${name}`, next);
  }

  has(name: string): boolean {
    return this.#byKey.has(typeKey(name));
  }

  /**
   * Undefined if there is no type of that name, or its chain is faulty. Reports what is wrong with it, except that the name
   * itself is unknown.
   */
  resolve(name: string): Promise<ComponentType | undefined> {
    const key = typeKey(name);
    const found = this.#resolved.get(key) ?? this.#resolve(name);
    this.#resolved.set(key, found);
    return found;
  }

  async #resolve(name: string): Promise<ComponentType | undefined> {
    const chain = await chainOf(name, (wanted) => Promise.resolve(this.#byKey.get(typeKey(wanted))?.named));
    const copy = this.#byKey.get(typeKey(name))?.copy;
    const where = copy === undefined ? name : whereOf(copy, name);
    if ('fault' in chain) {
      if (chain.fault === 'unknown' && chain.name !== name)
        this.unknown(where, chain.name, 'it extends a type that no module of this service defines:');
      if (chain.fault === 'cycle') this.#findings.addAt('DEPENDS_ON_ITSELF', where, `it extends itself: ${chain.names.join(' → ')}`);
      if (chain.fault === 'deep') this.#findings.addAt('TOO_MANY', where, `has more than ${MAX_SUPERTYPES} supertypes`);
      return undefined;
    }
    const resolved = await resolveChain(chain);
    if (copy !== undefined) await this.#judge(chain, resolved, where);
    const links = new Map<string, LinkRule>();
    const commands = new Map<string, Commands[string]>();
    for (const { spec } of chain) {
      for (const [link, rule] of Object.entries(spec.links ?? {})) if (!links.has(link)) links.set(link, rule);
      for (const [command, rule] of Object.entries(spec.commands ?? {})) if (!commands.has(command)) commands.set(command, rule);
    }
    const code = chain.flatMap((type) => {
      const of = this.#byKey.get(typeKey(type.name))?.copy;
      return of === undefined ? [] : [`${type.name} ${of.digest}`];
    });
    const wanted = wantedBy(chain.flatMap(({ name: one }) => this.#byKey.get(typeKey(one)) ?? []));
    return { ...resolved, links, commands, code, wanted };
  }

  async #judge(chain: readonly NamedType[], resolved: ResolvedType, where: string): Promise<void> {
    const fault = (field: string, message: string): void => this.#findings.addAt('MODULE_INVALID', `${where}.${field}`, message);
    const spec = chain[0]?.spec ?? {};
    for (const { property, inherited, own } of wrongOverrides(chain)) {
      fault(`properties.${property}`, `is of type ${own}, and ${inherited} in a type that it extends`);
    }
    for (const [property, rule] of Object.entries(spec.properties ?? {})) {
      const compiled = rule.pattern === undefined ? undefined : await compilePattern(rule.pattern);
      if (compiled !== undefined && 'error' in compiled) fault(`properties.${property}.pattern`, compiled.error);
      const effective = resolved.properties.get(property)?.rule ?? (await ready(rule));
      for (const { field, message } of ruleFaults(effective)) fault(`properties.${property}.${field}`, message);
    }
    if (resolved.properties.size > MAX_PROPERTIES)
      fault('properties', `has more than ${MAX_PROPERTIES} properties with those that it inherits`);
    for (const [relation, rules] of [['children', spec.children] as const, ['parents', spec.parents] as const]) {
      for (const rule of rules ?? []) if (!this.#isEnd(rule.type)) this.unknown(`${where}.${relation}`, rule.type, UNDEFINED);
    }
    for (const [link, rule] of Object.entries(spec.links ?? {})) {
      if (rule.type !== undefined && !this.has(rule.type)) this.unknown(`${where}.links.${link}`, rule.type, UNDEFINED);
    }
    await judgeCommands(chain, { add: (field, message) => fault(field.replace(/^spec\./, ''), message) });
  }

  #isEnd(name: string): boolean {
    return typeKey(name) === typeKey(NODE_TYPE) || this.has(name);
  }
}

export function whereOf(copy: ModuleCopy, type: string): string {
  return `${copy.name} types.${type}`;
}
