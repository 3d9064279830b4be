/** The rows of a domain's items: `d/<domain>/i/<item id>`, with the envelope as received. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId } from '../../../../protocol/ids.ts';
import { type ParsedItem, parseItem } from '../../../../protocol/membership/facts.ts';
import { type Kv, type KvOp, prefixEnd } from '../../store/kv.ts';

/** Items read at a time. */
const PAGE = 1_000;

function prefix(domain: DomainId): string {
  return `d/${domain}/i/`;
}

export function putItem(domain: DomainId, item: ParsedItem): KvOp {
  return { type: 'put', key: prefix(domain) + item.id, value: item.bytes };
}

export function deleteItem(domain: DomainId, id: string): KvOp {
  return { type: 'del', key: prefix(domain) + id };
}

/** Deletes everything stored of a domain's membership. */
export function forgetMembership(domain: DomainId): KvOp[] {
  return [{ type: 'clear', gte: `d/${domain}/`, lt: prefixEnd(`d/${domain}/`) }];
}

/** Reads all items of a domain. They were verified before they were written. */
export async function readItems(kv: Kv, domain: DomainId): Promise<Map<string, ParsedItem>> {
  const items = new Map<string, ParsedItem>();
  const lt = prefixEnd(prefix(domain));
  for (let gte = prefix(domain); ; ) {
    const page = await kv.page({ gte, lt, limit: PAGE });
    for (const [key, value] of page) {
      const item = readRow(domain, key, value);
      items.set(item.id, item);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return items;
    gte = `${last[0]}\0`;
  }
}

function readRow(domain: DomainId, key: string, value: Uint8Array): ParsedItem {
  try {
    return parseItem(value);
  } catch (cause) {
    throw new DtkdError('INTERNAL', `a stored item of domain ${domain.slice(0, 16)} cannot be read: ${key}`, { cause });
  }
}
