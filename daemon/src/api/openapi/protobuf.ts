/**
 * Encodes an OpenAPI 2.0 document in the protocol buffers that kubectl requests (package openapi.v2, as gnostic defines it). A
 * table describes each message: a field's name in the document, its number, and its content. Fields that are not in a table are
 * omitted. Pure.
 */
import { isRecord } from '../../../../protocol/encoding/json.ts';

type Write = (value: unknown) => Buffer[];
interface Field {
  number: number;
  write: Write;
}
type Message = () => Readonly<Record<string, Field>>;

const LENGTH_DELIMITED = 2;
const VARINT = 0;
const DOUBLE = 1;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

function tag(number: number, wire: number): Buffer {
  return varint(number * 8 + wire);
}

function delimited(number: number, parts: readonly Buffer[]): Buffer[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [tag(number, LENGTH_DELIMITED), varint(length), ...parts];
}

/** Encode one value of a field, with its tag. */
const text = (number: number): Field => ({ number, write: (value) => delimited(number, [Buffer.from(String(value))]) });
const flag = (number: number): Field => ({ number, write: (value) => (value === true ? [tag(number, VARINT), varint(1)] : []) });
const whole = (number: number): Field => ({ number, write: (value) => [tag(number, VARINT), varint(Number(value))] });
const real = (number: number): Field => ({
  number,
  write: (value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(Number(value));
    return [tag(number, DOUBLE), bytes];
  },
});
/** Any value, as YAML; its JSON is valid YAML. */
const any = (number: number): Field => ({ number, write: (value) => delimited(number, anyOf(value)) });
const anyOf: Write = (value) => delimited(2, [Buffer.from(`${JSON.stringify(value)}\n`)]);
const each = ({ number, write }: Field): Field => ({ number, write: (value) => (Array.isArray(value) ? value : []).flatMap(write) });
const message = (number: number, of: Message): Field => ({ number, write: (value) => delimited(number, encode(value, of)) });
/** A message nested in others: each number leads one level deeper. */
const within = (numbers: readonly number[], of: Message): Field => ({
  number: numbers[0] ?? 0,
  write: (value) => nested(numbers, encode(value, of)),
});

function nested(numbers: readonly number[], parts: readonly Buffer[]): Buffer[] {
  return numbers.reduceRight<Buffer[]>((inner, number) => delimited(number, inner), [...parts]);
}

/** A map: a message that repeats pairs of a name (1) and a value (2) under one field number. */
const map = (number: number, value: Write, pairs = 1): Field => ({
  number,
  write: (record) => delimited(number, pairsOf(record, value, pairs)),
});

function pairsOf(record: unknown, value: Write, number: number): Buffer[] {
  return Object.entries(isRecord(record) ? record : {}).flatMap(([name, inner]) =>
    delimited(number, [...text(1).write(name), ...delimited(2, value(inner))]),
  );
}

function encode(value: unknown, of: Message): Buffer[] {
  if (!isRecord(value)) return [];
  const fields = of();
  const extensions = fields['x-'];
  return Object.entries(value).flatMap(([name, inner]) => {
    const field = fields[name];
    if (field !== undefined) return inner === undefined ? [] : field.write(inner);
    if (extensions === undefined || !name.startsWith('x-')) return [];
    return delimited(extensions.number, [...text(1).write(name), ...delimited(2, anyOf(inner))]);
  });
}

/** Only its number is used: `encode` finds the extensions itself. */
const extensions = (number: number): Field => ({ number, write: () => [] });

const SCHEMA: Message = () => ({
  $ref: text(1),
  format: text(2),
  description: text(4),
  default: any(5),
  maximum: real(7),
  minimum: real(9),
  maxLength: whole(11),
  minLength: whole(12),
  pattern: text(13),
  maxItems: whole(14),
  minItems: whole(15),
  required: each(text(19)),
  enum: each(any(20)),
  additionalProperties: within([21, 1], SCHEMA),
  type: { number: 22, write: (value) => delimited(22, text(1).write(value)) },
  items: within([23, 1], SCHEMA),
  properties: map(25, (value) => encode(value, SCHEMA)),
  readOnly: flag(27),
  'x-': extensions(31),
});

const BODY: Message = () => ({
  description: text(1),
  name: text(2),
  in: text(3),
  required: flag(4),
  schema: message(5, SCHEMA),
  'x-': extensions(6),
});
const QUERY: Message = () => ({
  required: flag(1),
  in: text(2),
  description: text(3),
  name: text(4),
  type: text(6),
  format: text(7),
  minimum: real(13),
  enum: each(any(21)),
  'x-': extensions(23),
});
const PATH: Message = () => ({
  required: flag(1),
  in: text(2),
  description: text(3),
  name: text(4),
  type: text(5),
  format: text(6),
  'x-': extensions(22),
});
const REFERENCE: Message = () => ({ $ref: text(1), description: text(2) });

/** A Parameter, encoded as a message that depends on its place in the request. */
const parameter: Write = (value) => {
  const place = isRecord(value) ? value['in'] : undefined;
  if (place === 'body') return delimited(1, encode(value, BODY));
  return place === 'path' ? nested([2, 4], encode(value, PATH)) : nested([2, 3], encode(value, QUERY));
};
const isReference = (value: unknown): boolean => isRecord(value) && value['$ref'] !== undefined;
const parameterItem = (number: number): Field => ({
  number,
  write: (value) => delimited(number, isReference(value) ? delimited(2, encode(value, REFERENCE)) : delimited(1, parameter(value))),
});

const RESPONSE: Message = () => ({ description: text(1), schema: within([2, 1], SCHEMA), 'x-': extensions(5) });
const response: Write = (value) => (isReference(value) ? delimited(2, encode(value, REFERENCE)) : delimited(1, encode(value, RESPONSE)));

const OPERATION: Message = () => ({
  tags: each(text(1)),
  summary: text(2),
  description: text(3),
  operationId: text(5),
  produces: each(text(6)),
  consumes: each(text(7)),
  parameters: each(parameterItem(8)),
  responses: map(9, response),
  'x-': extensions(13),
});
const PATH_ITEM: Message = () => ({
  get: message(2, OPERATION),
  put: message(3, OPERATION),
  post: message(4, OPERATION),
  delete: message(5, OPERATION),
  patch: message(8, OPERATION),
  parameters: each(parameterItem(9)),
  'x-': extensions(10),
});
const INFO: Message = () => ({ title: text(1), version: text(2), description: text(3) });
const DOCUMENT: Message = () => ({
  swagger: text(1),
  info: message(2, INFO),
  paths: map(8, (value) => encode(value, PATH_ITEM), 2),
  definitions: map(9, (value) => encode(value, SCHEMA)),
  parameters: map(10, parameter),
  responses: map(11, (value) => encode(value, RESPONSE)),
  'x-': extensions(16),
});

/** The bytes of an `openapi.v2.Document`. */
export function openApiProtobuf(document: object): Buffer {
  return Buffer.concat(encode(document, DOCUMENT));
}
