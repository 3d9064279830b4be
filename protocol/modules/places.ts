/** Finds the places in a manifest that faults are about. */
import { MANIFEST_FILE } from '../definitions/module.ts';
import { LOCK_FILE } from '../definitions/service-file.ts';
import type { ModuleFault } from './manifest.ts';
import { readYamlDocument } from './yaml.ts';

/** A fault with its place, `FILE:LINE:COLUMN`: that of its field, or of the nearest existing one around it. */
export interface PlacedFault extends ModuleFault {
  place: string;
}

/** Adds places to the faults of a text, and sorts them by place. If the text cannot be read, the place is just the file. */
export async function placedFaults(text: string, faults: readonly ModuleFault[], source: string): Promise<PlacedFault[]> {
  const read = await readYamlDocument(text, source).catch(() => undefined);
  if (read === undefined) return faults.map((fault) => ({ ...fault, place: source }));
  const { isAlias, isMap, isScalar, isSeq } = await import('yaml');
  const { document, where } = read;
  const resolved = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);

  /** Returns the offset of a field below a node whose own key is at `at`. */
  const offsetOf = (start: unknown, field: string, at: number | undefined): number | undefined => {
    const node = resolved(start);
    if (field === '') return at;
    if (isSeq(node)) {
      const [, index = '', rest = ''] = /^\[(\d+)\]\.?(.*)$/s.exec(field) ?? [];
      const item: unknown = index === '' ? undefined : node.items[Number(index)];
      return item === undefined ? at : offsetOf(item, rest, beginOf(item) ?? at);
    }
    if (!isMap(node)) return at;
    // Names of properties may contain dots: the longest matching key is meant.
    const pairs = node.items
      .flatMap(({ key, value }) => (isScalar(key) ? [{ name: String(key.value), key, value }] : []))
      .filter(({ name }) => field === name || field.startsWith(`${name}.`) || field.startsWith(`${name}[`))
      .sort((a, b) => b.name.length - a.name.length);
    const [pair] = pairs;
    if (pair === undefined) return at;
    return offsetOf(pair.value, field.slice(pair.name.length).replace(/^\./, ''), pair.key.range?.[0] ?? at);
  };
  const offsets = new Map(faults.map((fault) => [fault, offsetOf(document.contents, fault.field, beginOf(document.contents))]));
  const inOrder = [...faults].sort((a, b) => (offsets.get(a) ?? 0) - (offsets.get(b) ?? 0));
  const root = source.endsWith(MANIFEST_FILE) ? source.slice(0, -MANIFEST_FILE.length) : '';
  return inOrder.map((fault) => {
    if (fault.place !== undefined) return { ...fault, place: `${root}${fault.place}` };
    return { ...fault, place: fault.field === LOCK_FILE ? LOCK_FILE : where(offsets.get(fault)) };
  });
}

function beginOf(node: unknown): number | undefined {
  const range: unknown = Reflect.get(Object(node), 'range');
  const [begin]: unknown[] = Array.isArray(range) ? range : [];
  return typeof begin === 'number' ? begin : undefined;
}
