/** Builds lists as JSON from the stored JSON of their objects, without parsing it. */
import { apiVersionOf, type Kind } from '../../../../protocol/kinds/kind.ts';
import type { RawListPage } from '../../store/local-store.types.ts';

/** The text before the items. */
export function listHead(kind: Kind, page: Pick<RawListPage, 'resourceVersion' | 'continue'>): string {
  const metadata = { resourceVersion: page.resourceVersion, ...(page.continue === undefined ? {} : { continue: page.continue }) };
  return `{"kind":"${kind.kind}List","apiVersion":"${apiVersionOf(kind)}","metadata":${JSON.stringify(metadata)},"items":[`;
}

export const COMMA = Buffer.from(',');
const COMMA_CODE = 0x2c;
export const LIST_END = Buffer.from(']}');

export function separated(items: readonly Uint8Array[]): Uint8Array[] {
  return items.flatMap((item, index) => (index === 0 ? [item] : [COMMA, item]));
}

/**
 * A page as one complete list. Cached for as long as the store returns the same page, at the cost of as much memory again as the
 * rows take there.
 */
export function joined(kind: Kind, page: RawListPage): Uint8Array<ArrayBuffer> {
  const known = lists.get(page);
  if (known !== undefined) return known;
  const made = join(kind, page);
  lists.set(page, made);
  return made;
}

const lists = new WeakMap<RawListPage, Uint8Array<ArrayBuffer>>();

function join(kind: Kind, page: RawListPage): Uint8Array<ArrayBuffer> {
  const head = Buffer.from(listHead(kind, page));
  const size = page.items.reduce((sum, item) => sum + item.length + COMMA.length, head.length + LIST_END.length);
  const bytes = Buffer.allocUnsafe(size);
  bytes.set(head);
  let end = head.length;
  for (const item of page.items) {
    bytes.set(item, end);
    end += item.length;
    bytes[end] = COMMA_CODE;
    end += 1;
  }
  // overwrites the last comma
  if (page.items.length > 0) end -= 1;
  bytes.set(LIST_END, end);
  return bytes.subarray(0, end + LIST_END.length);
}
