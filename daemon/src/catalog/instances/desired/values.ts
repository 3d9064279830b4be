/**
 * Values of components' properties: what the file says, else what links bring, else the default. Each is evaluated once, when
 * first requested; a value requested during its own evaluation depends on itself. All resources of a component have the same
 * values.
 */
import type { PropertyRule } from '../../../../../protocol/definitions/type-rules.ts';
import { isRecord } from '../../../../../protocol/encoding/json.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import type { Components, ExpandedComponent, Placed } from './component.ts';
import { type FilePath, type Findings, listed } from './findings.ts';
import { interpolate } from './interpolation.ts';
import type { End, ResolvedLink } from './links.ts';
import { fits, isKnown, type Known, known, MAX_VALUE, type Outcome } from './outcome.ts';
import type { Scope } from './scope.ts';
import type { Target } from './target.ts';

/** Length of a chain of values taken from one another. */
const MAX_CHAIN = 256;
const LOOPBACK = '127.0.0.1';

/** A value that a link brings to a property. */
interface Contribution {
  end: End;
  /** Source at the end: a property, `node.name`, `node.address`, `resource.name` or `component.name`; for the target, an offer. */
  source: string;
  path: FilePath;
}

/** Values of one source, each with its resource. */
interface Taken {
  items: { resource: string; value: Known }[];
  /** The number of items may change, as with a `count`. */
  counted: boolean;
}

export interface Addresses {
  /** The address by which others reach a node, if known. */
  of(node: string): string | undefined;
  /** True if this node is the only known one. */
  alone: boolean;
}

export class Values {
  readonly #components: Components;
  readonly #contributions: ReadonlyMap<string, ReadonlyMap<string, readonly Contribution[]>>;
  readonly #scope: Scope;
  readonly #target: Target;
  readonly #addresses: Addresses;
  readonly #findings: Findings;
  readonly #done = new Map<string, Outcome>();
  readonly #busy: string[] = [];

  constructor(options: {
    components: Components;
    links: readonly ResolvedLink[];
    scope: Scope;
    target: Target;
    addresses: Addresses;
    findings: Findings;
  }) {
    this.#components = options.components;
    this.#contributions = contributionsOf(options.links);
    this.#scope = options.scope;
    this.#target = options.target;
    this.#addresses = options.addresses;
    this.#findings = options.findings;
  }

  /** Names of a component's properties that have a value in the file or from links. */
  named(component: ExpandedComponent): string[] {
    return [
      ...new Set([...Object.keys(component.written.properties ?? {}), ...(this.#contributions.get(component.name)?.keys() ?? [])]),
    ].sort();
  }

  /** The place in the file that a property gets its value from. */
  pathOf(component: ExpandedComponent, property: string): FilePath {
    const path = this.#contributions.get(component.name)?.get(property)?.[0]?.path;
    return isWritten(component, property) || path === undefined ? ['components', component.name, 'properties', property] : path;
  }

  /** The own value of a property. */
  own(component: ExpandedComponent, property: string): Outcome {
    const id = `${component.name}.${property}`;
    const done = this.#done.get(id);
    if (done !== undefined) return done;
    const at = this.#busy.indexOf(id);
    if (at !== -1) {
      const cycle = [...this.#busy.slice(at), id];
      this.#findings.add(
        'DEPENDS_ON_ITSELF',
        this.pathOf(component, property),
        `its value depends on itself: ${cycle.join(' ← ')}`,
        'Give one of them a fixed value.',
      );
      return 'broken';
    }
    if (this.#busy.length >= MAX_CHAIN) {
      this.#findings.add('TOO_MANY', this.pathOf(component, property), `its value is taken through more than ${MAX_CHAIN} other values`);
      return 'broken';
    }
    this.#busy.push(id);
    const outcome = this.#evaluated(component, property);
    this.#busy.pop();
    this.#done.set(id, outcome);
    return outcome;
  }

  /** The own value, else the default. */
  effective(component: ExpandedComponent, property: string): Outcome {
    const own = this.own(component, property);
    if (own !== 'unset') return own;
    const rule = component.type?.properties.get(property)?.rule;
    return rule?.default === undefined ? 'unset' : known(rule.default, rule.type === 'secret');
  }

  /** Resolves `NAME.SOURCE` in offers and apps. A list if the component has several resources or a count. */
  referred(reference: string, path: FilePath): Outcome {
    const dot = reference.indexOf('.');
    const [name, source] = dot === -1 ? [reference, ''] : [reference.slice(0, dot), reference.slice(dot + 1)];
    const component = this.#components.get(name);
    if (component === undefined || source === '') {
      const near = nearMiss(name, this.#components.keys());
      const next = near === undefined ? `There are: ${listed([...this.#components.keys()])}.` : `Did you mean ${near}?`;
      if (component === undefined)
        this.#findings.add('UNKNOWN_COMPONENT', path, `refers to a component ${name.slice(0, 80)}, which does not exist`, next);
      else
        this.#findings.add(
          'ILLEGAL_VALUE',
          path,
          `refers to the component ${name}, but not to a property of it`,
          `Write \${components.${name}.PROPERTY}.`,
        );
      return 'broken';
    }
    const taken = this.#ofComponent(component, source, path, undefined);
    if (taken === 'broken') return 'broken';
    const { items, counted } = taken;
    const [first] = items;
    if (!counted && items.length < 2) return first?.value ?? 'unset';
    return known(
      items.map(({ value }) => value.value),
      items.some(({ value }) => value.secret),
    );
  }

  #evaluated(component: ExpandedComponent, property: string): Outcome {
    const rule = component.type?.properties.get(property)?.rule;
    const path = this.pathOf(component, property);
    const outcome = isWritten(component, property)
      ? interpolate(component.written.properties?.[property], this.#scope.at(path))
      : this.#brought(component, property, rule);
    if (!isKnown(outcome)) return outcome;
    if (!fits(outcome.value)) {
      this.#findings.add('TOO_MANY', path, `becomes longer than ${MAX_VALUE} characters, the most that a value may have`);
      return 'broken';
    }
    return rule?.type === 'secret' ? known(outcome.value, true) : outcome;
  }

  /** Combines what links bring into the form that the property takes. */
  #brought(component: ExpandedComponent, property: string, rule: PropertyRule | undefined): Outcome {
    const contributions = this.#contributions.get(component.name)?.get(property) ?? [];
    if (contributions.length === 0) return 'unset';
    const all = contributions.map((contribution) => this.#taken(component, contribution));
    if (all.includes('broken')) return 'broken';
    const taken = all.filter((one) => one !== 'broken');
    const items = taken.flatMap((one) => one.items);
    const secret = items.some(({ value }) => value.secret);
    const [first] = items;
    const single = taken.length === 1 && taken[0]?.counted === false;
    if (rule?.type === 'array') {
      if (single && first === undefined) return 'unset';
      return known(
        taken.flatMap((one) =>
          one.items.flatMap(({ value }) => (!one.counted && Array.isArray(value.value) ? value.value : [value.value])),
        ),
        secret,
      );
    }
    if (rule?.type === 'object') {
      if (single && (first === undefined || isRecord(first.value.value))) return first?.value ?? 'unset';
      return known(Object.fromEntries(items.map(({ resource, value }) => [resource, value.value])), secret);
    }
    if (items.length < 2) return first?.value ?? 'unset';
    if (rule === undefined && component.type?.open === true) {
      return known(
        items.map(({ value }) => value.value),
        secret,
      );
    }
    this.#findings.add(
      'ILLEGAL_VALUE',
      contributions[0]?.path ?? [],
      `${property} of ${component.name} takes one value, and gets ${items.length}: from ${listed([...new Set(items.map(({ resource }) => resource))])}`,
      'Link it to one resource, or make the property an array.',
    );
    return 'broken';
  }

  #taken(taker: ExpandedComponent, { end, source, path }: Contribution): Taken | 'broken' {
    if (end.of === 'target') {
      const offer = this.#target.offer(source, path);
      if (offer === 'broken') return 'broken';
      return { items: isKnown(offer) ? [{ resource: 'target', value: offer }] : [], counted: false };
    }
    if (end.of === 'service') return this.#ofService(end, source, path, taker);
    const component = this.#components.get(end.name);
    return component === undefined ? 'broken' : this.#ofComponent(component, source, path, taker);
  }

  #ofComponent(component: ExpandedComponent, source: string, path: FilePath, taker: ExpandedComponent | undefined): Taken | 'broken' {
    if (!component.placed) return 'broken';
    const { resources, counted } = component;
    if (source === 'component.name') return { items: [{ resource: component.name, value: known(component.name) }], counted: false };
    if (isOfResource(source)) {
      const values = resources.map((resource) => ({ resource: resource.name, value: this.#ofResource(resource, source, path, taker) }));
      if (values.some(({ value }) => value === undefined)) return 'broken';
      return { items: values.flatMap(({ resource, value }) => (value === undefined ? [] : [{ resource, value: known(value) }])), counted };
    }
    const { type } = component;
    if (type === undefined) return 'broken';
    if (!type.open && !type.properties.has(source)) {
      const near = nearMiss(source, type.properties.keys());
      const next =
        near === undefined
          ? `It has: ${listed([...type.properties.keys()].sort(), 20)}, and node.name, node.address, resource.name, component.name.`
          : `Did you mean ${near}?`;
      this.#findings.add('COMPONENT_CONSTRAINT', path, `${component.name}, a ${type.name}, has no property ${source.slice(0, 80)}`, next);
      return 'broken';
    }
    const outcome = this.effective(component, source);
    if (outcome === 'broken') return 'broken';
    return { items: isKnown(outcome) ? resources.map(({ name }) => ({ resource: name, value: outcome })) : [], counted };
  }

  #ofService(
    { resources, counted, service }: Extract<End, { of: 'service' }>,
    source: string,
    path: FilePath,
    taker: ExpandedComponent,
  ): Taken | 'broken' {
    const items: Taken['items'] = [];
    for (const resource of resources) {
      const secret = resource.secrets.includes(source);
      const own = Object.hasOwn(resource.properties, source) ? resource.properties[source] : undefined;
      const value =
        source === 'component.name' ? resource.component : isOfResource(source) ? this.#ofResource(resource, source, path, taker) : own;
      if (value === undefined && isOfResource(source)) return 'broken';
      if (value !== undefined) items.push({ resource: resource.name, value: known(value, secret) });
    }
    if (items.length > 0) return { items, counted };
    this.#findings.add(
      'UNMET_DEPENDENCY',
      path,
      `${service}/${resources[0]?.component ?? ''} has no value for ${source.slice(0, 80)}`,
      `Set it there, and converge ${service}.`,
    );
    return 'broken';
  }

  #ofResource({ name, node }: Placed, source: string, path: FilePath, taker: ExpandedComponent | undefined): string | undefined {
    if (source === 'resource.name') return name;
    if (source === 'node.name') return node;
    const address = this.#addresses.of(node);
    if (address !== undefined) return address;
    const together = taker?.resources.every((resource) => resource.node === node) ?? false;
    if (together || this.#addresses.alone) return LOOPBACK;
    this.#findings.add(
      'UNMET_DEPENDENCY',
      path,
      `the address of ${node} is not known`,
      `Start its daemon with --announce ADDRESS, or give a fixed value.`,
    );
    return undefined;
  }
}

function isOfResource(source: string): boolean {
  return source === 'node.name' || source === 'node.address' || source === 'resource.name';
}

function isWritten(component: ExpandedComponent, property: string): boolean {
  return Object.hasOwn(component.written.properties ?? {}, property);
}

function contributionsOf(links: readonly ResolvedLink[]): Map<string, Map<string, Contribution[]>> {
  const all = new Map<string, Map<string, Contribution[]>>();
  const add = (component: string, property: string, contribution: Contribution): void => {
    const properties = all.get(component) ?? new Map<string, Contribution[]>();
    all.set(component, properties);
    const list = properties.get(property) ?? [];
    properties.set(property, list);
    list.push(contribution);
  };
  for (const { component, end, take, give, path } of links) {
    for (const [property, source] of Object.entries(take)) add(component, property, { end, source, path });
    if (end.of !== 'component') continue;
    for (const [property, source] of Object.entries(give))
      add(end.name, property, { end: { of: 'component', name: component }, source, path });
  }
  return all;
}
