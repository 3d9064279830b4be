/**
 * Changes one value in the text of a YAML document, and leaves every other character as it is: pure. Undefined where the document is written in a way that
 * this does not know; whoever calls it looks whether what came out is what was meant.
 */
import type { Document, Pair, YAMLMap } from 'yaml';
import type { Yaml } from '../files/positions.ts';
import type { Change, Path } from './values.ts';

const STYLE = { lineWidth: 0, indent: 2, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER } as const;

/** A text that begins or ends with blanks or line breaks: as a block it would depend on what stands around it. */
export function hasOpenEnds(value: unknown): boolean {
  if (typeof value === 'string') return value.trim() !== value;
  return typeof value === 'object' && value !== null && Object.entries(value).some((entry) => entry.some(hasOpenEnds));
}

export function splice(yaml: Yaml, text: string, document: Document, change: Change): string | undefined {
  const { path } = change;
  const found = nearest(yaml, document, path);
  if (found === undefined) return undefined;
  const { map, pair, depth } = found;
  if ('remove' in change) {
    if (pair === undefined || depth !== path.length) return text;
    return removePair(yaml, text, document, path);
  }
  if (pair !== undefined && depth === path.length) return replaceValue(yaml, text, pair, change.value);
  // what is missing between is made with it
  const missing = path.slice(depth);
  const [key, ...below] = missing;
  if (key === undefined) return undefined;
  const value = below.reduceRight<unknown>((inner, part) => ({ [part]: inner }), change.value);
  return insertPair(yaml, text, map, key, value);
}

interface Found {
  /** The innermost map on the path. */
  map: YAMLMap;
  /** Of the path's end, if that is there. */
  pair: Pair | undefined;
  /** Parts of the path that are there. */
  depth: number;
}

function nearest(yaml: Yaml, document: Document, path: Path): Found | undefined {
  let map: unknown = document.contents;
  for (const [depth, part] of path.entries()) {
    if (!yaml.isMap(map)) return undefined;
    const pair: Pair | undefined = map.items.find(({ key }) => String(yaml.isScalar(key) ? key.value : key) === part);
    if (pair === undefined) return { map, pair: undefined, depth };
    if (depth === path.length - 1) return { map, pair, depth: path.length };
    map = pair.value;
  }
  return undefined;
}

function replaceValue(yaml: Yaml, text: string, { key, value: node }: Pair, value: unknown): string | undefined {
  if (!yaml.isScalar(node) && !(yaml.isCollection(node) && node.flow === true)) return undefined;
  const { range } = node;
  if (!range || node.anchor !== undefined) return undefined;
  if (yaml.isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED')) {
    const column = yaml.isNode(key) && key.range ? columnOf(text, key.range[0]) : undefined;
    if (column === undefined || text[range[1] - 1] !== '\n') return undefined;
    return `${text.slice(0, range[0])}${lined(yaml, value, column)}\n${text.slice(range[1])}`;
  }
  // an empty value has no place of its own
  if (range[0] === range[1]) return undefined;
  return `${text.slice(0, range[0])}${inline(yaml, value)}${text.slice(range[1])}`;
}

function insertPair(yaml: Yaml, text: string, map: YAMLMap, key: string, value: unknown): string | undefined {
  const last = map.items.at(-1);
  const first = map.items[0];
  if (map.flow === true || last === undefined || first === undefined || !yaml.isScalar(first.key) || !first.key.range) return undefined;
  const column = columnOf(text, first.key.range[0]);
  if (column === undefined) return undefined;
  const end = endOf(yaml, text, last);
  if (end === undefined) return undefined;
  const lines = new yaml.Document({ [key]: value })
    .toString({ ...STYLE, blockQuote: !hasOpenEnds(value) })
    .trimEnd()
    .split('\n');
  const block = lines.map((line) => (line === '' ? '' : `${' '.repeat(column)}${line}`)).join('\n');
  const before = text.slice(0, end);
  return `${before}${before.endsWith('\n') ? '' : '\n'}${block}\n${text.slice(end)}`;
}

/** With its line; with maps around it that have nothing else. */
function removePair(yaml: Yaml, text: string, document: Document, path: Path): string | undefined {
  let until = path.length;
  while (until > 1) {
    const around = document.getIn(path.slice(0, until - 1), true);
    if (!yaml.isMap(around) || around.items.length > 1) break;
    until -= 1;
  }
  const found = nearest(yaml, document, path.slice(0, until));
  const { map, pair } = found ?? {};
  if (map === undefined || pair === undefined || map.flow === true || map.items.length < 2) return undefined;
  if (!yaml.isScalar(pair.key) || !pair.key.range || pair.key.anchor !== undefined) return undefined;
  let anchored = false;
  if (yaml.isNode(pair.value)) {
    yaml.visit(pair.value, {
      Node: (_key, node) => {
        if ('anchor' in node && node.anchor !== undefined) anchored = true;
      },
    });
  }
  if (anchored || columnOf(text, pair.key.range[0]) === undefined) return undefined;
  const start = text.lastIndexOf('\n', pair.key.range[0]) + 1;
  const end = endOf(yaml, text, pair);
  return end === undefined ? undefined : `${text.slice(0, commentStart(text, start))}${text.slice(end)}`;
}

/** Where the lines of a pair end: behind the line break of its last one. */
function endOf(yaml: Yaml, text: string, { key, value }: Pair): number | undefined {
  const last = yaml.isNode(value) ? lastOf(yaml, value) : yaml.isNode(key) ? key.range?.[1] : undefined;
  if (last === undefined) return undefined;
  if (last > 0 && text[last - 1] === '\n') return last;
  const line = text.indexOf('\n', last);
  return line < 0 ? text.length : line + 1;
}

/** Of the value itself, without the comments that follow it. */
function lastOf(yaml: Yaml, node: unknown): number | undefined {
  if (yaml.isMap(node) && node.flow !== true) {
    const pair = node.items.at(-1);
    return pair === undefined ? undefined : (lastOf(yaml, pair.value) ?? lastOf(yaml, pair.key));
  }
  if (yaml.isSeq(node) && node.flow !== true) return lastOf(yaml, node.items.at(-1));
  return yaml.isNode(node) ? node.range?.[1] : undefined;
}

/** Comment lines right above, of the same indentation, are of what stands below them; after an empty line they are not. */
function commentStart(text: string, start: number): number {
  let at = start;
  const indent = /^ */.exec(text.slice(start))?.[0].length ?? 0;
  while (at > 0) {
    const before = text.lastIndexOf('\n', at - 2) + 1;
    const line = text.slice(before, at - 1);
    if (!line.startsWith(`${' '.repeat(indent)}#`)) break;
    at = before;
  }
  // the head of the file is not of its first line
  return at === 0 ? start : at;
}

/** Of a key that begins its line. */
function columnOf(text: string, offset: number): number | undefined {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const indent = text.slice(start, offset);
  return /^ *$/.test(indent) ? indent.length : undefined;
}

/** In the place of a text of several lines: as such, if it is one. */
function lined(yaml: Yaml, value: unknown, column: number): string {
  if (typeof value !== 'string' || !value.includes('\n') || hasOpenEnds(value)) return inline(yaml, value);
  const [first = '', ...more] = new yaml.Document({ k: value }).toString(STYLE).trimEnd().split('\n');
  return [first.slice('k: '.length), ...more.map((line) => (line === '' ? '' : `${' '.repeat(column)}${line}`))].join('\n');
}

/** On one line. */
function inline(yaml: Yaml, value: unknown): string {
  if (typeof value === 'string' && /[\n\r]/.test(value)) return JSON.stringify(value);
  // within brackets, so that it can stand there, too
  const text = new yaml.Document([value]).createNode([value], { flow: true });
  const document = new yaml.Document();
  document.contents = text;
  const written = document.toString({ lineWidth: 0, flowCollectionPadding: false, collectionStyle: 'flow' }).trim();
  return written.includes('\n') ? JSON.stringify(value) : written.slice(1, -1);
}
