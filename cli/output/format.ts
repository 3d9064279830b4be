import { Option } from 'commander';
import type { Output } from './output.ts';

export type Format = 'json' | 'yaml' | 'wide' | 'name';

/** The `-o` option with the formats that a command has. */
export function outputOption(...formats: Format[]): Option {
  return new Option('-o, --output <format>', 'form of the output').choices(formats);
}

/** Prints a value as JSON or YAML. */
export async function printValue(out: Output, value: unknown, format: 'json' | 'yaml'): Promise<void> {
  if (format === 'json') {
    out.print(JSON.stringify(value, undefined, 2));
    return;
  }
  out.print(await toYaml(value));
}

/** YAML as `-o yaml` prints it; long strings stay on one line so that tokens can be copied. */
export async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}
