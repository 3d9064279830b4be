/** The fields of a kind as rows of a table, from its schema. Pure. */
import { z } from 'zod';
import { isRecord } from '../protocol/encoding/json.ts';

export interface Field {
  /** `spec.ports[].name`; `spec.values.NAME` where any name is allowed. */
  path: string;
  /** `string`, `"a", "b"`, `list of integer`. */
  type: string;
  required: boolean;
  text: string;
}

type Node = Record<string, unknown>;

/** Every field of the object, each before the fields within it. */
export function fieldsOf(schema: z.ZodType): Field[] {
  const whole: unknown = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  return isRecord(whole) ? inside(whole, '') : [];
}

function inside(node: Node, path: string): Field[] {
  const { properties, additionalProperties, items, required } = node;
  const needed = Array.isArray(required) ? required : [];
  const named = isRecord(properties)
    ? Object.entries(properties).flatMap(([name, inner]) =>
        isRecord(inner) ? field(inner, path === '' ? name : `${path}.${name}`, needed.includes(name)) : [],
      )
    : [];
  const any = isRecord(additionalProperties) ? inside(additionalProperties, `${path}.NAME`) : [];
  const each = isRecord(items) ? inside(items, `${path}[]`) : [];
  return [...named, ...any, ...each, ...variantsOf(node).flatMap((variant) => inside(variant, path))];
}

function field(node: Node, path: string, required: boolean): Field[] {
  const { description } = node;
  const own = { path, type: typeOf(node), required, text: typeof description === 'string' ? description : '' };
  const seen = new Set([path]);
  // variants of a field may have fields of the same name
  return [own, ...inside(node, path).filter((one) => !seen.has(one.path) && seen.add(one.path) !== undefined)];
}

function variantsOf(node: Node): Node[] {
  const variants = node['anyOf'] ?? node['oneOf'] ?? node['allOf'];
  return Array.isArray(variants) ? variants.filter(isRecord) : [];
}

function typeOf(node: Node): string {
  const variants = variantsOf(node);
  if (variants.length > 0) return [...new Set(variants.map(typeOf))].join(' or ');
  if (Array.isArray(node['enum'])) return node['enum'].map((value) => JSON.stringify(value)).join(', ');
  if (node['const'] !== undefined) return JSON.stringify(node['const']);
  const { type, items, properties, additionalProperties } = node;
  if (type === 'array') return isRecord(items) ? `list of ${typeOf(items)}` : 'list';
  if (type === 'object' && !isRecord(properties))
    return isRecord(additionalProperties) ? `map of ${typeOf(additionalProperties)}` : 'object';
  return typeof type === 'string' ? type : 'any';
}
