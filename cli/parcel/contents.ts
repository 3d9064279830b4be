/**
 * The contents of a bundle file, as the file itself states them. The file is verified to be complete and signed by the maker it names; only
 * a daemon in the domain can tell whether that is a member.
 */
import { createReadStream } from 'node:fs';
import { DtkdError } from '../../protocol/errors.ts';
import { peerIdOf } from '../../protocol/ids.ts';
import { parseEntry } from '../../protocol/log/log-entry.ts';
import { verifyStatement } from '../../protocol/orders/signed-bundle.ts';
import type { ParcelFrame, ParcelHead } from '../../protocol/parcel/parcel.ts';
import { type ReadFrame, readParcel } from '../../protocol/parcel/reader.ts';
import { cannotRead } from '../input/read-capped.ts';

export interface ParcelContents {
  id: string;
  /** RFC 3339. */
  made: string;
  program: string;
  bytes: number;
  domains: DomainContents[];
  modules: { name: string; version: string; digest: string; size: number }[];
}

export interface DomainContents {
  name: string;
  id: string;
  maker: { name: string; id: string };
  /** True if what the other side already had was left out. */
  partial: boolean;
  facts: number;
  /** The number of members with entries in it. */
  authors: number;
  entries: number;
  orders: number;
  cancellations: number;
  answers: number;
}

/** The contents, and the heads of the logs that its maker had when it was made. */
export interface InspectedParcel extends ParcelContents {
  heads: Record<string, ParcelHead[]>;
}

/** Inspects a bundle file. Errors: BAD_REQUEST if the file cannot be read, and those of an invalid bundle. */
export async function inspectFile(path: string): Promise<InspectedParcel> {
  const source = createReadStream(path, { highWaterMark: 1024 * 1024 });
  try {
    return await inspect(source);
  } catch (cause) {
    throw cannotRead(path, cause);
  }
}

export async function inspect(source: AsyncIterable<Uint8Array>): Promise<InspectedParcel> {
  const inspector = new Inspector();
  for await (const read of readParcel(inspector.counting(source))) inspector.take(read);
  return inspector.result();
}

class Inspector {
  #head: Extract<ParcelFrame, { type: 'head' }> | undefined;
  #bytes = 0;
  readonly #domains: (DomainContents & { known: Set<string> })[] = [];
  readonly #modules: ParcelContents['modules'] = [];
  readonly #heads: Record<string, ParcelHead[]> = {};

  async *counting(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#bytes += chunk.length;
      yield chunk;
    }
  }

  take({ frame }: ReadFrame): void {
    const domain = this.#domains.at(-1);
    if (frame.type === 'head') this.#head = frame;
    else if (frame.type === 'domain') this.#begin(frame);
    else if (frame.type === 'module') this.#module(frame);
    else if (domain === undefined) return;
    else if (frame.type === 'items') domain.facts += frame.items.length;
    else if (frame.type === 'entries') {
      domain.entries += frame.entries.length;
      for (const entry of frame.entries) domain.known.add(parseEntry(entry).author);
      domain.authors = domain.known.size;
    } else if (frame.type === 'order') domain.orders += 1;
    else if (frame.type === 'cancel') domain.cancellations += 1;
    else if (frame.type === 'answer') domain.answers += 1;
  }

  result(): InspectedParcel {
    const head = this.#head;
    if (head === undefined) throw new DtkdError('PARCEL_INVALID', 'the bundle has no head');
    return {
      id: head.id,
      made: new Date(Math.min(head.made, 8.64e15)).toISOString(),
      program: head.program,
      bytes: this.#bytes,
      domains: this.#domains.map(({ known: _known, ...domain }) => domain),
      modules: this.#modules,
      heads: this.#heads,
    };
  }

  #begin({ domain: id, name, maker, makerName, heads, partial }: Extract<ParcelFrame, { type: 'domain' }>): void {
    this.#heads[id] = heads;
    const none = { facts: 0, authors: 0, entries: 0, orders: 0, cancellations: 0, answers: 0 };
    this.#domains.push({ name, id, maker: { name: makerName, id: peerIdOf(maker) }, partial, ...none, known: new Set() });
  }

  #module({ statement, signature, digest, size }: Extract<ParcelFrame, { type: 'module' }>): void {
    const { name, version } = verifyStatement({ statement, signature });
    this.#modules.push({ name, version, digest, size });
  }
}
