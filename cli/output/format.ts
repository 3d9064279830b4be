import { Option } from 'commander';
import { escapeUnseen, hasUnseen } from './escape.ts';
import type { Output } from './output.ts';

export type Format = 'json' | 'yaml' | 'wide' | 'name';

/** The `-o` option with the formats that a command has. */
export function outputOption(...formats: Format[]): Option {
  return new Option('-o, --output <format>', 'form of the output').choices(formats);
}

/** Prints a value as JSON or YAML. */
export async function printValue(out: Output, value: unknown, format: 'json' | 'yaml'): Promise<void> {
  if (format === 'json') {
    out.print(toJson(value));
    return;
  }
  out.print(await toYaml(value));
}

/** JSON in which every character that could command a terminal is escaped: the same value, safe to print. */
export function toJson(value: unknown, indent: number | undefined = 2): string {
  return escapeUnseen(JSON.stringify(value, undefined, indent));
}

/** What is lost or ambiguous in a block of text: tabs, and blanks at the end of a line. */
const HARD_TO_SEE = /\t| $/m;

/** YAML as `-o yaml` prints it: safe to print, too. Long strings stay on one line so that tokens can be copied. */
export async function toYaml(value: unknown): Promise<string> {
  const { Document, Scalar, visit } = await import('yaml');
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'string' && (hasUnseen(node.value) || HARD_TO_SEE.test(node.value))) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return escapeUnseen(document.toString({ lineWidth: 0 })).replace(/\n$/, '');
}
