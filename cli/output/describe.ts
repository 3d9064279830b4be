import { ageOf } from '../../protocol/text/age.ts';
import { isRecord, type JsonRecord, recordAt } from '../json.ts';
import { alignColumns } from './columns.ts';
import { escapeControls } from './escape.ts';

/** Words that stay in capitals in a heading. */
const ACRONYMS = new Set(['api', 'url', 'uri', 'uid']);
const INDENT = '  ';
/** Spaces between a label and its value. */
const GAP = 2;

/**
 * The heading of a field: `inviteToken` gives `Invite Token`, `apiVersion` gives `API Version`. Names that are not field names of ours,
 * such as `http_port`, stay unchanged.
 */
export function headingOf(field: string): string {
  if (/[^A-Za-z0-9]/.test(field)) return field;
  const words = field.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+/g) ?? [field];
  return words
    .map((word) => {
      const lower = word.toLowerCase();
      return ACRONYMS.has(lower) ? word.toUpperCase() : word.charAt(0).toUpperCase() + word.slice(1);
    })
    .join(' ');
}

/**
 * An object as `describe` prints it: name, labels and annotations first, then every other field in alphabetical order, then its events, or
 * why they are unknown.
 */
export function describeLines(object: JsonRecord, events: readonly JsonRecord[] | string, now: number): string[] {
  const metadata = recordAt(object, 'metadata');
  const { name, namespace, labels, annotations, managedFields: _managed, ...otherMeta } = metadata;
  const { metadata: _metadata, ...fields } = object;
  const rest = { ...fields, metadata: otherMeta };
  const head: [string, string[]][] = [['Name', [scalar(name)]]];
  if (namespace !== undefined) head.push(['Namespace', [scalar(namespace)]]);
  head.push(['Labels', pairs(labels, '=')], ['Annotations', pairs(annotations, ': ')]);
  const width = Math.max('Annotations'.length, labelWidth(rest));
  const headLines = head.flatMap(([label, values]) => values.map((value, index) => labelled(index === 0 ? label : '', value, width)));
  return [...headLines, ...fieldLines(rest, '', width), ...eventLines(events, now, width)];
}

/** `Label:  value`, with the values of one level aligned. */
function labelled(label: string, value: string, width: number): string {
  return `${label === '' ? '' : `${label}:`}`.padEnd(width + 1 + GAP) + value;
}

/** The width of the longest label with a plain value. */
function labelWidth(record: JsonRecord): number {
  const plain = Object.entries(record).filter(([, value]) => value !== undefined && !isNested(value));
  return Math.max(0, ...plain.map(([key]) => escapeControls(headingOf(key)).length));
}

function pairs(value: unknown, join: string): string[] {
  const entries = isRecord(value) ? Object.entries(value).sort(byKey) : [];
  return entries.length === 0 ? ['<none>'] : entries.map(([key, text]) => escapeControls(`${key}${join}${String(text)}`));
}

function fieldLines(record: JsonRecord, indent: string, width: number): string[] {
  return Object.entries(record)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]): [string, unknown] => [escapeControls(headingOf(key)), value])
    .sort(byKey)
    .flatMap(([label, value]) =>
      isNested(value) ? [`${indent}${label}:`, ...nestedLines(value, indent + INDENT)] : [indent + labelled(label, scalar(value), width)],
    );
}

function nestedLines(value: unknown, indent: string): string[] {
  if (isRecord(value)) return fieldLines(value, indent, labelWidth(value));
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

function eventLines(events: readonly JsonRecord[] | string, now: number, width: number): string[] {
  if (typeof events === 'string') return [labelled('Events', `<${escapeControls(events)}>`, width)];
  if (events.length === 0) return [labelled('Events', '<none>', width)];
  const rows = events.map((event) => {
    const count = Number(event['count'] ?? 1);
    const last = ageOf(event['lastTimestamp'], now);
    const first = ageOf(event['firstTimestamp'], now);
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
