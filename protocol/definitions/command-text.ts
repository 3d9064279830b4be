/**
 * Finds `${…}` references in the texts of commands and templates, and checks whether what they name can exist. Pure. `$${` stands for a
 * literal `${`.
 */
import { nearMiss } from '../text/near-miss.ts';

/** Matches a reference, an unclosed `${`, or `$${`, so that the latter is skipped. */
export const REFERENCE = /\$\$\{|\$\{([^{}]*)\}|\$\{/g;

/** What texts may refer to besides options and properties. */
const FIXED: Readonly<Record<string, readonly string[]>> = { resource: ['name', 'type', 'model', 'directory'], node: ['name'] };

/** Names that may be referred to. */
export interface TextNames {
  /** Options of the command; empty for a template. */
  options: readonly string[];
  /** Returns what is wrong with a property's name; undefined if the property may exist. */
  property(name: string): string | undefined;
}

/** A reference that can never be filled in, and its position. */
export interface TextFault {
  at: number;
  message: string;
}

/** Returns the properties that a text refers to, each with the position of its first reference. */
export function propertiesIn(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const match of text.matchAll(REFERENCE)) {
    const [, name] = /^properties\.(.+)$/.exec(match[1] ?? '') ?? [];
    if (name !== undefined && !found.has(name)) found.set(name, match.index);
  }
  return found;
}

/** Returns all references of a text that name nothing. */
export function textFaults(text: string, names: TextNames): TextFault[] {
  const faults: TextFault[] = [];
  for (const match of text.matchAll(REFERENCE)) {
    if (match[0] === '$${') continue;
    const message = match[1] === undefined ? `has a \${ that no } closes; write $\${ for a literal \${` : wrong(match[1], names);
    if (message !== undefined) faults.push({ at: match.index, message });
  }
  return faults;
}

function wrong(reference: string, { options, property }: TextNames): string | undefined {
  const shown = JSON.stringify(`\${${reference.slice(0, 80)}}`);
  const dot = reference.indexOf('.');
  const [area, name] = [reference.slice(0, Math.max(0, dot)), reference.slice(dot + 1)];
  if (area === 'properties') {
    const why = property(name);
    return why === undefined ? undefined : `${shown}: ${why}`;
  }
  const there = area === 'options' ? options : Object.hasOwn(FIXED, area) ? FIXED[area] : undefined;
  if (there === undefined)
    return `${shown} names nothing; there are \${options.NAME}, \${properties.NAME}, \${resource.name|type|model|directory} and \${node.name}`;
  if (there.includes(name)) return undefined;
  const near = nearMiss(name, there);
  const meant = near === undefined ? (there.length === 0 ? '; a template has no options' : '') : `; did you mean \${${area}.${near}}?`;
  return `${shown} names nothing${meant}`;
}
