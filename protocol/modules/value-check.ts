/** Whether values that stand in a module fit the rules of their properties: pure. Patterns are tried by the node, which has an engine for them. */
import { isRecord, jsonEqual } from '../json.ts';
import type { PropertyRule, PropertyType } from '../kinds/type.ts';
import { objectName } from '../objects.ts';

const SCALARS: readonly PropertyType[] = ['string', 'integer', 'number', 'boolean', 'port', 'secret'];
const SHOWN = 80;

const EXPECTED: Readonly<Record<PropertyType, string>> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  port: 'a port (a whole number of 1 to 65535)',
  secret: 'the name of a Secret',
};

/** What is wrong with a rule in itself, by field. */
export function ruleFaults(rule: PropertyRule): { field: string; message: string }[] {
  const { allowed, pattern, type = 'string' } = rule;
  const faults: { field: string; message: string }[] = [];
  if (allowed !== undefined && !SCALARS.includes(type)) {
    faults.push({ field: 'allowed', message: `a property of type ${type} cannot have a list of allowed values` });
  }
  if (pattern !== undefined && type !== 'string' && type !== 'secret') {
    faults.push({ field: 'pattern', message: `a property of type ${type} cannot have a pattern; only texts can` });
  }
  for (const [index, value] of (SCALARS.includes(type) ? (allowed ?? []) : []).entries()) {
    const fault = valueFault({ type }, value);
    if (fault !== undefined) faults.push({ field: `allowed[${index}]`, message: fault });
  }
  if (rule.default !== undefined && faults.length === 0) {
    const fault = valueFault(rule, rule.default);
    if (fault !== undefined) faults.push({ field: 'default', message: fault });
  }
  return faults;
}

/** What is wrong with a value, as `expected …, got …`; undefined if it fits. Never repeats what stands where the name of a Secret belongs. */
export function valueFault({ type = 'string', allowed }: PropertyRule, value: unknown): string | undefined {
  const got = type === 'secret' ? '' : `, got ${shown(value)}`;
  if (!isOfType(type, value)) return `expected ${EXPECTED[type]}${got}`;
  if (allowed === undefined || allowed.some((one) => jsonEqual(one, value))) return undefined;
  const list = allowed.slice(0, 10).map((one) => JSON.stringify(one));
  return `expected one of ${list.join(', ')}${allowed.length > list.length ? ', …' : ''}${got}`;
}

function isOfType(type: PropertyType, value: unknown): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string';
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isRecord(value);
    case 'port':
      return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
    case 'secret':
      return objectName.safeParse(value).success;
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
