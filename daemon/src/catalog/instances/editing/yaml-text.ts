/** Values as text within a YAML document. Pure. */
import type { Yaml } from '../files/positions.ts';

/** Style of new text. */
export const STYLE = { lineWidth: 0, indent: 2, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER } as const;

/** True for texts with leading or trailing whitespace: in a block they would depend on what surrounds them. */
export function hasOpenEnds(value: unknown): boolean {
  if (typeof value === 'string') return value.trim() !== value;
  return typeof value === 'object' && value !== null && Object.entries(value).some((entry) => entry.some(hasOpenEnds));
}

/** The lines of a map or a list, indented to a column. */
export function blockOf(yaml: Yaml, text: string, value: unknown, column: number): string {
  const lines = new yaml.Document(value)
    .toString({ ...STYLE, blockQuote: !hasOpenEnds(value) })
    .trimEnd()
    .split('\n');
  return lines.map((line) => (line === '' ? '' : `${' '.repeat(column)}${line}`)).join(lineBreak(text));
}

/** The line break that the text uses. */
export function lineBreak(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

/** A value in place of a block scalar: as one if it has several lines, otherwise on one line. */
export function lined(yaml: Yaml, text: string, value: unknown, column: number): string {
  if (typeof value !== 'string' || !value.includes('\n') || hasOpenEnds(value)) return inline(yaml, value);
  const [first = '', ...more] = new yaml.Document({ k: value }).toString(STYLE).trimEnd().split('\n');
  const lines = more.map((line) => (line === '' ? '' : `${' '.repeat(column)}${line}`));
  return [first.slice('k: '.length), ...lines].join(lineBreak(text));
}

/** A value on one line. */
export function inline(yaml: Yaml, value: unknown): string {
  if (typeof value === 'string' && /[\n\r]/.test(value)) return JSON.stringify(value);
  // in flow style, so that it is also valid inside brackets
  const text = new yaml.Document([value]).createNode([value], { flow: true });
  const document = new yaml.Document();
  document.contents = text;
  const written = document.toString({ lineWidth: 0, flowCollectionPadding: false, collectionStyle: 'flow' }).trim();
  return written.includes('\n') ? JSON.stringify(value) : written.slice(1, -1);
}
