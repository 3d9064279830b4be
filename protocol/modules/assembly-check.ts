/** Checks an assembly of a module. Pure. What depends on the node or on other modules is checked when a service is staged or converged. */
import { type Assembly, type Component, type Link, MAX_COMPONENTS } from '../definitions/assembly.ts';
import { ruleFaults, valueFault } from '../definitions/property-value.ts';
import { cycleFrom } from './cycle.ts';
import type { ModuleFault } from './manifest.ts';
import { hasReference, wrongReferences } from './references.ts';
import { unknownType } from './type-check.ts';
import type { TypeTable } from './type-table.ts';
import { workflowFaults } from './workflow-check.ts';

/** The one end of a link that is not a component. */
const TARGET = 'target';

/** Returns all faults of an assembly. Fields begin with `assemblies.NAME`. */
export function assemblyFaults(name: string, assembly: Assembly, types: TypeTable): ModuleFault[] {
  const check = new AssemblyCheck(`assemblies.${name}`, assembly, types);
  return check.run();
}

class AssemblyCheck {
  readonly #field: string;
  readonly #assembly: Assembly;
  readonly #types: TypeTable;
  readonly #components: ReadonlyMap<string, Component>;
  readonly #parameters: ReadonlySet<string>;
  readonly #faults: ModuleFault[] = [];

  constructor(field: string, assembly: Assembly, types: TypeTable) {
    this.#field = field;
    this.#assembly = assembly;
    this.#types = types;
    this.#components = new Map(Object.entries(assembly.components ?? {}).slice(0, MAX_COMPONENTS));
    this.#parameters = new Set(Object.keys(assembly.parameters ?? {}));
  }

  run(): ModuleFault[] {
    const { components = {}, parameters = {}, apps = {}, workflows = {} } = this.#assembly;
    if (Object.keys(components).length > MAX_COMPONENTS) this.#add('components', `an assembly has at most ${MAX_COMPONENTS} components`);
    this.#role();
    for (const [name, rule] of Object.entries(parameters)) {
      for (const { field, message } of ruleFaults(rule)) this.#add(`parameters.${name}.${field}`, message);
    }
    for (const [name, component] of this.#components) this.#component(`components.${name}`, name, component);
    this.#cycle();
    for (const [name, app] of Object.entries(apps)) {
      this.#exists(`apps.${name}.component`, app.component);
      this.#references(`apps.${name}`, app, true);
      if (app.authenticationType === 'Custom' && app.authenticationURL === undefined)
        this.#add(`apps.${name}.authenticationURL`, 'is needed with the authenticationType Custom');
    }
    this.#references('offers', this.#assembly.offers ?? {}, true);
    this.#faults.push(
      ...workflowFaults(workflows, { components: this.#components, types: this.#types, parameters: this.#parameters }).map(
        ({ field, message }) => ({ field: `${this.#field}.workflows.${field}`, message }),
      ),
    );
    return this.#faults;
  }

  #add(field: string, message: string): void {
    this.#faults.push({ field: `${this.#field}.${field}`, message });
  }

  #role(): void {
    const { role, kind, offers } = this.#assembly;
    if (role === TARGET && kind === undefined) this.#add('kind', 'a target needs a kind, by which assemblies ask for it');
    if (role !== TARGET && kind !== undefined)
      this.#add('kind', 'only a target (role: target) has a kind; an assembly that needs a target has target: KIND');
    if (role !== TARGET && offers !== undefined) this.#add('offers', 'only a target (role: target) has offers');
  }

  #component(field: string, name: string, component: Component): void {
    const { type, properties = {}, on, parents = [], links = {}, after = [] } = component;
    if (name === TARGET)
      this.#add(field, 'target is reserved for the target that a service is staged against, and cannot be the name of a component');
    this.#type(`${field}.type`, type);
    for (const [property, value] of Object.entries(properties)) this.#property(`${field}.properties.${property}`, type, property, value);
    this.#references(`${field}.properties`, properties, false);
    if (on !== undefined) this.#references(`${field}.on`, on, false);
    const count = typeof on === 'object' ? on.count : undefined;
    if (typeof count === 'string' && count !== 'all' && !hasReference(count)) {
      this.#add(`${field}.on.count`, `expected a number, all, or a reference such as \${parameters.count}, got ${JSON.stringify(count)}`);
    }
    for (const [index, parent] of parents.entries()) this.#other(`${field}.parents[${index}]`, name, parent, 'a child of');
    for (const [index, one] of after.entries()) this.#other(`${field}.after[${index}]`, name, one, 'after');
    for (const [link, to] of Object.entries(links)) this.#link(`${field}.links.${link}`, name, type, link, to);
  }

  #type(field: string, name: string): void {
    const known = this.#types.known(name);
    if (known === 'unknown') this.#add(field, unknownType(name));
    else if (known === 'node') this.#add(field, 'a component cannot be a node: nodes exist already; name them with on:');
    else if (typeof known === 'object' && known.type.abstract === true)
      this.#add(field, `${known.name} is abstract: only types that extend it can be used`);
  }

  #property(field: string, type: string, property: string, value: unknown): void {
    const rule = this.#types.property(type, property);
    if (rule === 'open') return;
    if (rule === undefined) this.#add(field, `type ${type} has no property ${property}`);
    else if (rule.dynamic === true) this.#add(field, 'is computed when commands run, and cannot be set');
    else if (!hasReference(value)) {
      const fault = valueFault(rule, value);
      if (fault !== undefined) this.#add(field, fault);
    }
  }

  #link(field: string, name: string, type: string, link: string, to: Link): void {
    const end = endOf(to);
    const { take, give } = typeof to === 'string' ? { take: undefined, give: undefined } : to;
    if (end !== TARGET && !end.includes('/')) this.#other(typeof to === 'string' ? field : `${field}.to`, name, end, 'linked to');
    const rule = this.#types.link(type, link);
    if (rule === undefined && take === undefined && give === undefined) {
      this.#add(field, `type ${type} has no link ${link}: add what it takes or gives, or declare it under links of the type`);
    }
    for (const property of Object.keys(take ?? {})) {
      if (this.#types.property(type, property) === undefined)
        this.#add(`${field}.take.${property}`, `type ${type} has no property ${property}`);
    }
  }

  /** Checks that `other` is an existing component, and not the same one. */
  #other(field: string, name: string, other: string, what: string): void {
    if (other === name) this.#add(field, `${name} cannot be ${what} itself`);
    else this.#exists(field, other);
  }

  #exists(field: string, component: string): void {
    if (!this.#components.has(component)) this.#add(field, `there is no component ${JSON.stringify(component)}`);
  }

  #references(field: string, value: unknown, withComponents: boolean): void {
    const scopes = {
      parameters: this.#parameters,
      target: 'any' as const,
      ...(withComponents ? { components: new Set(this.#components.keys()) } : {}),
    };
    wrongReferences(value, { scopes }, (below, message) => this.#add(`${field}${below}`, message));
  }

  /** Components that wait for one another in a cycle could never start. */
  #cycle(): void {
    const needs = new Map([...this.#components].map(([name, component]) => [name, this.#needsOf(name, component)]));
    const done = new Set<string>();
    for (const name of this.#components.keys()) {
      const cycle = cycleFrom(name, (one) => needs.get(one) ?? [], done);
      if (cycle !== undefined)
        this.#add(`components.${cycle[0] ?? name}`, `components depend on one another in a circle: ${cycle.join(' → ')}`);
    }
  }

  /** Returns the components that must exist before this one. */
  #needsOf(name: string, { type, parents = [], links = {}, after = [] }: Component): string[] {
    const taken = Object.entries(links).flatMap(([link, to]) => {
      const rule = this.#types.link(type, link);
      const take = (typeof to === 'string' ? undefined : to.take) ?? (typeof rule === 'object' ? rule.take : undefined);
      return take === undefined || Object.keys(take).length === 0 ? [] : [endOf(to)];
    });
    return [...new Set([...parents, ...after, ...taken])].filter((one) => one !== name && this.#components.has(one));
  }
}

function endOf(link: Link): string {
  return typeof link === 'string' ? link : link.to;
}
