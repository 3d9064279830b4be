import { isRecord, type JsonRecord, listAt, recordAt, textAt, textsAt } from '../json.ts';

/** The schema at a field path of a JSON Schema; undefined if there is no such field. Passes through lists. Pure. */
export function schemaAt(schema: JsonRecord, path: readonly string[]): JsonRecord | undefined {
  let here: JsonRecord | undefined = schema;
  for (const field of path) {
    const next: unknown = here === undefined ? undefined : recordAt(elementOf(here), 'properties')[field];
    here = isRecord(next) ? next : undefined;
  }
  return here;
}

/** The fields of a schema as lines: name, type, whether required, description. Pure. */
export function fieldLines(schema: JsonRecord): string[] {
  const element = elementOf(schema);
  const required = new Set(textsAt(element, 'required'));
  return Object.entries(recordAt(element, 'properties'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, field]) => [
      `  ${name}  <${typeOf(field)}>${required.has(name) ? '  -required-' : ''}`,
      ...wrap(descriptionOf(field), '      '),
    ]);
}

/** `string`, `integer`, `[]Object`, `map[string]string`, or the allowed values. Pure. */
export function typeOf(schema: unknown): string {
  if (!isRecord(schema)) return 'any';
  const values = listAt(schema, 'enum');
  if (values.length > 0) return values.map((value) => JSON.stringify(value)).join('|');
  if (schema['const'] !== undefined) return JSON.stringify(schema['const']);
  const choices = listAt(schema, 'anyOf').filter((choice) => textAt(choice, 'type') !== 'null');
  if (choices.length > 0) return choices.map(typeOf).join('|');
  const type = textAt(schema, 'type');
  if (type === 'array') return `[]${typeOf(schema['items'])}`;
  if (type !== 'object') return type ?? 'any';
  return isRecord(schema['additionalProperties']) && !isRecord(schema['properties'])
    ? `map[string]${typeOf(schema['additionalProperties'])}`
    : 'Object';
}

export function descriptionOf(schema: unknown): string {
  return textAt(schema, 'description') ?? '';
}

/** The schema of what a field holds, through lists, maps and optional alternatives. */
function elementOf(schema: JsonRecord): JsonRecord {
  const items = schema['items'];
  if (isRecord(items)) return elementOf(items);
  const values = schema['additionalProperties'];
  if (isRecord(values) && !isRecord(schema['properties'])) return elementOf(values);
  const [only] = listAt(schema, 'anyOf').filter((choice) => textAt(choice, 'type') !== 'null');
  return isRecord(only) ? elementOf(only) : schema;
}

const WIDTH = 80;

/** Wraps text into indented lines. */
export function wrap(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter(Boolean)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(indent + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, indent + line];
}
