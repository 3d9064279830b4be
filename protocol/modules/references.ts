/** Finds `${…}` references in the values of a module. Pure. `$${` stands for a literal `${`. */
import { isRecord } from '../encoding/json.ts';

const OPEN = `has a \${ that no } closes; write $\${ for a literal \${`;

/** What references within a value may name. */
export interface Naming {
  /** The names by scope, such as `parameters`, or `any`. For `components`: names of components, the part before the dot. */
  scopes: Readonly<Record<string, ReadonlySet<string> | 'any'>>;
}

/** Calls back for each invalid reference in a value, however deeply nested. */
export function wrongReferences(value: unknown, { scopes }: Naming, tell: (field: string, message: string) => void, field = ''): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) wrongReferences(item, { scopes }, tell, `${field}[${index}]`);
  } else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) wrongReferences(item, { scopes }, tell, `${field}.${key}`);
  } else if (typeof value === 'string' && value.includes('${')) {
    for (const message of inText(value, scopes)) tell(field, message);
  }
}

/** Returns all references in a value, however deeply nested. */
export function referencesIn(value: unknown): string[] {
  if (typeof value === 'string')
    return [...value.replaceAll('$${', '').matchAll(/\$\{([^}]*)\}/g)].map(([, reference = '']) => reference.trim());
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  return isRecord(value) ? Object.values(value).flatMap(referencesIn) : [];
}

/** True if a value contains references, so that it is not known yet. */
export function hasReference(value: unknown): boolean {
  if (typeof value === 'string') return value.replaceAll('$${', '').includes('${');
  if (Array.isArray(value)) return value.some(hasReference);
  return isRecord(value) && Object.values(value).some(hasReference);
}

function inText(text: string, scopes: Naming['scopes']): string[] {
  const plain = text.replaceAll('$${', '');
  const messages: string[] = [];
  for (let at = plain.indexOf('${'); at !== -1; at = plain.indexOf('${', at + 2)) {
    const end = plain.indexOf('}', at);
    if (end === -1) return [...messages, OPEN];
    const message = wrong(plain.slice(at + 2, end).trim(), scopes);
    if (message !== undefined) messages.push(message);
  }
  return messages;
}

function wrong(reference: string, scopes: Naming['scopes']): string | undefined {
  const dot = reference.indexOf('.');
  const [scope, rest] = [reference.slice(0, Math.max(0, dot)), reference.slice(dot + 1)];
  const shown = JSON.stringify(`\${${reference.slice(0, 80)}}`);
  const names = Object.hasOwn(scopes, scope) ? scopes[scope] : undefined;
  if (names === undefined || rest === '') {
    const there = Object.keys(scopes).map((one) => `\${${one === 'components' ? 'components.NAME.PROPERTY' : `${one}.NAME`}}`);
    return `${shown} names nothing; you can refer to ${there.join(', ')}`;
  }
  if (names === 'any') return undefined;
  const name = scope === 'components' ? rest.slice(0, Math.max(0, rest.indexOf('.'))) : rest;
  if (names.has(name)) return undefined;
  return `${shown}: there is no ${scope.replace(/s$/, '')} ${JSON.stringify((name === '' ? rest : name).slice(0, 63))}`;
}
