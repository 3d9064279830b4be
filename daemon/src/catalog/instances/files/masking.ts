/** `dtk.service.yaml` as it may be shown: what stands where a secret's name belongs could be the secret itself. */
import type { Document, Node } from 'yaml';
import { SERVICE_FILE } from '../../../../../protocol/definitions/service-file.ts';
import { readYamlDocument } from '../../../../../protocol/modules/yaml.ts';
import type { Yaml } from './positions.ts';

const MASK = '(secret)';
/** Blanks and line breaks between an anchor and what it is of. */
const MAX_BLANKS = 1_000;

/** The text without the values at these paths; undefined if it, or where secrets are, is not known, so that nobody can say what is in it. */
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
    // one may be within another
    if (end > last) continue;
    masked = `${masked.slice(0, start)}${MASK}${masked.slice(end)}`;
    last = start;
  }
  return new Uint8Array(Buffer.from(masked));
}

/** With an anchor and a tag before it: a secret that begins with `&` or `!` is taken for one. */
function beginOf(text: string, node: Node, start: number): number {
  if (node.tag === undefined && !('anchor' in node && node.anchor !== undefined)) return start;
  let begin = start;
  for (;;) {
    const end = begin - (/\s*$/.exec(text.slice(Math.max(0, begin - MAX_BLANKS), begin))?.[0].length ?? 0);
    let at = end;
    while (at > 0 && !/[\s,[\]{}]/.test(text.charAt(at - 1))) at -= 1;
    // behind a key in quotes it may stand without a blank
    const mark = /(?:^|["']:)([&!])/.exec(text.slice(at, end));
    if (mark === null) return begin;
    begin = at + mark.index + mark[0].length - 1;
  }
}

/** Also where a map on the way stands elsewhere. */
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
