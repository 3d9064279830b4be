/** Converts DTK's assemblies: each node becomes a parameter with a filter, and the components of all nodes form one list. */
import type { Assembly } from '../../../protocol/definitions/assembly.ts';
import { MAX_COMPONENTS } from '../../../protocol/definitions/assembly.ts';
import type { ModuleType } from '../../../protocol/definitions/module.ts';
import { valueFault } from '../../../protocol/definitions/property-value.ts';
import type { PropertyRule } from '../../../protocol/definitions/type-rules.ts';
import { isRecord } from '../../json.ts';
import { type Rules, readAttributes, readDescription, valueFor } from './attributes.ts';
import { type Draft, linkByItself, readComponentLinks } from './component-links.ts';
import { parseRef, partNameOf, propertyNameOf, typeNameOf, unique } from './names.ts';
import { type Part, shown } from './part.ts';
import { matching } from './placed.ts';
import { readWorkflows } from './workflows.ts';

const KNOWN = new Set([
  'description',
  'target',
  'role',
  'attributes',
  'nodes',
  'components',
  'actions',
  'workflows',
  'workflow',
  'component_links',
]);
const COMPONENT_KEYS = new Set(['attributes', 'component_links', 'components']);

const MAX_NODES = 1_000;

/** Stands for the target in links, so no component can have this name. */
const TARGET = 'target';

export interface AssemblyOf {
  title: string;
  module: string;
  types: ReadonlyMap<string, ModuleType>;
  /** True if types of other modules may be used. */
  hasDependencies: boolean;
}

export function readAssembly(part: Part, owner: AssemblyOf): Assembly {
  for (const [key, said] of part.entries(`assembly ${owner.title}`))
    if (!KNOWN.has(key)) said.note(`${key} of assembly ${owner.title} has no counterpart and was left out`);
  const assembly: Assembly = {};
  const description = readDescription(part);
  if (description !== undefined) assembly.description = description;
  readTarget(part, owner, assembly);
  const parameters: Record<string, PropertyRule> = {};
  const drafts = new Map<string, Draft>();
  for (const [name, said] of part.get('components').named(`the components of assembly ${owner.title}`))
    place(name, said, undefined, owner, drafts);
  for (const [node, said] of part.get('nodes').entries(`the nodes of assembly ${owner.title}`))
    readNode(node, said, owner, drafts, parameters);
  readParameters(part.get('attributes'), owner, drafts, parameters);
  const all = [...drafts.values()];
  for (const draft of all) readComponentLinks(draft, all, owner);
  for (const draft of all) linkByItself(draft, all, owner);
  if (Object.keys(parameters).length > 0) assembly.parameters = parameters;
  if (all.length > 0) assembly.components = Object.fromEntries(all.map(({ part: name, component }) => [name, component]));
  const workflows = readWorkflows(part, owner, all);
  if (Object.keys(workflows).length > 0) assembly.workflows = workflows;
  return assembly;
}

function readTarget(part: Part, { title }: AssemblyOf, assembly: Assembly): void {
  const said = part.get(TARGET);
  const role = part.get('role');
  if (role.isThere && role.value !== TARGET)
    role.note(`the role ${shown(role.value)} of assembly ${title} has no counterpart and was left out`);
  if (said.value === true || role.value === TARGET) {
    assembly.role = TARGET;
    assembly.kind = partNameOf(title) ?? TARGET;
  } else if (typeof said.value === 'string') {
    const kind = partNameOf(said.value);
    if (kind === undefined)
      said.note(`the target ${shown(said.value)} of assembly ${title} was left out: this is not a valid name for a kind of target`);
    else assembly.target = kind;
  } else if (said.isThere && said.value !== false) said.fault(`the target of assembly ${title} must be true, or a text`);
}

/** Converts `node1` to the parameter `node-node1`: a filter, by default for nodes with the tag `node1`. */
function readNode(node: string, part: Part, owner: AssemblyOf, drafts: Map<string, Draft>, parameters: Record<string, PropertyRule>): void {
  const name = partNameOf(node);
  if (name === undefined) {
    part.note(`node ${shown(node)} of assembly ${owner.title} was left out with its components: this is not a valid name`);
    return;
  }
  if (part.isThere && !isRecord(part.value)) {
    part.fault(`node ${node} of assembly ${owner.title} must be a mapping`);
    return;
  }
  const parameter = `node-${name}`;
  let count: number | undefined;
  for (const [key, said] of part.get('attributes').entries(`the attributes of node ${node}`)) {
    const value = isRecord(said.value) ? said.get('value').value : said.value;
    if (key === 'cardinality') {
      count = cardinality(value);
      if (count === undefined)
        said.note(`the cardinality ${shown(value)} of node ${node} was left out: it is not a number up to ${MAX_NODES}`);
    } else if (key !== 'type') said.note(`${key} of node ${node} was left out: nodes are there before a service is staged`);
  }
  for (const [key, said] of part.entries(`node ${node}`))
    if (key !== 'attributes' && key !== 'components') said.note(`${key} of node ${node} has no counterpart and was left out`);
  const components = part.get('components').named(`the components of node ${node}`);
  if (components.length === 0) {
    part.note(`node ${node} of assembly ${owner.title} was left out: it has no components`);
    return;
  }
  parameters[parameter] = { type: 'string', default: `tags=${name}`, description: `Where the components of ${node} go.` };
  part.note(
    `the components of node ${node} go where the parameter ${parameter} says: ${count === undefined ? 'to one node' : `to ${count} nodes`} with the tag ${name}, unless you set it`,
  );
  for (const [component, said] of components) {
    const draft = place(component, said, node, owner, drafts);
    if (draft !== undefined)
      draft.component.on = count === undefined ? `\${parameters.${parameter}}` : { nodes: `\${parameters.${parameter}}`, count };
  }
}

function cardinality(value: unknown): number | undefined {
  const number = valueFor('integer', value);
  return typeof number === 'number' && number >= 0 && number <= MAX_NODES ? number : undefined;
}

function place(name: string, part: Part, node: string | undefined, owner: AssemblyOf, drafts: Map<string, Draft>): Draft | undefined {
  const ref = parseRef(name);
  const type = ref === undefined ? undefined : typeNameOf(ref.component, owner.module);
  const wanted = ref === undefined ? undefined : partNameOf(...ref.component.split('::'), ref.title ?? '');
  if (ref === undefined || type === undefined || wanted === undefined) {
    part.note(`component ${shown(name)} of assembly ${owner.title} was left out: this is not a valid name`);
    return undefined;
  }
  if (!owner.types.has(type) && !owner.hasDependencies) {
    part.note(
      `component ${name} of assembly ${owner.title} was left out: the module neither has ${ref.component} nor depends on a module that could`,
    );
    return undefined;
  }
  if (drafts.size >= MAX_COMPONENTS) {
    part.fault(`assembly ${owner.title} has more than ${MAX_COMPONENTS} components`);
    return undefined;
  }
  if (part.isThere && !isRecord(part.value)) {
    part.fault(`component ${name} of assembly ${owner.title} must be a mapping`);
    return undefined;
  }
  for (const [key, said] of part.entries(name))
    if (!COMPONENT_KEYS.has(key)) said.note(`${key} of component ${name} has no counterpart and was left out`);
  const taken =
    drafts.has(wanted) && node !== undefined ? (partNameOf(...ref.component.split('::'), ref.title ?? '', node) ?? wanted) : wanted;
  const draft: Draft = {
    part: unique(taken, { has: (one) => one === TARGET || drafts.has(one) }),
    type,
    written: ref.component,
    title: ref.title,
    node,
    source: part,
    component: { type },
  };
  const properties = readValues(part.get('attributes'), owner.types.get(type), `component ${name} of assembly ${owner.title}`);
  const titled = titleProperty(owner.types.get(type)?.properties, properties);
  if (ref.title !== undefined && titled !== undefined) properties[titled] = escaped(ref.title);
  if (Object.keys(properties).length > 0) draft.component.properties = properties;
  drafts.set(draft.part, draft);
  for (const [inner, said] of part.get('components').named(`the components of ${name}`)) {
    const child = place(inner, said, node, owner, drafts);
    if (child !== undefined) child.component.parents = [draft.part];
  }
  return draft;
}

/** The property whose value is a component's title, if the type has one. */
function titleProperty(rules: Rules | undefined, given: Record<string, unknown>): string | undefined {
  return ['title', 'name'].find((name) => {
    const rule = rules !== undefined && Object.hasOwn(rules, name) ? rules[name] : undefined;
    return rule?.type === 'string' && rule.dynamic !== true && rule.allowed === undefined && !Object.hasOwn(given, name);
  });
}

function readValues(part: Part, type: ModuleType | undefined, what: string): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, said] of part.entries(`the attributes of ${what}`)) {
    const value = isRecord(said.value) && 'value' in said.value ? said.get('value').value : said.value;
    set(values, name, value, { said, type, what });
  }
  return values;
}

/** Sets a property of a component; if it cannot be kept, that is noted. */
function set(
  values: Record<string, unknown>,
  name: string,
  value: unknown,
  { said, type, what }: { said: Part; type: ModuleType | undefined; what: string },
): void {
  const property = propertyNameOf(name);
  const rules = type?.properties ?? {};
  const rule = property !== undefined && Object.hasOwn(rules, property) ? rules[property] : undefined;
  const fitting = rule?.type === undefined ? value : valueFor(rule.type, value);
  const fault = rule === undefined || fitting === undefined ? undefined : valueFault(rule, fitting);
  if (property === undefined) said.note(`attribute ${shown(name)} of ${what} was left out: this is not a valid name for a property`);
  else if (value === undefined || value === null) return;
  else if (rule?.type === 'secret' || /passw(or)?d|secret|private_key|token/i.test(property))
    said.note(`${name} of ${what} may be a secret and was not kept: put it into a Secret and set the property`);
  else if (rule?.dynamic === true) said.note(`${name} of ${what} was left out: it is computed when commands run`);
  else if (fitting === undefined) said.note(`${name} of ${what} was left out: ${shown(value)} is not of the type ${rule?.type}`);
  else if (fault !== undefined) said.note(`${name} of ${what} was left out: ${fault}`);
  else values[property] = escaped(fitting);
  if (type !== undefined && rule === undefined && property !== undefined) said.note(`${what} sets ${name}, which its type does not have`);
}

/** Escapes `${`, which is a reference here but plain text in DTK. */
function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${');
  if (Array.isArray(value)) return value.map(escaped);
  return isRecord(value) ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, escaped(one)])) : value;
}

/** Converts attributes of the assembly itself; `mysql::server/port` sets one of a component. */
function readParameters(part: Part, owner: AssemblyOf, drafts: ReadonlyMap<string, Draft>, parameters: Record<string, PropertyRule>): void {
  const what = `assembly ${owner.title}`;
  // sorted, so that an attribute of a component on one node overrides that of the component on all nodes
  const depth = (name: string): number => name.split('/').length;
  for (const [name, said] of part.entries(`the attributes of ${what}`).toSorted(([a], [b]) => depth(a) - depth(b))) {
    const slash = name.lastIndexOf('/');
    if (slash < 0) continue;
    const meant = found(name.slice(0, slash), [...drafts.values()]);
    if (meant.length === 0) said.note(`attribute ${shown(name)} of ${what} was left out: there is no such component`);
    for (const draft of meant) {
      const values = draft.component.properties ?? {};
      const value = isRecord(said.value) && 'value' in said.value ? said.get('value').value : said.value;
      set(values, name.slice(slash + 1), value, { said, type: owner.types.get(draft.type), what: `component ${draft.part} of ${what}` });
      if (Object.keys(values).length > 0) draft.component.properties = values;
    }
  }
  const plain = readAttributes(part, what, (name) => !name.includes('/'));
  for (const [name, rule] of Object.entries(plain)) {
    if (Object.hasOwn(parameters, name)) part.note(`attribute ${name} of ${what} was left out: a node has its name`);
    else parameters[name] = rule;
  }
}

function found(text: string, drafts: readonly Draft[]): Draft[] {
  const ref = parseRef(text);
  return ref === undefined ? [] : matching(ref, drafts);
}
