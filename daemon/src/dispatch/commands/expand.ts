/**
 * Fills in `${…}` references. Pure. Filled-in values are never expanded again, so a property cannot inject another reference. `$${`
 * stands for a literal `${`. Texts of scripts are not expanded: there `${…}` belongs to the shell.
 */
import { REFERENCE } from '../../../../protocol/definitions/command-text.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { OptionValue } from '../../../../protocol/orders/order.ts';
import { caretUnder } from '../../../../protocol/text/caret.ts';
import { nearMiss } from '../../../../protocol/text/near-miss.ts';

/** Characters of one expanded text: an argument, a variable, or a file made from a template. */
const MAX_EXPANDED = 1024 * 1024;

/** Characters of all expanded texts of one command or one plan: short texts may refer to long values again and again. */
export const MAX_FILLED = 16 * 1024 * 1024;

/** What texts may refer to. An option that is declared but has no value is undefined, and expands to nothing. */
export interface Scope {
  options: Readonly<Record<string, OptionValue | undefined>>;
  properties: Readonly<Record<string, unknown>>;
  resource: { name: string; type: string; model: string; directory: string };
  node: { name: string };
}

/** Matches a text that consists of one reference to an option. */
const ONE_OPTION = /^\$\{options\.([^{}]*)\}$/;

/**
 * Returns the text with its references filled in: numbers and booleans as text, arrays and objects as JSON. Errors: INVALID for a
 * reference to something that does not exist, an unclosed one, and a text that becomes too long.
 */
export function expand(text: string, scope: Scope): string {
  if (!text.includes('${')) return text;
  const pieces: string[] = [];
  let from = 0;
  let length = 0;
  const add = (piece: string) => {
    length += piece.length;
    if (length > MAX_EXPANDED) throw new DtkdError('INVALID', `a text becomes longer than ${MAX_EXPANDED} characters when it is filled in`);
    pieces.push(piece);
  };
  for (const match of text.matchAll(REFERENCE)) {
    add(text.slice(from, match.index));
    add(match[0] === '$${' ? '${' : referred(match[1], scope, text, match.index));
    from = match.index + match[0].length;
  }
  add(text.slice(from));
  return pieces.join('');
}

/** Fills in the options for another command. An option that consists of one reference to an option without a value is left out. */
export function expandOptions(options: Readonly<Record<string, OptionValue>>, scope: Scope): Record<string, OptionValue> {
  const filled: [string, OptionValue][] = [];
  for (const [name, value] of Object.entries(options)) {
    const passed = typeof value === 'string' ? ONE_OPTION.exec(value)?.[1] : undefined;
    if (passed !== undefined && Object.hasOwn(scope.options, passed) && scope.options[passed] === undefined) continue;
    filled.push([name, typeof value === 'string' ? expand(value, scope) : value]);
  }
  return Object.fromEntries(filled);
}

/** Counts the characters of the options that expansion changed. */
export function filledLength(options: Readonly<Record<string, OptionValue>>, filled: Readonly<Record<string, OptionValue>>): number {
  return Object.entries(filled).reduce((sum, [name, value]) => sum + (value === options[name] ? 0 : String(value).length), 0);
}

/** The error for texts that exceed MAX_FILLED. */
export function tooMuchFilled(): DtkdError {
  return new DtkdError('INVALID', `its texts have more than ${MAX_FILLED} characters in total when they are filled in`, {
    next: 'Let scripts read large values from variables (DTKD_PROPERTY_NAME), or from files made from templates.',
  });
}

function referred(reference: string | undefined, scope: Scope, text: string, at: number): string {
  if (reference === undefined) throw fault('a reference is not closed by "}"', text, at);
  const dot = reference.indexOf('.');
  const area = reference.slice(0, Math.max(dot, 0));
  const name = reference.slice(dot + 1);
  const values = areaOf(area, scope);
  if (values === undefined) throw fault(`"\${${reference}}" refers to nothing`, text, at);
  if (!Object.hasOwn(values, name)) {
    const near = nearMiss(name, Object.keys(values));
    throw fault(
      `"\${${reference}}" refers to something that does not exist${near === undefined ? '' : ` (did you mean "\${${area}.${near}}"?)`}`,
      text,
      at,
    );
  }
  const value = values[name];
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function areaOf(area: string, scope: Scope): Readonly<Record<string, unknown>> | undefined {
  switch (area) {
    case 'options':
      return scope.options;
    case 'properties':
      return scope.properties;
    case 'resource':
      return scope.resource;
    case 'node':
      return scope.node;
    default:
      return undefined;
  }
}

function fault(message: string, text: string, at: number): DtkdError {
  return new DtkdError('INVALID', `${message}${caretUnder(text, at)}`, {
    next: `There are \${options.NAME}, \${properties.NAME}, \${resource.name|type|model|directory} and \${node.name}; write $\${ for the characters \${ themselves.`,
  });
}
