import { describe, expect, it } from 'vitest';
import { AddressBook } from '../../../daemon/src/mesh/domain/address-book.ts';
import { parseDomainId } from '../../../protocol/ids.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import type { Address } from '../../../protocol/peers/address.ts';
import { memoryKv } from '../../store/memory-kv.ts';

const DOMAIN = parseDomainId('ab'.repeat(32));
const key = generateSigningKey().publicKey;

function at(index: number): Address {
  return { host: `192.0.2.${index}`, port: 7701 };
}

describe('the address book', () => {
  it('has room for a new hint however many there were', () => {
    const book = new AddressBook(memoryKv(), DOMAIN);
    book.announced(key, [at(1), at(2)]);
    for (let index = 10; index < 60; index += 1) book.hinted(key, [at(index)]);
    expect(book.hinted(key, [at(99)])).toBe(true);
    expect(book.of(key)).toContainEqual(at(99));
    expect(book.of(key).slice(0, 2)).toEqual([at(1), at(2)]);
    expect(book.of(key).length).toBeLessThanOrEqual(12);
    // What is known is no news.
    expect(book.hinted(key, [at(99), at(1)])).toBe(false);
  });

  it('puts first where a member was reached, and keeps what it is told over a restart', async () => {
    const kv = memoryKv();
    const book = new AddressBook(kv, DOMAIN);
    book.hinted(key, [at(3)]);
    book.announced(key, [at(1), at(2)]);
    book.succeeded(key, at(2));
    expect(book.of(key)).toEqual([at(2), at(1), at(3)]);
    const again = new AddressBook(kv, DOMAIN);
    await again.load();
    expect(again.of(key)).toEqual([at(2), at(1), at(3)]);
    again.forget(key);
    expect(again.of(key)).toEqual([]);
  });
});
