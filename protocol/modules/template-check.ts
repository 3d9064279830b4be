/**
 * Checks the templates of types and the files that they are made from: finds what could not be written when a resource is installed.
 * Pure.
 */
import { textFaults } from '../definitions/command-text.ts';
import type { ModuleFile } from './archive.ts';
import type { KnownTypes } from './known-types.ts';
import type { ModuleFault } from './manifest.ts';
import type { OwnType } from './type-table.ts';

/** Maximum bytes of a file to be filled in, as nodes accept it. */
const MAX_TEMPLATE_BYTES = 1024 * 1024;
const MAX_NAME_BYTES = 255;
/** Files with the properties of a resource, which dtkd writes for every resource. */
export const RESOURCE_PROPERTIES = 'var/resource.properties';
export const RESOURCE_JSON = 'var/resource.json';

export function templateFaults(of: OwnType, known: KnownTypes, files: ReadonlyMap<string, ModuleFile>): ModuleFault[] {
  const faults: ModuleFault[] = [];
  const templates = of.type.templates ?? [];
  const targets = new Map<string, number>();
  const users = known.concrete(of);
  for (const [index, { from, to }] of templates.entries()) {
    const field = `types.${of.name}.templates[${index}]`;
    const path = plain(to);
    const wrong = pathFault(to, path) ?? (targets.has(path) ? `two templates make ${JSON.stringify(path)}` : undefined);
    if (wrong !== undefined) faults.push({ field: `${field}.to`, message: wrong });
    else targets.set(path, index);
    const file = files.get(from);
    if (file === undefined) continue;
    const text = textOf(file.data);
    if (text === undefined)
      faults.push({ field: `${field}.from`, message: `${from} is not UTF-8 text, and only text can be filled in`, place: from });
    else if (text.includes('${') && file.data.length > MAX_TEMPLATE_BYTES)
      faults.push({ field: `${field}.from`, message: `${from} is larger than 1 MiB, the most that can be filled in`, place: from });
    else {
      const names = { options: [], property: (name: string) => known.unknownProperty(users, name) };
      for (const { at, message } of textFaults(text, names))
        faults.push({ field: `${field}.from`, message, place: `${from}:${lineOf(text, at)}` });
    }
  }
  for (const [path, index] of targets) {
    const below = [...targets.keys()].find((other) => other.startsWith(`${path}/`));
    if (below !== undefined)
      faults.push({ field: `types.${of.name}.templates[${index}].to`, message: `${path} would be a file, and the directory of ${below}` });
  }
  return faults;
}

/** Formats an offset in a text as `LINE:COLUMN`. */
export function lineOf(text: string, at: number): string {
  const before = text.slice(0, at).split('\n');
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

function plain(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

function pathFault(to: string, path: string): string | undefined {
  if (path === '' || to.endsWith('/')) return 'is the path of a directory; a template makes a file';
  if (path === 'var') return 'is a directory that every resource has';
  if (path === RESOURCE_PROPERTIES || path === RESOURCE_JSON) return 'is written by dtkd itself, for every resource';
  if (path.split('/').some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES)) return 'has a name that is too long for a file';
  return undefined;
}

function textOf(data: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return undefined;
  }
}
