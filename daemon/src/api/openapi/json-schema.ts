/**
 * Converts the schemas that validate documents into schemas that Kubernetes clients can read. Pure. These clients know objects,
 * lists, maps, plain values and `int-or-string`; anything that may be one of several other things is left open to them, and
 * described to people in `anyOf`.
 */
import { z } from 'zod';
import { isRecord, jsonEqual } from '../../../../protocol/encoding/json.ts';
import { INT_OR_STRING, refTo } from './names.ts';
import type { Schema, SchemaType } from './schema.types.ts';

/** The keyword that allows anything. */
export const OPEN = 'x-kubernetes-preserve-unknown-fields';

/** The schema of input: fields with a default are not required. */
export function schemaOf(type: z.ZodType): Schema {
  return normal(z.toJSONSchema(type, { target: 'openapi-3.0', io: 'input', unrepresentable: 'any' }));
}

/** Converts a JSON schema into an OpenAPI schema with the keywords used here. */
function normal(node: unknown): Schema {
  if (!isRecord(node)) return { [OPEN]: true };
  const variants = node['anyOf'] ?? node['oneOf'];
  const about = commonOf(node);
  if (Array.isArray(variants)) return { ...union(variants.map(normal)), ...about };
  switch (node['type']) {
    case 'object':
      return { ...about, ...objectOf(node) };
    case 'array':
      return { ...about, type: 'array', ...numbers(node, ['minItems', 'maxItems']), items: normal(node['items']) };
    case 'integer':
    case 'number':
      return { ...about, ...numberOf(node) };
    case 'string':
      return { ...about, ...stringOf(node) };
    case 'boolean':
      return { ...about, type: 'boolean', ...enumOf(node) };
    default:
      return { ...about, [OPEN]: true };
  }
}

function commonOf(node: Record<string, unknown>): Schema {
  const { description } = node;
  return {
    ...(typeof description === 'string' ? { description } : {}),
    ...(node['nullable'] === true ? { nullable: true } : {}),
    ...(node['default'] === undefined ? {} : { default: node['default'] }),
  };
}

function objectOf(node: Record<string, unknown>): Schema {
  const { properties, additionalProperties, required } = node;
  if (isRecord(properties) && Object.keys(properties).length > 0) {
    return {
      type: 'object',
      ...(Array.isArray(required) && required.length > 0 ? { required: required.map(String) } : {}),
      properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, normal(inner)])),
    };
  }
  // a map declares no properties: clients would then refuse all others
  return { type: 'object', ...(isRecord(additionalProperties) ? { additionalProperties: normal(additionalProperties) } : {}) };
}

function numberOf(node: Record<string, unknown>): Schema {
  const bounds = numbers(node, ['minimum', 'maximum']);
  if (bounds.minimum === Number.MIN_SAFE_INTEGER) delete bounds.minimum;
  if (bounds.maximum === Number.MAX_SAFE_INTEGER) delete bounds.maximum;
  const isWhole = node['type'] === 'integer';
  return { type: isWhole ? 'integer' : 'number', ...(isWhole ? { format: 'int64' } : {}), ...bounds, ...enumOf(node) };
}

function stringOf(node: Record<string, unknown>): Schema {
  const { format, pattern } = node;
  const formatted = typeof format === 'string' ? { format } : {};
  // a format makes a pattern unnecessary
  const shaped = typeof pattern === 'string' && typeof format !== 'string' ? { pattern } : {};
  return { type: 'string', ...formatted, ...shaped, ...numbers(node, ['minLength', 'maxLength']), ...enumOf(node) };
}

function enumOf(node: Record<string, unknown>): Schema {
  return Array.isArray(node['enum']) ? { enum: node['enum'] } : {};
}

type Bound = 'minimum' | 'maximum' | 'minLength' | 'maxLength' | 'minItems' | 'maxItems';

function numbers(node: Record<string, unknown>, names: readonly Bound[]): Partial<Record<Bound, number>> {
  const found: Partial<Record<Bound, number>> = {};
  for (const name of names) {
    const value = node[name];
    if (typeof value === 'number') found[name] = value;
  }
  return found;
}

/** One of several variants, as a single schema where that is possible. */
function union(variants: readonly Schema[]): Schema {
  const types = new Set<SchemaType | undefined>(variants.map(({ type }) => type));
  const [only] = types;
  if (types.size === 1 && only === 'object' && variants.every(({ properties }) => properties !== undefined)) return mergedObjects(variants);
  if (types.size === 1 && only === 'string') return mergedTexts(variants);
  if (types.size === 2 && types.has('integer') && types.has('string')) {
    return { allOf: [refTo(INT_OR_STRING)] };
  }
  return { anyOf: [...variants], [OPEN]: true };
}

/** All fields of all variants, so that each is described; a field is required if all variants require it. */
function mergedObjects(variants: readonly Schema[]): Schema {
  const properties: Record<string, Schema> = {};
  for (const variant of variants) {
    for (const [name, inner] of Object.entries(variant.properties ?? {})) {
      const known = properties[name];
      properties[name] = known === undefined ? inner : mergedField(known, inner);
    }
  }
  const required = Object.keys(properties).filter((name) => variants.every((variant) => variant.required?.includes(name)));
  return { type: 'object', ...(required.length > 0 ? { required } : {}), properties };
}

function mergedField(a: Schema, b: Schema): Schema {
  if (jsonEqual(a, b)) return a;
  const description = a.description ?? b.description;
  return { ...union([a, b]), ...(description === undefined ? {} : { description }) };
}

function mergedTexts(variants: readonly Schema[]): Schema {
  const values = variants.flatMap((variant) => variant.enum ?? []);
  return variants.every((variant) => variant.enum !== undefined) ? { type: 'string', enum: [...new Set(values)] } : { type: 'string' };
}
