/**
 * Converts names of DTK to those of dtkd. DTK qualifies components by their modules, `mysql::server`; a node of dtkd has only one type of
 * each name. Pure.
 */

import { partName } from '../../../protocol/definitions/assembly.ts';
import { moduleName, moduleVersion, versionRange } from '../../../protocol/definitions/code.ts';
import { commandName, optionName } from '../../../protocol/definitions/commands.ts';
import { propertyName, typeName } from '../../../protocol/definitions/type-rules.ts';
import { BUILTIN_TYPES } from '../../../protocol/modules/builtin-types.ts';
import { NODE_TYPE_KEY } from '../../../protocol/modules/type-table.ts';

/** The longest names of components and of types, in characters. */
const MAX_PART = 40;
const MAX_TYPE = 63;

/** Names of the types that every node has. */
const TAKEN = new Set([...BUILTIN_TYPES.map(({ name }) => name), NODE_TYPE_KEY].map((name) => name.toLowerCase()));

/** A reference to a component in DTK: `server`, `mysql::server`, `node1/mysql::server[main]`, `mysql::server.restart`. */
export interface ComponentRef {
  node?: string;
  /** `mysql::server`, as written. */
  component: string;
  title?: string;
  /** The word after a dot. */
  action?: string;
}

export function parseRef(text: string): ComponentRef | undefined {
  const match =
    /^(?:(?<node>[^/[\]\s]+)\/)?(?<component>[A-Za-z0-9_-]+(?:::[A-Za-z0-9_-]+)*)(?:\[(?<title>[^[\]]*)\])?(?:\.(?<action>[A-Za-z0-9_-]+))?$/.exec(
      text.trim(),
    );
  const { node, component, title, action } = match?.groups ?? {};
  if (component === undefined) return undefined;
  return {
    component,
    ...(node === undefined ? {} : { node }),
    ...(title === undefined || title === '' ? {} : { title }),
    ...(action === undefined ? {} : { action }),
  };
}

/**
 * `mysql::server` → `MysqlServer`; `server` in the module acme/mysql gives the same, and `mysql` in it gives `Mysql`. Undefined if no valid
 * name results.
 */
export function typeNameOf(component: string, module: string): string | undefined {
  const own = words(module.split('/')[1] ?? '');
  const parts = component.split('::').map(words);
  const [first = [], ...rest] = parts;
  const all = rest.length > 0 ? parts : same(first, own) ? [first] : [own, first];
  const [one = [], ...others] = all;
  const name = [...one, ...others.filter((part) => !same(part, one)).flat()].map(capital).join('');
  const full = /^[A-Za-z]/.test(name) && !TAKEN.has(name.toLowerCase()) ? name : `Type${name}`;
  return name !== '' && full.length <= MAX_TYPE && typeName.safeParse(full).success ? full : undefined;
}

/** A name for an assembly: `mysql::server` with the title `main` → `mysql-server-main`. Undefined if no valid name results. */
export function partNameOf(...texts: readonly string[]): string | undefined {
  const name = texts
    .flatMap(words)
    .join('-')
    .toLowerCase()
    .replace(/^[^a-z]+/, '');
  const short = name.slice(0, MAX_PART).replace(/-+$/, '');
  return partName.safeParse(short).success ? short : undefined;
}

/** Makes a name unique by appending a number if it is taken. */
export function unique(name: string, taken: { has(name: string): boolean }): string {
  for (let number = 1; ; number++) {
    const tail = number === 1 ? '' : `-${number}`;
    const made = `${name.slice(0, MAX_PART - tail.length).replace(/-+$/, '')}${tail}`;
    if (!taken.has(made)) return made;
  }
}

export function propertyNameOf(name: string): string | undefined {
  return name !== '__proto__' && propertyName.safeParse(name).success ? name : undefined;
}

export function commandNameOf(name: string): string | undefined {
  return name !== '__proto__' && commandName.safeParse(name).success ? name : undefined;
}

export function optionNameOf(name: string): string | undefined {
  return name !== '__proto__' && optionName.safeParse(name).success ? name : undefined;
}

/** `aws/ec2_tools` and `aws:ec2_tools` → `aws/ec2-tools`. */
export function moduleNameOf(text: string): string | undefined {
  const name = text.trim().toLowerCase().replace(':', '/').replaceAll('_', '-');
  return moduleName.safeParse(name).success ? name : undefined;
}

/** `1.0` → `1.0.0`; undefined for `master` and anything else that is not a version. */
export function versionOf(text: string): string | undefined {
  const match = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?$/.exec(text.trim());
  const version = match === null ? text.trim() : [1, 2, 3].map((index) => String(Number(match[index] ?? 0))).join('.');
  return moduleVersion.safeParse(version).success ? version : undefined;
}

/** The version that a dependency asks for; undefined if it is not a version. */
export function rangeOf(text: string): string | undefined {
  const version = versionOf(text);
  return version !== undefined && versionRange.safeParse(version).success ? version : undefined;
}

function words(text: string): string[] {
  return text
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '');
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.join(' ').toLowerCase() === other.join(' ').toLowerCase();
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
