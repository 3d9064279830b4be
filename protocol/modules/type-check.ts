/** Checks the types of a module. Pure. What only a node knows (its other types, its resources) is checked there. */

import type { Commands } from '../definitions/commands.ts';
import type { ModuleManifest, ModuleType } from '../definitions/module.ts';
import { typeObjectName } from '../definitions/names.ts';
import { ruleFaults } from '../definitions/property-value.ts';
import type { LinkRule } from '../definitions/type-rules.ts';
import type { CommandSurroundings } from './command-check.ts';
import { commandFaults } from './command-check.ts';
import type { ModuleFault } from './manifest.ts';
import { NODE_TYPE_KEY, type OwnType, type TypeTable } from './type-table.ts';

/** Maximum number of types per module. */
export const MAX_MODULE_TYPES = 1_024;

/** Returns the types with distinct names, by key, and the faults of the others. */
export function tellApart({ types = {} }: Pick<ModuleManifest, 'types'>): { own: Map<string, OwnType>; faults: ModuleFault[] } {
  const own = new Map<string, OwnType>();
  const faults: ModuleFault[] = [];
  const objects = new Map<string, string>();
  const entries = Object.entries(types);
  if (entries.length > MAX_MODULE_TYPES) faults.push({ field: 'types', message: `a module has at most ${MAX_MODULE_TYPES} types` });
  for (const [name, type] of entries.slice(0, MAX_MODULE_TYPES)) {
    const key = name.toLowerCase();
    const object = typeObjectName(name);
    const same = own.get(key)?.name ?? objects.get(object);
    if (key === NODE_TYPE_KEY) faults.push({ field: `types.${name}`, message: 'Node is reserved for machines and cannot be a type' });
    else if (same !== undefined) {
      faults.push({ field: `types.${name}`, message: `is the same as ${same}: types are told apart by letters and digits` });
    } else {
      own.set(key, { name, type });
      objects.set(object, name);
    }
  }
  return { own, faults };
}

/** Returns the faults of one type. */
export function typeFaults({ name, type }: OwnType, table: TypeTable, files: ReadonlySet<string>): ModuleFault[] {
  const field = `types.${name}`;
  const faults = templateFaults(field, type, files);
  for (const [property, rule] of Object.entries(type.properties ?? {})) {
    for (const fault of ruleFaults(rule)) faults.push({ field: `${field}.properties.${property}.${fault.field}`, message: fault.message });
  }
  const chain = table.chain(name);
  if ('cycle' in chain) {
    faults.push({ field: `${field}.extends`, message: `a type cannot extend itself: ${chain.cycle.join(' → ')}` });
    return faults;
  }
  for (const [link, rule] of Object.entries(type.links ?? {})) faults.push(...linkFaults(`${field}.links.${link}`, name, rule, table));
  const inherited: Commands = {};
  for (const above of chain.types.slice(1)) {
    for (const [key, command] of Object.entries(above.commands ?? {})) if (!Object.hasOwn(inherited, key)) inherited[key] = command;
  }
  // A built-in type may have commands that the module does not know.
  const surroundings: CommandSurroundings = { files, inherited, open: chain.end !== 'closed' || type.abstract === true };
  for (const fault of commandFaults(type.commands ?? {}, surroundings)) {
    faults.push({ field: `${field}.commands.${fault.field}`, message: fault.message });
  }
  return faults;
}

function templateFaults(field: string, { templates = [] }: ModuleType, files: ReadonlySet<string>): ModuleFault[] {
  const faults: ModuleFault[] = [];
  const targets = templates.map(({ to }) => to);
  for (const [index, { from, to }] of templates.entries()) {
    const at = `${field}.templates[${index}]`;
    if (!files.has(from)) faults.push({ field: `${at}.from`, message: `the module has no file ${JSON.stringify(from)}` });
    if (targets.indexOf(to) !== index) faults.push({ field: `${at}.to`, message: `two templates make ${JSON.stringify(to)}` });
  }
  return faults;
}

/** Checks a rule of a link: the type that it leads to, and the properties that it maps. */
function linkFaults(field: string, owner: string, { type, take = {}, give = {} }: LinkRule, table: TypeTable): ModuleFault[] {
  const faults: ModuleFault[] = [];
  if (type !== undefined && table.known(type) === 'unknown') faults.push({ field: `${field}.type`, message: unknownType(type) });
  if (type !== undefined && table.known(type) === 'node')
    faults.push({ field: `${field}.type`, message: 'a link leads to a component, and not to a node' });
  for (const property of Object.keys(take)) faults.push(...undeclared(`${field}.take.${property}`, owner, property, table));
  for (const property of Object.values(give)) faults.push(...undeclared(`${field}.give`, owner, property, table));
  if (type === undefined || typeof table.known(type) !== 'object') return faults;
  for (const [own, source] of Object.entries(take)) {
    if (!BESIDE_PROPERTIES.has(source)) faults.push(...undeclared(`${field}.take.${own}`, type, source, table));
  }
  for (const property of Object.keys(give)) faults.push(...undeclared(`${field}.give.${property}`, type, property, table));
  return faults;
}

/** What a link can take from the other end besides its properties. */
export const BESIDE_PROPERTIES: ReadonlySet<string> = new Set(['node.name', 'node.address', 'resource.name', 'component.name']);

function undeclared(field: string, type: string, property: string, table: TypeTable): ModuleFault[] {
  if (BESIDE_PROPERTIES.has(property) || table.property(type, property) !== undefined) return [];
  return [{ field, message: `type ${type} has no property ${JSON.stringify(property.slice(0, 63))}` }];
}

/** The message for an unknown type. */
export function unknownType(name: string): string {
  return `there is no type ${JSON.stringify(name)}: types are the module's own, those of modules that it depends on, or built in`;
}
