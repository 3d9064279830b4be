import { isRecord, type JsonRecord, recordAt } from '../json.ts';
import { ageOf } from './age.ts';
import { escapeControls } from './escape.ts';
import { alignColumns } from './table.ts';

/** Words that stay in capitals in a heading. */
const ACRONYMS = new Set(['api', 'url', 'uri', 'uid']);
const INDENT = '  ';

/** The heading of a field: `inviteToken` gives `Invite Token`, `apiVersion` gives `API Version`. */
export function headingOf(field: string): string {
  const words = field.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[^A-Za-z0-9]+/g) ?? [field];
  return words
    .map((word) => {
      const lower = word.toLowerCase();
      return ACRONYMS.has(lower) ? word.toUpperCase() : word.charAt(0).toUpperCase() + word.slice(1);
    })
    .join(' ');
}

/** An object as `describe` prints it: name, labels and annotations first, then every field in the order of the alphabet, then its events. */
export function describeLines(object: JsonRecord, events: readonly JsonRecord[], now: number): string[] {
  const metadata = recordAt(object, 'metadata');
  const { name, namespace, labels, annotations, managedFields: _managed, ...otherMeta } = metadata;
  const head: [string, string[]][] = [
    ['Name', [scalar(name)]],
    ...(namespace === undefined ? [] : ([['Namespace', [scalar(namespace)]]] as [string, string[]][])),
    ['Labels', pairs(labels, '=')],
    ['Annotations', pairs(annotations, ': ')],
  ];
  const { metadata: _metadata, ...fields } = object;
  const body = fieldLines({ ...fields, metadata: otherMeta }, '');
  return [...alignHead(head), ...body, ...eventLines(events, now)];
}

function alignHead(entries: readonly [string, string[]][]): string[] {
  const width = Math.max(...entries.map(([label]) => label.length)) + 1 + INDENT.length;
  return entries.flatMap(([label, values]) =>
    values.map((value, index) => (index === 0 ? `${label}:`.padEnd(width) : ' '.repeat(width)) + value),
  );
}

function pairs(value: unknown, join: string): string[] {
  const entries = isRecord(value) ? Object.entries(value).sort(byKey) : [];
  return entries.length === 0 ? ['<none>'] : entries.map(([key, text]) => escapeControls(`${key}${join}${String(text)}`));
}

function fieldLines(record: JsonRecord, indent: string): string[] {
  const entries = Object.entries(record)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]): [string, unknown] => [escapeControls(headingOf(key)), value])
    .sort(byKey);
  const scalars = entries.filter(([, value]) => !isNested(value));
  const width = Math.max(0, ...scalars.map(([label]) => label.length)) + 1 + INDENT.length;
  return entries.flatMap(([label, value]) => {
    if (!isNested(value)) return [`${indent}${`${label}:`.padEnd(width)}${scalar(value)}`];
    return [`${indent}${label}:`, ...nestedLines(value, indent + INDENT)];
  });
}

function nestedLines(value: unknown, indent: string): string[] {
  if (isRecord(value)) return fieldLines(value, indent);
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown) => (isNested(item) ? nestedLines(item, indent) : [`${indent}${scalar(item)}`]));
}

function isNested(value: unknown): boolean {
  return (Array.isArray(value) && value.length > 0) || (isRecord(value) && Object.keys(value).length > 0);
}

function scalar(value: unknown): string {
  if (value === null || value === undefined || value === '' || typeof value === 'object') return '<none>';
  return escapeControls(String(value));
}

function eventLines(events: readonly JsonRecord[], now: number): string[] {
  if (events.length === 0) return ['Events:  <none>'];
  const rows = events.map((event) => {
    const count = Number(event['count'] ?? 1);
    const last = ageOf(typeof event['lastTimestamp'] === 'string' ? event['lastTimestamp'] : undefined, now);
    const first = ageOf(typeof event['firstTimestamp'] === 'string' ? event['firstTimestamp'] : undefined, now);
    const source = recordAt(event, 'source')['component'];
    return [
      scalar(event['type']),
      scalar(event['reason']),
      count > 1 ? `${last} (x${count} over ${first})` : last,
      scalar(source),
      scalar(event['message']),
    ];
  });
  const head = ['Type', 'Reason', 'Age', 'From', 'Message'];
  return ['Events:', ...alignColumns([head, head.map((word) => '-'.repeat(word.length)), ...rows]).map((line) => INDENT + line)];
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
