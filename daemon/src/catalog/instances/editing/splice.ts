/**
 * Changes one value in the text of a YAML document and leaves all other characters alone. Pure. Undefined if the document uses a
 * form that this does not support. The caller must check that the result has the intended value.
 */
import type { Document, Pair, YAMLMap } from 'yaml';
import type { Yaml } from '../files/positions.ts';
import type { Change, Path } from './values.ts';
import { blockOf, inline, lineBreak, lined, STYLE } from './yaml-text.ts';

export function splice(yaml: Yaml, text: string, document: Document, change: Change): string | undefined {
  const { path } = change;
  const found = nearest(yaml, document, path);
  if (found === undefined) return undefined;
  const { map, pair, depth } = found;
  if ('remove' in change) {
    if (pair === undefined || depth !== path.length) return text;
    return removePair(yaml, text, document, path);
  }
  // missing maps on the path are created with the value
  const made = (below: Path) => below.reduceRight<unknown>((inner, part) => ({ [part]: inner }), change.value);
  if (pair !== undefined) return replaceValue(yaml, text, pair, made(path.slice(depth)));
  const [key, ...below] = path.slice(depth);
  if (key === undefined) return undefined;
  return map.flow === true ? insertInFlow(yaml, text, map, key, made(below)) : insertPair(yaml, text, map, key, made(below));
}

interface Found {
  /** The innermost map on the path. */
  map: YAMLMap;
  /** The pair at the end of the path, or of a key on it that has no value yet. */
  pair: Pair | undefined;
  /** Number of leading parts of the path that exist. */
  depth: number;
}

function nearest(yaml: Yaml, document: Document, path: Path): Found | undefined {
  let map: unknown = document.contents;
  for (const [depth, part] of path.entries()) {
    if (!yaml.isMap(map)) return undefined;
    const pair: Pair | undefined = map.items.find(({ key }) => String(yaml.isScalar(key) ? key.value : key) === part);
    if (pair === undefined) return { map, pair: undefined, depth };
    if (depth === path.length - 1 || isEmpty(yaml, pair.value)) return { map, pair, depth: depth + 1 };
    map = pair.value;
  }
  return undefined;
}

/** True for a key without a value, which has no place in the text. */
function isEmpty(yaml: Yaml, node: unknown): boolean {
  return yaml.isScalar(node) && node.range?.[0] === node.range?.[1] && node.anchor === undefined && node.tag === undefined;
}

function replaceValue(yaml: Yaml, text: string, pair: Pair, value: unknown): string | undefined {
  const { key, value: node } = pair;
  if (yaml.isAlias(node) && node.range) return `${text.slice(0, node.range[0])}${inline(yaml, value)}${text.slice(node.range[1])}`;
  if (isEmpty(yaml, node) || (yaml.isCollection(node) && node.flow !== true)) return writeBehind(yaml, text, pair, value);
  if (!yaml.isScalar(node) && !yaml.isCollection(node)) return undefined;
  const { range } = node;
  if (!range || isReferred(yaml, node)) return undefined;
  if (yaml.isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED')) {
    const column = yaml.isNode(key) && key.range ? columnOf(text, key.range[0]) : undefined;
    if (column === undefined || text[range[1] - 1] !== '\n') return undefined;
    return `${text.slice(0, range[0])}${lined(yaml, text, value, column)}${lineBreak(text)}${text.slice(range[1])}`;
  }
  return `${text.slice(0, range[0])}${inline(yaml, value)}${text.slice(range[1])}`;
}

/** Replaces a block value or a missing one, after the colon or as lines of its own. Keeps a comment after the key. */
function writeBehind(yaml: Yaml, text: string, pair: Pair, value: unknown): string | undefined {
  const { key, value: node } = pair;
  if (!yaml.isNode(key) || !key.range || isReferred(yaml, node)) return undefined;
  const colon = /^[ \t]*:/.exec(text.slice(key.range[1]))?.[0].length;
  if (colon === undefined) return undefined;
  const behind = key.range[1] + colon;
  const lineEnd = (at: number) => /[\r\n]|$/.exec(text.slice(at))?.index ?? 0;
  const rest = text.slice(behind, behind + lineEnd(behind));
  const column = columnOf(text, key.range[0]);
  const isLines = typeof value === 'object' && value !== null && Object.keys(value).length > 0 && column !== undefined;
  // inside a flow map there may be more on the line
  if (column === undefined && isEmpty(yaml, node)) return `${text.slice(0, behind)} ${inline(yaml, value)}${text.slice(behind)}`;
  if (!/^[ \t]*(#.*)?$/.test(rest) || column === undefined) return undefined;
  const end = isEmpty(yaml, node) ? behind + rest.length : endOf(yaml, text, pair);
  if (end === undefined) return undefined;
  const eol = lineBreak(text);
  const after = end === behind + rest.length || end === text.length ? text.slice(end) : `${eol}${text.slice(end)}`;
  if (!isLines) return `${text.slice(0, behind)} ${inline(yaml, value)}${rest}${after}`;
  return `${text.slice(0, behind)}${rest}${eol}${blockOf(yaml, text, value, column + STYLE.indent)}${after}`;
}

function insertPair(yaml: Yaml, text: string, map: YAMLMap, key: string, value: unknown): string | undefined {
  const last = map.items.at(-1);
  const first = map.items[0];
  if (last === undefined || first === undefined || !yaml.isScalar(first.key) || !first.key.range) return undefined;
  const column = columnOf(text, first.key.range[0]);
  if (column === undefined) return undefined;
  const end = endOf(yaml, text, last);
  if (end === undefined) return undefined;
  const before = text.slice(0, end);
  const eol = lineBreak(text);
  return `${before}${before.endsWith('\n') ? '' : eol}${blockOf(yaml, text, { [key]: value }, column)}${eol}${text.slice(end)}`;
}

/** Inserts a pair into a flow map. */
function insertInFlow(yaml: Yaml, text: string, map: YAMLMap, key: string, value: unknown): string | undefined {
  const { range } = map;
  if (!range) return undefined;
  const pair = `${inline(yaml, key)}: ${inline(yaml, value)}`;
  const last = map.items.at(-1);
  if (last === undefined) {
    const between = text.slice(range[0] + 1, range[1] - 1);
    return between.trim() === '' ? `${text.slice(0, range[0] + 1)}${pair}${text.slice(range[1] - 1)}` : undefined;
  }
  const end = flowEnd(yaml, last);
  return end === undefined ? undefined : `${text.slice(0, end)}, ${pair}${text.slice(end)}`;
}

/** True if the node contains an anchor, which may be referred to elsewhere. */
function isReferred(yaml: Yaml, node: unknown): boolean {
  let anchored = false;
  if (yaml.isNode(node)) {
    yaml.visit(node, {
      Node: (_key, one) => {
        if ('anchor' in one && one.anchor !== undefined) anchored = true;
      },
    });
  }
  return anchored;
}

/** Removes a pair with its lines, and maps around it that contain nothing else. */
function removePair(yaml: Yaml, text: string, document: Document, path: Path): string | undefined {
  let until = path.length;
  while (until > 1) {
    const around = document.getIn(path.slice(0, until - 1), true);
    if (!yaml.isMap(around) || around.items.length > 1) break;
    until -= 1;
  }
  const found = nearest(yaml, document, path.slice(0, until));
  const { map, pair } = found ?? {};
  if (map === undefined || pair === undefined || map.items.length < 2) return undefined;
  if (!yaml.isScalar(pair.key) || !pair.key.range || pair.key.anchor !== undefined || isReferred(yaml, pair.value)) return undefined;
  if (map.flow === true) return removeInFlow(yaml, text, map, pair);
  if (columnOf(text, pair.key.range[0]) === undefined) return undefined;
  const start = text.lastIndexOf('\n', pair.key.range[0]) + 1;
  const end = endOf(yaml, text, pair);
  return end === undefined ? undefined : `${text.slice(0, commentStart(text, start))}${text.slice(end)}`;
}

/**
 * Removes a pair from a flow map with the comma before or after it. Undefined if there is a comment in between: only a person
 * knows what it belongs to.
 */
function removeInFlow(yaml: Yaml, text: string, map: YAMLMap, pair: Pair): string | undefined {
  const at = map.items.indexOf(pair);
  const [before, next] = [map.items[at - 1], map.items[at + 1]];
  const begin = (one: Pair | undefined) => (yaml.isNode(one?.key) ? one.key.range?.[0] : undefined);
  const [start, end] = before === undefined ? [begin(pair), begin(next)] : [flowEnd(yaml, before), flowEnd(yaml, pair)];
  if (start === undefined || end === undefined || text.slice(start, end).includes('#')) return undefined;
  return `${text.slice(0, start)}${text.slice(end)}`;
}

/** End of a pair in a flow map. */
function flowEnd(yaml: Yaml, { value }: Pair): number | undefined {
  return yaml.isNode(value) && !isEmpty(yaml, value) ? value.range?.[1] : undefined;
}

/** End of a pair's lines, after the last line break. */
function endOf(yaml: Yaml, text: string, { key, value }: Pair): number | undefined {
  const last = yaml.isNode(value) ? lastOf(yaml, value) : yaml.isNode(key) ? key.range?.[1] : undefined;
  if (last === undefined) return undefined;
  if (last > 0 && text[last - 1] === '\n') return last;
  const line = text.indexOf('\n', last);
  return line < 0 ? text.length : line + 1;
}

/** End of the value itself, without comments that follow it. */
function lastOf(yaml: Yaml, node: unknown): number | undefined {
  if (yaml.isMap(node) && node.flow !== true) {
    const pair = node.items.at(-1);
    return pair === undefined ? undefined : (lastOf(yaml, pair.value) ?? lastOf(yaml, pair.key));
  }
  if (yaml.isSeq(node) && node.flow !== true) return lastOf(yaml, node.items.at(-1));
  return yaml.isNode(node) ? node.range?.[1] : undefined;
}

/** Comment lines directly above, with the same indentation, belong to what follows; those before an empty line do not. */
function commentStart(text: string, start: number): number {
  let at = start;
  const indent = /^ */.exec(text.slice(start))?.[0].length ?? 0;
  while (at > 0) {
    const before = text.lastIndexOf('\n', at - 2) + 1;
    const line = text.slice(before, at - 1);
    if (!line.startsWith(`${' '.repeat(indent)}#`)) break;
    at = before;
  }
  // the head comment of the file does not belong to its first line
  return at === 0 ? start : at;
}

/** Column of a key that begins its line. Undefined for others. */
function columnOf(text: string, offset: number): number | undefined {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const indent = text.slice(start, offset);
  return /^ *$/.test(indent) ? indent.length : undefined;
}
