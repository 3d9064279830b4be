/** `resource.properties`: the facts about a resource in the format of java.util.Properties; and the same in JSON. Pure. */
import { bareType } from '../../../../../protocol/definitions/scoped-names.ts';
import type { BundledResource } from '../../../../../protocol/orders/bundle.ts';

/** The contents of both files. Types have bare names, as a module's scripts know them. */
export interface ResourceFacts {
  resource: BundledResource;
  /** Its types, nearest first. */
  types: readonly string[];
  owner: { node: string; key: string };
  directory: string;
  node: string;
}

/** Lines `key=value` as java.util.Properties reads them, in the order given. Pure ASCII: all else is \uXXXX. */
export function toProperties(entries: Iterable<readonly [key: string, value: string]>): string {
  return [...entries].map(([key, value]) => `${escaped(key, true)}=${escaped(value, false)}\n`).join('');
}

const NAMED: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\f': '\\f' };

function escaped(text: string, isKey: boolean): string {
  let result = '';
  for (let at = 0; at < text.length; at++) {
    const unit = text.charAt(at);
    const named = NAMED[unit];
    if (named !== undefined) result += named;
    else if (unit === ' ') result += isKey || at === 0 ? '\\ ' : ' ';
    else if ('=:#!\\'.includes(unit)) result += `\\${unit}`;
    else if (unit < ' ' || unit > '~') result += `\\u${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
    else result += unit;
  }
  return result;
}

/** `resource.…` for what every resource has, and `property.NAME` for its properties. */
export function propertiesText({ resource, types, owner, directory, node }: ResourceFacts): string {
  const { model, type, name, object, uid, properties, parents, children, deployments } = resource;
  return toProperties([
    ['resource.name', name],
    ['resource.type', bareType(type)],
    ['resource.model', model],
    ['resource.types', types.map(bareType).join(',')],
    ['resource.object', object],
    ['resource.uid', uid],
    ['resource.owner', owner.node],
    ['resource.directory', directory],
    ['resource.node', node],
    ['resource.parents', parents.join(',')],
    ['resource.children', children.join(',')],
    ['resource.deployments', deployments.map((one) => one.node).join(',')],
    ...Object.entries(properties)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]): [string, string] => [`property.${key}`, textOf(value)]),
  ]);
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

export function jsonText({ resource, types, owner, directory, node }: ResourceFacts): string {
  const { labels, properties, deployments, ...named } = resource;
  const facts = {
    ...named,
    type: bareType(named.type),
    types: types.map(bareType),
    labels,
    owner,
    node,
    directory,
    properties,
    deployments: deployments.map((one) => one.node),
  };
  return `${JSON.stringify(facts, undefined, 2)}\n`;
}
