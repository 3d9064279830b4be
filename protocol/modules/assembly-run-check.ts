/**
 * Checks an assembly as the converge of a service would that was staged from it with nothing set. Pure, except for the pattern engine.
 * Leaves out what an instance or a node decides.
 */
import { type Assembly, type Component, type Link, MAX_APP_DOMAINS } from '../definitions/assembly.ts';
import { missingOptions } from '../definitions/option-value.ts';
import type { PropertyType } from '../definitions/property-types.ts';
import { typeOfRule, valueFault } from '../definitions/property-value.ts';
import type { LinkRule, PropertyRule } from '../definitions/type-rules.ts';
import { DtkdError } from '../errors.ts';
import { parseNodeFilter } from '../filter/parse-filter.ts';
import { cycleFrom } from './cycle.ts';
import type { KnownType, KnownTypes } from './known-types.ts';
import type { ModuleFault } from './manifest.ts';
import { hasReference, referencesIn, wrongReferences } from './references.ts';
import { BESIDE_PROPERTIES } from './type-check.ts';
import { wholeRuleFaults, withPattern } from './type-run-check.ts';
import { workflowRunFaults } from './workflow-run-check.ts';

const TARGET = 'target';
/** Commands that a converge runs on its own, without options. */
const ACTS = ['create', 'converge'] as const;
/** Matches a text that consists of one reference to a parameter. */
const ONE_PARAMETER = /^\$\{\s*parameters\.([^}]*?)\s*\}$/;

export async function assemblyRunFaults(name: string, assembly: Assembly, known: KnownTypes): Promise<ModuleFault[]> {
  const check = new Check(`assemblies.${name}`, assembly, known);
  return check.run();
}

class Check {
  readonly #field: string;
  readonly #assembly: Assembly;
  readonly #known: KnownTypes;
  readonly #components: ReadonlyMap<string, Component>;
  readonly #faults: ModuleFault[] = [];

  constructor(field: string, assembly: Assembly, known: KnownTypes) {
    this.#field = field;
    this.#assembly = assembly;
    this.#known = known;
    this.#components = new Map(Object.entries(assembly.components ?? {}));
  }

  async run(): Promise<ModuleFault[]> {
    const { parameters = {}, apps = {}, offers = {}, workflows = {} } = this.#assembly;
    for (const [name, rule] of Object.entries(parameters)) {
      for (const { field, message } of await wholeRuleFaults(rule)) this.#add(`parameters.${name}.${field}`, message);
      wrongReferences(rule.default, { scopes: { target: 'any' } }, (below, message) =>
        this.#add(`parameters.${name}.default${below}`, message),
      );
    }
    for (const [name, component] of this.#components) await this.#component(`components.${name}`, name, component);
    this.#names();
    this.#cycle();
    for (const [name, app] of Object.entries(apps)) {
      this.#port(`apps.${name}.port`, app.component, app.port ?? 'port');
      if (app.domains.length > MAX_APP_DOMAINS)
        this.#add(`apps.${name}.domains`, `an app is shared into at most ${MAX_APP_DOMAINS} domains`);
      for (const field of ['address', 'authenticationURL'] as const) this.#referred(`apps.${name}.${field}`, app[field]);
    }
    for (const [name, value] of Object.entries(offers)) this.#referred(`offers.${name}`, value);
    if (typeof offers['nodes'] === 'string') await this.#filter('offers.nodes', offers['nodes'], 'include');
    const told = workflowRunFaults(workflows, { components: this.#components, known: this.#known });
    this.#faults.push(...told.map(({ field, message }) => ({ field: `${this.#field}.workflows.${field}`, message })));
    return this.#faults;
  }

  #add(field: string, message: string): void {
    this.#faults.push({ field: `${this.#field}.${field}`, message });
  }

  /** Returns the type of a component, if the type and all its supertypes are known. */
  #typeOf(component: Component | undefined): KnownType | undefined {
    const type = component === undefined ? undefined : this.#known.get(component.type);
    return type?.isWhole === true ? type : undefined;
  }

  async #component(field: string, name: string, component: Component): Promise<void> {
    const { properties = {}, on, links = {}, parents = [] } = component;
    const written = typeof on === 'string' ? { nodes: on } : (on ?? {});
    const at = typeof on === 'string' ? `${field}.on` : `${field}.on.nodes`;
    if (written.nodes !== undefined) await this.#filter(at, written.nodes, 'include');
    if (written.except !== undefined) await this.#filter(`${field}.on.except`, written.except, 'exclude');
    const count = this.#withDefault(written.count);
    if (typeof count === 'string' && count !== 'all' && !/^[0-9]+$/.test(count) && !hasReference(count))
      this.#add(`${field}.on.count`, `expected a number or all, got ${JSON.stringify(count.slice(0, 80))}`);
    const type = this.#typeOf(component);
    if (type === undefined) return;
    for (const act of ACTS) {
      const command = type.commands.get(act)?.command;
      const [option] = command?.private === true ? [] : missingOptions(command?.options);
      if (option !== undefined)
        this.#add(`${field}.type`, `the command ${act} of ${type.name} needs the option ${option}, and is run without options`);
    }
    for (const [property, value] of Object.entries(properties)) await this.#value(`${field}.properties.${property}`, type, property, value);
    for (const [link, to] of Object.entries(links)) this.#link(`${field}.links.${link}`, name, type, link, to);
    if (!mayStand(type, 'parents', ['node']))
      this.#add(`${field}.type`, `a ${type.name} cannot be on a node; see parents in its type for what it can be a child of`);
    for (const [index, parent] of parents.entries())
      this.#parent(`${field}.parents[${index}]`, type, this.#typeOf(this.#components.get(parent)));
  }

  async #value(field: string, type: KnownType, property: string, written: unknown): Promise<void> {
    const rule = type.properties.get(property);
    const value = this.#withDefault(written);
    if (rule === undefined || value === undefined || hasReference(value)) return;
    const judged = await withPattern(rule);
    const fault = 'error' in judged ? undefined : valueFault(judged, value, rule.type === 'secret');
    if (fault !== undefined) this.#add(field, value === written ? fault : `by the default of the parameter: ${fault}`);
  }

  /** Resolves a value that is one parameter to the parameter's default, as if nobody had set it. */
  #withDefault(value: unknown): unknown {
    const [, name] = (typeof value === 'string' ? ONE_PARAMETER.exec(value) : undefined) ?? [];
    const { parameters = {} } = this.#assembly;
    return name === undefined || !Object.hasOwn(parameters, name) ? value : parameters[name]?.default;
  }

  #link(field: string, name: string, type: KnownType, link: string, to: Link): void {
    const inline = typeof to === 'string' ? { to, take: undefined, give: undefined } : to;
    const rule: LinkRule | undefined = type.links.get(link);
    const take = inline.take ?? rule?.take ?? {};
    const give = inline.give ?? rule?.give ?? {};
    const other = this.#components.get(inline.to);
    for (const property of Object.keys(take)) {
      if (type.properties.get(property)?.dynamic === true)
        this.#add(field, `${property} is computed when commands run, and cannot be given`);
    }
    if (other === undefined) {
      if (inline.to === TARGET && rule?.type !== undefined)
        this.#add(field, `this link of a ${type.name} leads to a ${rule.type}, not to the target`);
      if ((inline.to === TARGET || inline.to.includes('/')) && Object.keys(give).length > 0)
        this.#add(field, 'values can be given to components of the same service only');
      return;
    }
    const end = this.#typeOf(other);
    if (end === undefined || inline.to === name) return;
    if (rule?.type !== undefined && !isA(end, rule.type)) this.#add(field, `it leads to a ${rule.type}, and ${inline.to} is a ${end.name}`);
    const there = { name: inline.to, type: end };
    for (const [property, source] of Object.entries(take)) this.#brought(field, { name, type }, property, there, source);
    for (const [property, source] of Object.entries(give)) {
      this.#property(field, inline.to, end, property);
      this.#brought(field, there, property, { name, type }, source);
    }
  }

  /** Checks what a link passes from a property of one component to a property of another. */
  #brought(field: string, to: LinkEnd, property: string, from: LinkEnd, source: string): void {
    this.#property(field, from.name, from.type, source);
    const rule = to.type.properties.get(property);
    const given = BESIDE_PROPERTIES.has(source) ? TEXT : from.type.properties.get(source);
    if (rule === undefined || given === undefined || rule.type === 'array' || rule.type === 'object') return;
    const [wanted, brought] = [typeOfRule(rule), typeOfRule(given)];
    if (familyOf(wanted) !== familyOf(brought))
      this.#add(field, `${property} of ${to.name} is of type ${wanted}, and ${source} of ${from.name} of type ${brought}`);
    const on = this.#components.get(from.name)?.on;
    const count = typeof on === 'object' ? this.#withDefault(on.count) : undefined;
    if (typeof count === 'number' && count > 1 && source !== 'component.name')
      this.#add(field, `${property} of ${to.name} takes one value, and gets those of ${count} resources of ${from.name}`);
  }

  #property(field: string, component: string, type: KnownType, property: string): void {
    if (BESIDE_PROPERTIES.has(property) || type.open || type.properties.has(property)) return;
    this.#add(field, `${component}, a ${type.name}, has no property ${JSON.stringify(property.slice(0, 63))}`);
  }

  #parent(field: string, type: KnownType, parent: KnownType | undefined): void {
    if (parent === undefined) return;
    if (!mayStand(type, 'parents', keysOf(parent))) this.#add(field, `a ${type.name} cannot be a child of a ${parent.name}`);
    if (!mayStand(parent, 'children', keysOf(type))) this.#add(field, `a ${parent.name} cannot have a ${type.name} as child`);
  }

  /** Checks that no two components have resources of the same name. */
  #names(): void {
    for (const [name, { on }] of this.#components) {
      const count = typeof on === 'object' ? on.count : undefined;
      for (let number = 1; typeof count === 'number' && number <= count; number++) {
        const other = this.#components.get(`${name}-${number}`);
        const isCounted = typeof other?.on === 'object' && other.on.count !== undefined;
        if (other !== undefined && !isCounted)
          this.#add(`components.${name}-${number}`, `it and ${name} would both have a resource ${name}-${number}`);
      }
    }
  }

  /** Checks for cycles. A link that only gives makes the other end depend on the component that has the link. */
  #cycle(): void {
    const needs = new Map([...this.#components.keys()].map((name) => [name, new Set<string>()]));
    for (const [name, component] of this.#components) {
      const type = this.#typeOf(component);
      for (const one of component.after ?? []) if (one !== name && needs.has(one)) needs.get(name)?.add(one);
      for (const [link, to] of Object.entries(component.links ?? {})) {
        const inline = typeof to === 'string' ? { to, take: undefined, give: undefined } : to;
        const rule = type?.links.get(link);
        if (type === undefined || inline.to === name || !needs.has(inline.to)) continue;
        const takes = Object.keys(inline.take ?? rule?.take ?? {}).length > 0;
        const onlyGives = !takes && Object.keys(inline.give ?? rule?.give ?? {}).length > 0;
        if (onlyGives) needs.get(inline.to)?.add(name);
        else needs.get(name)?.add(inline.to);
      }
    }
    const done = new Set<string>();
    for (const name of needs.keys()) {
      const cycle = cycleFrom(name, (one) => [...(needs.get(one) ?? [])], done);
      if (cycle !== undefined)
        this.#add(`components.${cycle[0] ?? name}`, `components depend on one another in a circle: ${cycle.join(' → ')}`);
    }
  }

  #port(field: string, name: string, property: string): void {
    const type = this.#typeOf(this.#components.get(name));
    if (type === undefined) return;
    const rule = type.properties.get(property);
    if (rule === undefined && !type.open) this.#add(field, `a ${type.name} has no property ${property}`);
    else if (rule !== undefined && !PORTS.has(rule.type ?? 'string'))
      this.#add(field, `${property} of ${name} is of type ${rule.type ?? 'string'}, not a port`);
  }

  /** Checks `${components.NAME.PROPERTY}` references in a value. */
  #referred(field: string, value: unknown): void {
    for (const reference of referencesIn(value)) {
      const [, name, property] = /^components\.([^.]+)\.(.+)$/.exec(reference) ?? [];
      const type = this.#typeOf(this.#components.get(name ?? ''));
      if (name !== undefined && property !== undefined && type !== undefined) this.#property(field, name, type, property);
    }
  }

  async #filter(field: string, written: string, part: 'include' | 'exclude'): Promise<void> {
    const text = this.#withDefault(written);
    if (typeof text !== 'string' || hasReference(text)) return;
    try {
      await parseNodeFilter({ [part]: [text] });
    } catch (error) {
      if (!(error instanceof DtkdError)) throw error;
      this.#add(field, error.message.split('\n', 1)[0] ?? '');
    }
  }
}

interface LinkEnd {
  /** Name of the component. */
  name: string;
  type: KnownType;
}

const TEXT: PropertyRule = { type: 'string' };

/** Maps types that share values to one of them. */
function familyOf(type: PropertyType): PropertyType {
  if (type === 'integer' || type === 'port') return 'number';
  return type === 'secret' ? 'string' : type;
}

const PORTS: ReadonlySet<string> = new Set(['port', 'integer', 'number']);

function isA(type: KnownType, wanted: string): boolean {
  return keysOf(type).includes(wanted.toLowerCase());
}

function keysOf({ lineage }: KnownType): string[] {
  return lineage.map(({ name }) => name.toLowerCase());
}

/** True if a relation allows this end. The nearest type that declares the relation decides. */
function mayStand({ lineage }: KnownType, relation: 'children' | 'parents', end: readonly string[]): boolean {
  const rules = lineage.find(({ type }) => type[relation] !== undefined)?.type[relation];
  return rules === undefined || rules.some(({ type, max }) => max !== 0 && end.includes(type.toLowerCase()));
}
