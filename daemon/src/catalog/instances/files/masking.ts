/** `dtk.service.yaml` as it may be shown: what stands where a secret's name belongs could be the secret itself. */
import type { Document } from 'yaml';
import { readYamlDocument } from '../../../../../protocol/modules/yaml.ts';
import { SERVICE_FILE } from '../../../../../protocol/service-file.ts';
import type { Yaml } from './positions.ts';

const MASK = '(secret)';

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
    if (!yaml.isNode(node) || !node.range || node.range[0] === node.range[1]) continue;
    const end = text[node.range[1] - 1] === '\n' ? node.range[1] - 1 : node.range[1];
    ranges.push([node.range[0], end]);
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
