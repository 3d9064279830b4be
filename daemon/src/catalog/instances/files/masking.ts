/** Masks `dtk.service.yaml` for display: a value where the name of a Secret belongs could be the secret itself. */
import type { Document, Node } from 'yaml';
import { SERVICE_FILE } from '../../../../../protocol/definitions/service-file.ts';
import { readYamlDocument } from '../../../../../protocol/modules/yaml.ts';
import type { Yaml } from './positions.ts';

const MASK = '(secret)';
/** Blanks and line breaks between an anchor and its node. */
const MAX_BLANKS = 1_000;

/** The text with the values at these paths masked. Undefined if the text cannot be parsed or `secrets` is not known. */
export async function maskedService(
  data: Uint8Array,
  secrets: readonly (readonly string[])[] | undefined,
): Promise<Uint8Array | undefined> {
  if (secrets === undefined) return undefined;
  const yaml = await import('yaml');
  const text = Buffer.from(data).toString('utf8');
  const read = await readYamlDocument(text, SERVICE_FILE).catch(() => undefined);
  if (read === undefined) return undefined;
  const ranges: [number, number][] = [];
  for (const path of secrets) {
    const node = nodeAt(yaml, read.document, path);
    if (!yaml.isNode(node) || !node.range) continue;
    const start = beginOf(text, node, node.range[0]);
    const end = text[node.range[1] - 1] === '\n' ? node.range[1] - 1 : node.range[1];
    if (start < end) ranges.push([start, end]);
  }
  let masked = text;
  let last = text.length;
  for (const [start, end] of ranges.sort((a, b) => b[0] - a[0])) {
    // a range may lie within another
    if (end > last) continue;
    masked = `${masked.slice(0, start)}${MASK}${masked.slice(end)}`;
    last = start;
  }
  return new Uint8Array(Buffer.from(masked));
}

/** Start of a node including its anchor and tag, since a secret that begins with `&` or `!` parses as one. */
function beginOf(text: string, node: Node, start: number): number {
  if (node.tag === undefined && !('anchor' in node && node.anchor !== undefined)) return start;
  let begin = start;
  for (;;) {
    const end = begin - (/\s*$/.exec(text.slice(Math.max(0, begin - MAX_BLANKS), begin))?.[0].length ?? 0);
    let at = end;
    while (at > 0 && !/[\s,[\]{}]/.test(text.charAt(at - 1))) at -= 1;
    // after a quoted key a value may follow the colon without a blank
    const mark = /(?:^|["']:)([&!])/.exec(text.slice(at, end));
    if (mark === null) return begin;
    begin = at + mark.index + mark[0].length - 1;
  }
}

/** The node at a path. Follows aliases. */
function nodeAt(yaml: Yaml, document: Document, path: readonly string[]): unknown {
  const resolved = (node: unknown): unknown => (yaml.isAlias(node) ? node.resolve(document) : node);
  let node: unknown = document.contents;
  for (const part of path) {
    const map = resolved(node);
    if (!yaml.isMap(map)) return undefined;
    node = map.get(part, true);
  }
  return resolved(node);
}
