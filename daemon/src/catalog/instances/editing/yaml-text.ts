/** Values as text that stands within a YAML document: pure. */
import type { Yaml } from '../files/positions.ts';

/** How what is new is written. */
export const STYLE = { lineWidth: 0, indent: 2, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER } as const;

/** A text that begins or ends with blanks or line breaks: as a block it would depend on what stands around it. */
export function hasOpenEnds(value: unknown): boolean {
  if (typeof value === 'string') return value.trim() !== value;
  return typeof value === 'object' && value !== null && Object.entries(value).some((entry) => entry.some(hasOpenEnds));
}

/** Lines of a map or a list, so far to the right. */
export function blockOf(yaml: Yaml, text: string, value: unknown, column: number): string {
  const lines = new yaml.Document(value)
    .toString({ ...STYLE, blockQuote: !hasOpenEnds(value) })
    .trimEnd()
    .split('\n');
  return lines.map((line) => (line === '' ? '' : `${' '.repeat(column)}${line}`)).join(lineBreak(text));
}

/** As the text has them. */
export function lineBreak(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

/** In the place of a text of several lines: as such, if it is one. */
export function lined(yaml: Yaml, text: string, value: unknown, column: number): string {
  if (typeof value !== 'string' || !value.includes('\n') || hasOpenEnds(value)) return inline(yaml, value);
  const [first = '', ...more] = new yaml.Document({ k: value }).toString(STYLE).trimEnd().split('\n');
  const lines = more.map((line) => (line === '' ? '' : `${' '.repeat(column)}${line}`));
  return [first.slice('k: '.length), ...lines].join(lineBreak(text));
}

/** On one line. */
export function inline(yaml: Yaml, value: unknown): string {
  if (typeof value === 'string' && /[\n\r]/.test(value)) return JSON.stringify(value);
  // within brackets, so that it can stand there, too
  const text = new yaml.Document([value]).createNode([value], { flow: true });
  const document = new yaml.Document();
  document.contents = text;
  const written = document.toString({ lineWidth: 0, flowCollectionPadding: false, collectionStyle: 'flow' }).trim();
  return written.includes('\n') ? JSON.stringify(value) : written.slice(1, -1);
}
