/** The DTKD_* variables of a command's environment. Pure. */
import { bareType } from '../../../../protocol/definitions/scoped-names.ts';
import type { BundledResource } from '../../../../protocol/orders/bundle.ts';
import type { CommandContext } from './commands.types.ts';
import type { Options } from './resolve-options.ts';

/** Linux refuses to start a program with a variable of 128 KiB or more. Longer values are only in the resource's files. */
const MAX_VALUE_BYTES = 100 * 1024;

/**
 * Returns DTKD_NODE, DTKD_RESOURCE_NAME, _TYPE, _MODEL and _DIRECTORY, and a DTKD_PROPERTY_NAME or DTKD_OPTION_NAME for each property and
 * option. NAME is the name in capitals, with `_` for every character that is neither letter nor digit. If two names become the same
 * variable, the one that changed less wins (`startup_rank` over `startup-rank`), then the first in text order.
 * The type is the bare name, so that a module's scripts see the same in each of its copies. Arrays and objects are JSON. Values with a
 * NUL character, or longer than a variable may be, are left out.
 */
export function environmentOf(
  context: Pick<CommandContext, 'node' | 'directoryOf'>,
  resource: BundledResource,
  options: Options,
): Record<string, string> {
  return {
    DTKD_NODE: context.node,
    DTKD_RESOURCE_NAME: resource.name,
    DTKD_RESOURCE_TYPE: bareType(resource.type),
    DTKD_RESOURCE_MODEL: resource.model,
    DTKD_RESOURCE_DIRECTORY: context.directoryOf(resource),
    ...variables('DTKD_PROPERTY_', resource.properties),
    ...variables('DTKD_OPTION_', options),
  };
}

function variables(prefix: string, values: Readonly<Record<string, unknown>>): Record<string, string> {
  const made = new Map<string, { from: string; value: string }>();
  for (const [name, raw] of Object.entries(values)) {
    if (raw === undefined || raw === null) continue;
    const value = typeof raw === 'object' ? JSON.stringify(raw) : String(raw);
    if (value.includes('\0') || Buffer.byteLength(value) > MAX_VALUE_BYTES) continue;
    const variable = prefix + variableName(name);
    const other = made.get(variable);
    if (other === undefined || closer(name, other.from)) made.set(variable, { from: name, value });
  }
  return Object.fromEntries([...made].map(([variable, { value }]) => [variable, value]));
}

function variableName(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '_').toUpperCase();
}

function closer(name: string, other: string): boolean {
  const by = changes(name) - changes(other);
  return by < 0 || (by === 0 && name < other);
}

/** A replaced character outweighs any number of capitalised letters. */
function changes(name: string): number {
  let count = 0;
  for (const char of name) count += /[A-Z0-9_]/.test(char) ? 0 : /[a-z]/.test(char) ? 1 : 1_000;
  return count;
}
