/** Positions of fields in a YAML document. Pure. */
import type { Document } from 'yaml';

/** The `yaml` module, which is loaded only when a file is read. */
export type Yaml = typeof import('yaml');

/** The offset of the field at a path, or of its nearest ancestor that is there. */
export function offsetOf(yaml: Yaml, document: Document, path: readonly (string | number)[]): number | undefined {
  let node: unknown = document.contents;
  let offset = yaml.isNode(node) ? node.range?.[0] : undefined;
  for (const part of path) {
    if (yaml.isAlias(node)) node = node.resolve(document);
    if (yaml.isMap(node)) {
      const pair = node.items.find(({ key }) => String(yaml.isScalar(key) ? key.value : key) === String(part));
      if (pair === undefined) break;
      offset = (yaml.isNode(pair.key) ? pair.key.range?.[0] : undefined) ?? offset;
      node = pair.value;
    } else if (yaml.isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      if (node === undefined) break;
      offset = (yaml.isNode(node) ? node.range?.[0] : undefined) ?? offset;
    } else break;
  }
  return offset;
}
