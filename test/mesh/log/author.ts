/** An author made by hand: signs whatever a test wants it to say. */
import { AuthorDoc } from '../../../daemon/src/mesh/log/author-doc.ts';
import type { DomainId } from '../../../protocol/ids.ts';
import { generateSigningKey, type SigningKey } from '../../../protocol/keys/signing.ts';
import { type EntryBody, type Epoch, type LogEntry, NO_ENTRY, type Point, pointText, signEntry } from '../../../protocol/log/log-entry.ts';
import { DOMAIN, keyOfApp, publishedApp } from './node.ts';

export class Author {
  readonly key: SigningKey;
  readonly domain: DomainId;
  readonly entries: LogEntry[] = [];
  epoch: Epoch;
  doc: AuthorDoc;
  seq = -1;
  prev = NO_ENTRY;

  constructor(key = generateSigningKey(), epoch: Epoch = { ms: 1_000, random: '0123456789abcdef' }, domain = DOMAIN) {
    this.key = key;
    this.domain = domain;
    this.epoch = epoch;
    this.doc = new AuthorDoc(epoch);
  }

  /** Begins an epoch above the present one. */
  next(ms = this.epoch.ms + 1): this {
    this.epoch = { ms, random: this.epoch.random };
    this.doc = new AuthorDoc(this.epoch);
    this.seq = -1;
    this.prev = NO_ENTRY;
    return this;
  }

  /** Signs the next entry around any update at all. */
  sign(update: Uint8Array, fields: Partial<EntryBody> = {}): LogEntry {
    const { domain, epoch, prev } = this;
    const seq = this.seq + 1;
    const open = seq === 0;
    const entry = signEntry(this.key, {
      domain,
      author: this.key.publicKey,
      epoch,
      seq,
      prev,
      lineage: [],
      open,
      openEnd: open,
      update,
      ...fields,
    });
    this.seq = entry.seq;
    this.prev = entry.hash;
    this.entries.push(entry);
    return entry;
  }

  /** Opens an epoch with these apps, in one entry. */
  open(names: readonly string[] = [], lineage: readonly Point[] = []): LogEntry {
    return this.sign(this.doc.write(new Map(names.map((name) => [keyOfApp(name), this.value(name)]))), { lineage });
  }

  /** Sets (or deletes) one key to any value at all. */
  set(key: string, value: unknown, fields: Partial<EntryBody> = {}): LogEntry {
    return this.sign(this.doc.write(new Map([[key, value]])), fields);
  }

  app(name: string, fields: Parameters<typeof publishedApp>[1] = {}): LogEntry {
    return this.set(keyOfApp(name), this.value(name, fields));
  }

  value(name: string, fields: Parameters<typeof publishedApp>[1] = {}): unknown {
    return { b: pointText({ epoch: this.epoch, seq: this.seq + 1 }), o: publishedApp(name, fields) };
  }
}
