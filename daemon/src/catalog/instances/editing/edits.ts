/**
 * Turns requested edits into changes of `dtk.service.yaml`. Pure. Refuses edits that cannot be right; the rest is judged at the
 * next converge.
 */

import { linkEnd } from '../../../../../protocol/definitions/assembly.ts';
import { readOptionValue } from '../../../../../protocol/definitions/option-value.ts';
import { typeOfRule, valueFault } from '../../../../../protocol/definitions/property-value.ts';
import type { ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import type { PropertyRule } from '../../../../../protocol/definitions/type-rules.ts';
import { isRecord, jsonEqual } from '../../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ServiceEdit } from '../../../../../protocol/requests/service.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import { ready } from '../../model/type-book.ts';
import type { KnownTypes, Rules } from '../files/rules.ts';
import { usesOf } from './uses.ts';
import type { Change, Path } from './values.ts';

export interface Editing {
  service: ServiceFile;
  types: KnownTypes;
  /** Rules of properties, by component. */
  rules: ReadonlyMap<string, Rules>;
}

/** Errors: INVALID, NOT_FOUND, ALREADY_EXISTS, CONFLICT. Messages never repeat values of secrets. */
export async function changesOf(edit: ServiceEdit, editing: Editing): Promise<Change[]> {
  switch (edit.op) {
    case 'set':
      return set(edit.path, edit.value, editing);
    case 'unset':
      return unset(edit.path, editing);
    case 'add-component':
      return addComponent(edit, editing);
    case 'rm-component':
      return removeComponent(edit.name, editing);
    case 'add-link':
      return addLink(edit, editing);
    case 'rm-link':
      return removeLink(edit, editing);
  }
}

/** What a path refers to. */
type Setting =
  | { at: 'target' }
  | { at: 'parameter'; name: string }
  | { at: 'placement'; component: string; field: 'nodes' | 'except' | 'count' | 'together' }
  | { at: 'field'; component: string; field: 'type' | 'description' | 'after' | 'parents' }
  | { at: 'property'; component: string; property: string };

const PLACEMENT: ReadonlyMap<string, 'nodes' | 'except' | 'count' | 'together'> = new Map([
  ['on', 'nodes'],
  ['nodes', 'nodes'],
  ['except', 'except'],
  ['count', 'count'],
  ['together', 'together'],
]);
const FIELDS = ['type', 'description', 'after', 'parents'] as const;

function settingAt(path: string, { service, rules }: Editing): Setting {
  const components = service.components ?? {};
  const parameters = service['parameter-rules'] ?? {};
  if (path === 'target') return { at: 'target' };
  const dot = path.indexOf('.');
  const [head, rest] = dot < 0 ? [path, ''] : [path.slice(0, dot), path.slice(dot + 1)];
  if (rest !== '' && Object.hasOwn(components, head)) {
    if (rest.startsWith('properties.')) return { at: 'property', component: head, property: rest.slice('properties.'.length) };
    // `on` and `count` always mean placement; the others only if no property has that name
    const placed = PLACEMENT.get(rest);
    const isProperty = rules.get(head)?.has(rest) ?? false;
    if (placed !== undefined && (rest === 'on' || rest === 'count' || !isProperty))
      return { at: 'placement', component: head, field: placed };
    const field = FIELDS.find((one) => one === rest);
    if (field !== undefined && !isProperty) return { at: 'field', component: head, field };
    return { at: 'property', component: head, property: rest };
  }
  const name = head === 'parameters' && rest !== '' ? rest : path;
  if (Object.hasOwn(parameters, name)) return { at: 'parameter', name };
  throw nothingAt(path, head, rest, service);
}

function nothingAt(path: string, head: string, rest: string, service: ServiceFile): DtkdError {
  const components = Object.keys(service.components ?? {});
  const parameters = Object.keys(service['parameter-rules'] ?? {});
  const shown = path.slice(0, 120);
  if (rest === '' && components.includes(head)) {
    return new DtkdError('INVALID', `${shown} is a component; name the property to set`, {
      next: `For example ${shown}.port or ${shown}.count.`,
    });
  }
  if (rest !== '' && head !== 'parameters') {
    const near = nearMiss(head, components);
    return new DtkdError('NOT_FOUND', `there is no component ${head.slice(0, 60)}`, {
      next:
        near === undefined ? `There are: ${components.slice(0, 20).join(', ') || 'none'}.` : `Did you mean ${near}.${rest.slice(0, 60)}?`,
    });
  }
  const near = nearMiss(rest === '' ? head : rest, parameters);
  return new DtkdError('NOT_FOUND', `there is no parameter ${shown}`, {
    next:
      near === undefined
        ? `Set a parameter (${parameters.slice(0, 20).join(', ') || 'there are none'}), COMPONENT.PROPERTY or target.`
        : `Did you mean ${near}?`,
  });
}

async function set(path: string, value: unknown, editing: Editing): Promise<Change[]> {
  const setting = settingAt(path, editing);
  const { service, rules } = editing;
  switch (setting.at) {
    case 'target':
      if (value === service.name) throw wrong('target: a service cannot be its own target', 'Name another service.');
      return [{ path: ['target'], value }];
    case 'parameter': {
      const rule = service['parameter-rules']?.[setting.name];
      return [{ path: ['parameters', setting.name], value: await judged(path, value, rule) }];
    }
    case 'property': {
      const { component, property } = setting;
      const rule = rules.get(component)?.get(property);
      if (rule?.dynamic === true) throw wrong(`${path}: is computed when commands run, and cannot be set`);
      return [{ path: ['components', component, 'properties', property], value: await judged(path, value, rule) }];
    }
    case 'field': {
      const list = setting.field === 'after' || setting.field === 'parents';
      const wanted = list && typeof value === 'string' ? value.split(',').map((one) => one.trim()) : value;
      return [{ path: ['components', setting.component, setting.field], value: wanted }];
    }
    case 'placement':
      return [place(setting, value, service)];
  }
}

/** The change for a field of `on`, which is a filter or a map. */
function place({ component, field }: Extract<Setting, { at: 'placement' }>, value: unknown, service: ServiceFile): Change {
  const on = service.components?.[component]?.on;
  const path: Path = ['components', component, 'on'];
  const wanted = field === 'count' && typeof value === 'string' && /^[0-9]{1,6}$/.test(value) ? Number(value) : value;
  if (isRecord(on)) return { path: [...path, field], value: wanted };
  if (field === 'nodes') return { path, value: wanted };
  return { path, value: on === undefined ? { [field]: wanted } : { nodes: on, [field]: wanted } };
}

async function judged(path: string, given: unknown, rule: PropertyRule | undefined): Promise<unknown> {
  if (rule === undefined || refers(given)) return given;
  const value = typed(given, rule);
  const fault = valueFault(await ready(rule), value);
  if (fault === undefined) return value;
  throw typeOfRule(rule) === 'secret'
    ? wrong(`${path}: takes the name of a Secret, not the secret itself`, `Keep it as a Secret: dtkd service set SERVICE ${path}=-`)
    : wrong(`${path}: ${fault}`);
}

/** Values with references are checked once they can be resolved. */
function refers(value: unknown): boolean {
  return typeof value === 'string' && value.includes('${');
}

/** Converts a text to the type that the rule expects, if it can be read as that. */
function typed(value: unknown, rule: PropertyRule): unknown {
  const type = typeOfRule(rule);
  if (typeof value !== 'string') return value;
  if (type === 'boolean' || type === 'integer' || type === 'number' || type === 'port') {
    const read = readOptionValue(value, { type: type === 'port' ? 'integer' : type });
    return 'value' in read ? read.value : value;
  }
  if (type !== 'array' && type !== 'object') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function unset(path: string, editing: Editing): Change[] {
  const setting = settingAt(path, editing);
  switch (setting.at) {
    case 'target':
      return [{ path: ['target'], remove: true }];
    case 'parameter':
      return [{ path: ['parameters', setting.name], remove: true }];
    case 'property':
      return [{ path: ['components', setting.component, 'properties', setting.property], remove: true }];
    case 'field':
      if (setting.field === 'type') throw wrong(`${path}: every component has a type`);
      return [{ path: ['components', setting.component, setting.field], remove: true }];
    case 'placement': {
      const on = editing.service.components?.[setting.component]?.on;
      const at: Path = ['components', setting.component, 'on'];
      if (isRecord(on)) return [{ path: [...at, setting.field], remove: true }];
      return setting.field === 'nodes' ? [{ path: at, remove: true }] : [];
    }
  }
}

async function addComponent(edit: Extract<ServiceEdit, { op: 'add-component' }>, { service, types }: Editing): Promise<Change[]> {
  const { name, type, properties, on, count } = edit;
  if (Object.hasOwn(service.components ?? {}, name)) {
    throw new DtkdError('ALREADY_EXISTS', `there is a component ${name} already`, {
      next: 'Choose another name, or change the existing one.',
    });
  }
  if (!types.has(type)) {
    const near = nearMiss(type, types.names());
    throw new DtkdError('NOT_FOUND', `no module of this service has a type ${type}`, {
      next: near === undefined ? `There are: ${types.names().slice(0, 20).join(', ')}.` : `Did you mean ${near}?`,
    });
  }
  const rules = await types.rulesOf(type);
  const values: Record<string, unknown> = {};
  for (const [property, value] of Object.entries(properties ?? {})) {
    values[property] = await judged(`${name}.${property}`, value, rules.get(property));
  }
  const placed = count === undefined ? on : { ...(on === undefined ? {} : { nodes: on }), count };
  const component = {
    type,
    ...(Object.keys(values).length === 0 ? {} : { properties: values }),
    ...(placed === undefined ? {} : { on: placed }),
  };
  return [{ path: ['components', name], value: component }];
}

function removeComponent(name: string, { service }: Editing): Change[] {
  componentOf(name, service);
  const uses = usesOf(name, service);
  if (uses.length === 0) return [{ path: ['components', name], remove: true }];
  throw new DtkdError('CONFLICT', `the component ${name} is still used: ${uses.slice(0, 10).join(', ')}${uses.length > 10 ? ', …' : ''}`, {
    next: 'Change these first.',
    details: { uses },
  });
}

function addLink(edit: Extract<ServiceEdit, { op: 'add-link' }>, { service }: Editing): Change[] {
  const { component, link, to, take, give } = edit;
  const { links = {} } = componentOf(component, service);
  if (!linkEnd.safeParse(to).success)
    throw wrong(`the other end of the link must be COMPONENT, SERVICE/COMPONENT or target, not ${to.slice(0, 80)}`);
  if (to !== 'target' && !to.includes('/')) componentOf(to, service);
  const plain = take === undefined && give === undefined;
  const value = plain ? to : { to, ...(take === undefined ? {} : { take }), ...(give === undefined ? {} : { give }) };
  const before = Object.hasOwn(links, link) ? links[link] : undefined;
  if (before !== undefined && !jsonEqual(before, value)) {
    const end = typeof before === 'string' ? before : before.to;
    throw new DtkdError('ALREADY_EXISTS', `${component} has a link ${link} already, to ${end}`, {
      next: `Remove that first: dtkd service rm-link ${service.name} ${component} ${link}`,
    });
  }
  return [{ path: ['components', component, 'links', link], value }];
}

function removeLink({ component, link }: Extract<ServiceEdit, { op: 'rm-link' }>, { service }: Editing): Change[] {
  const { links = {} } = componentOf(component, service);
  if (Object.hasOwn(links, link)) return [{ path: ['components', component, 'links', link], remove: true }];
  const near = nearMiss(link, Object.keys(links));
  throw new DtkdError('NOT_FOUND', `${component} has no link ${link}`, {
    next: near === undefined ? `It has: ${Object.keys(links).slice(0, 20).join(', ') || 'none'}.` : `Did you mean ${near}?`,
  });
}

function componentOf(name: string, { components = {} }: ServiceFile) {
  const component = Object.hasOwn(components, name) ? components[name] : undefined;
  if (component !== undefined) return component;
  const near = nearMiss(name, Object.keys(components));
  throw new DtkdError('NOT_FOUND', `there is no component ${name}`, {
    next: near === undefined ? `There are: ${Object.keys(components).slice(0, 20).join(', ') || 'none'}.` : `Did you mean ${near}?`,
  });
}

function wrong(message: string, next?: string): DtkdError {
  return new DtkdError('INVALID', message.slice(0, 1_000), next === undefined ? {} : { next });
}
