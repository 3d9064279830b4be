/** Converts a document of OpenAPI 3.0 to 2.0, which older clients and kubectl's validation read. Pure. */
import { nameOfRef } from './names.ts';
import {
  type Content,
  type DocumentV3,
  METHODS,
  type Operation,
  type Parameter,
  type PathItem,
  type Reference,
  type Schema,
} from './schema.types.ts';

type Extensions = { [extension: `x-${string}`]: unknown };

export interface ParameterV2 extends Extensions {
  name: string;
  in: 'path' | 'query' | 'body';
  description?: string;
  required?: boolean;
  type?: string;
  format?: string;
  enum?: unknown[];
  minimum?: number;
  schema?: Schema;
}

export interface OperationV2 extends Extensions {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  consumes?: string[];
  produces: string[];
  parameters?: (ParameterV2 | Reference)[];
  responses: Record<string, { description: string; schema?: Schema } | Reference>;
  security?: Record<string, string[]>[];
}

export interface DocumentV2 {
  swagger: '2.0';
  info: { title: string; version: string };
  paths: Record<string, Record<string, OperationV2 | (ParameterV2 | Reference)[]>>;
  definitions: Record<string, Schema>;
  parameters: Record<string, ParameterV2>;
  responses: Record<string, { description: string; schema?: Schema }>;
  securityDefinitions: Record<string, { type: 'apiKey'; name: string; in: 'header'; description: string }>;
  security: Record<string, string[]>[];
}

export function documentV2({ info, paths, components, security }: DocumentV3): DocumentV2 {
  const convert = <T, R>(record: Record<string, T>, each: (value: T) => R): Record<string, R> =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [name, each(value)]));
  return {
    swagger: '2.0',
    info: { title: info.title, version: info.version },
    paths: convert(paths, pathV2),
    definitions: convert(components.schemas, schemaV2),
    parameters: convert(components.parameters, parameterV2),
    responses: convert(components.responses, ({ description, content }) => ({ description, ...schemaIn(content) })),
    securityDefinitions: convert(components.securitySchemes, ({ description }) => ({
      type: 'apiKey',
      name: 'authorization',
      in: 'header',
      description: `Bearer and the token. ${description}`,
    })),
    security,
  };
}

function pathV2(item: PathItem): DocumentV2['paths'][string] {
  const { parameters } = item;
  const operations = METHODS.flatMap((method) => {
    const operation = item[method];
    return operation === undefined ? [] : [[method, operationV2(operation)] as const];
  });
  return { ...Object.fromEntries(operations), ...(parameters === undefined ? {} : { parameters: parameters.map(refOrParameter) }) };
}

function operationV2({ requestBody, parameters = [], responses, ...operation }: Operation): OperationV2 {
  const consumes = Object.keys(requestBody?.content ?? {});
  const produced = Object.values(responses).flatMap((response) => ('content' in response ? Object.keys(response.content ?? {}) : []));
  const body: ParameterV2[] =
    requestBody === undefined
      ? []
      : [
          {
            name: 'body',
            in: 'body',
            ...(requestBody.required === true ? { required: true } : {}),
            schema: {},
            ...schemaIn(requestBody.content),
          },
        ];
  const all = [...body, ...parameters.map(refOrParameter)];
  return {
    ...operation,
    ...(consumes.length > 0 ? { consumes } : {}),
    produces: [...new Set(produced)],
    ...(all.length > 0 ? { parameters: all } : {}),
    responses: Object.fromEntries(
      Object.entries(responses).map(([code, response]) => [
        code,
        '$ref' in response
          ? { $ref: response.$ref.replace('#/components/responses/', '#/responses/') }
          : { description: response.description, ...schemaIn(response.content) },
      ]),
    ),
  };
}

/** The schema of the first media type; all others are other encodings of the same. */
function schemaIn(content: Content | undefined): { schema?: Schema } {
  const [first] = Object.values(content ?? {});
  return first === undefined ? {} : { schema: schemaV2(first.schema) };
}

function refOrParameter(parameter: Parameter | Reference): ParameterV2 | Reference {
  if ('$ref' in parameter) return { $ref: parameter.$ref.replace('#/components/parameters/', '#/parameters/') };
  return parameterV2(parameter);
}

function parameterV2({ schema, ...parameter }: Parameter): ParameterV2 {
  const { type, format, enum: values, minimum } = schema;
  return {
    ...parameter,
    ...(type === undefined ? {} : { type }),
    ...(format === undefined ? {} : { format }),
    ...(values === undefined ? {} : { enum: values }),
    ...(minimum === undefined ? {} : { minimum }),
  };
}

/** What version 2 cannot express is left open; `int-or-string` becomes a string of that format, as in Kubernetes. */
function schemaV2({ nullable: _nullable, anyOf, allOf, ...schema }: Schema): Schema {
  const [only] = allOf ?? [];
  if (only?.$ref !== undefined) return { ...schema, $ref: refV2(only.$ref) };
  if (schema.$ref !== undefined) return { $ref: refV2(schema.$ref) };
  if (anyOf !== undefined && schema.format === 'int-or-string') return { ...schema, type: 'string' };
  const { properties, items, additionalProperties } = schema;
  return {
    ...schema,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, schemaV2(inner)])) }),
    ...(items === undefined ? {} : { items: schemaV2(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: schemaV2(additionalProperties) }),
  };
}

function refV2(ref: string): string {
  return `#/definitions/${nameOfRef(ref)}`;
}
