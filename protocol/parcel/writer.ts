/**
 * Writes a parcel frame by frame: returns the bytes of each, and adds the sums and signatures at the end. Keeps nothing that it has
 * written.
 */
import { createHash, type Hash } from 'node:crypto';
import { z } from 'zod';
import { encodeCbor } from '../encoding/cbor.ts';
import { encodeFrame } from '../encoding/frames.ts';
import { DtkdError } from '../errors.ts';
import { ParcelGrammar } from './grammar.ts';
import {
  type FrameOf,
  MAX_PARCEL_BYTES,
  MAX_PARCEL_FRAME_BYTES,
  PARCEL_BEGINNING,
  type ParcelFrame,
  type ParcelSeal,
  type ParcelSection,
  parcelFrame,
} from './parcel.ts';

/** Returns the bytes that a maker signs for one domain. */
export function parcelSealBytes({ domain, digest }: ParcelSeal): Uint8Array {
  return encodeCbor({ domain, digest });
}

interface Open {
  name: FrameOf<'section'>['name'];
  domain: FrameOf<'section'>['domain'];
  at: number;
  bytes: number;
  hash: Hash;
}

export class ParcelWriter {
  readonly #grammar = new ParcelGrammar();
  readonly #whole = createHash('sha256');
  readonly #sections: ParcelSection[] = [];
  #open: Open | undefined;
  #bytes = 0;

  /** Returns the first bytes. */
  begin(head: Omit<FrameOf<'head'>, 'type'>): Uint8Array {
    this.#count(PARCEL_BEGINNING);
    return Buffer.concat([PARCEL_BEGINNING, this.frame({ type: 'head', ...head })]);
  }

  /** Returns the bytes of a frame. Errors: TOO_LARGE. */
  frame(frame: Exclude<ParcelFrame, FrameOf<'sum'> | FrameOf<'end'>>): Uint8Array {
    if (frame.type === 'section') this.#close();
    const bytes = this.#encode(frame);
    this.#count(bytes);
    // The frame that begins a section is not part of it.
    if (frame.type === 'section') {
      this.#open = { name: frame.name, domain: frame.domain, at: this.#bytes, bytes: 0, hash: createHash('sha256') };
    }
    return bytes;
  }

  /** Returns the last bytes. Calls `sign` for each domain. */
  end(sign: (domain: FrameOf<'domain'>, seal: Uint8Array) => Uint8Array): Uint8Array {
    this.#close();
    const sum = this.#encode({ type: 'sum', sections: this.#sections });
    this.#count(sum);
    const digest = this.#whole.digest('hex');
    const signatures = this.#grammar.domains.map((domain) => ({
      domain: domain.domain,
      key: domain.maker,
      signature: sign(domain, parcelSealBytes({ domain: domain.domain, digest })),
    }));
    const end = this.#encode({ type: 'end', digest, signatures });
    this.#bytes += end.length;
    return Buffer.concat([sum, end]);
  }

  #encode(frame: ParcelFrame): Uint8Array {
    this.#grammar.next(frame);
    const payload = encodeCbor(z.encode(parcelFrame, frame));
    if (payload.length > MAX_PARCEL_FRAME_BYTES) throw new DtkdError('TOO_LARGE', `a frame of the type ${frame.type} would be too large`);
    return encodeFrame(payload);
  }

  #count(bytes: Uint8Array): void {
    this.#whole.update(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_PARCEL_BYTES) {
      throw new DtkdError('TOO_LARGE', `a bundle has at most ${MAX_PARCEL_BYTES / 1024 ** 3} GiB`, {
        next: 'Include fewer modules (--modules), or only what is newer than the last bundle (--since).',
      });
    }
    if (this.#open !== undefined) {
      this.#open.hash.update(bytes);
      this.#open.bytes += bytes.length;
    }
  }

  #close(): void {
    const open = this.#open;
    if (open === undefined) return;
    const { name, domain, at, bytes, hash } = open;
    this.#open = undefined;
    this.#sections.push({ name, ...(domain === undefined ? {} : { domain }), at, bytes, digest: hash.digest('hex') });
  }
}
