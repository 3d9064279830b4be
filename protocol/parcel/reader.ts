/**
 * Reads a parcel from any source of bytes, holding one frame at a time. Guarantees that frames come in the order in which a writer writes
 * them, that the last frame is returned only if the whole is as its maker signed it, and that all damage is refused with a code and a
 * place. Does not decide whether the maker is a member, or what the content is worth.
 */
import { createHash, type Hash } from 'node:crypto';
import { decodeCbor } from '../encoding/cbor.ts';
import { encodeFrame, FRAME_HEADER_BYTES } from '../encoding/frames.ts';
import { DtkdError } from '../errors.ts';
import { verifySignature } from '../keys/signing.ts';
import { ParcelGrammar } from './grammar.ts';
import {
  type FrameOf,
  MAX_PARCEL_BYTES,
  MAX_PARCEL_FRAME_BYTES,
  MAX_PARCEL_LINE_BYTES,
  PARCEL_FORMAT,
  PARCEL_LINE,
  type ParcelFrame,
  type ParcelSection,
  parcelFrame,
} from './parcel.ts';
import { parcelSealBytes } from './writer.ts';

const NEWLINE = 0x0a;
const AGAIN = 'Copy the file again from where it was made, or export it again.';

export interface ReadFrame {
  frame: ParcelFrame;
  /** Its offset in bytes. */
  at: number;
  /** The section that it belongs to. */
  section: ParcelGrammar['section'];
}

/** Yields the frames of a parcel. Errors: PARCEL_INVALID, PARCEL_ALTERED, VERSION_TOO_OLD, TOO_LARGE, and those of the source. */
export async function* readParcel(source: AsyncIterable<Uint8Array>): AsyncGenerator<ReadFrame> {
  const reading = new Reading();
  for await (const chunk of source) {
    for (const payload of reading.push(chunk)) yield reading.read(payload);
  }
  reading.finish();
}

class Reading {
  readonly #grammar = new ParcelGrammar();
  readonly #whole = createHash('sha256');
  readonly #sections: ParcelSection[] = [];
  #open: (Omit<ParcelSection, 'digest'> & { hash: Hash }) | undefined;
  #line: Uint8Array | undefined = new Uint8Array();
  /** Bytes that were read as frames, including the first line. */
  #at = 0;
  #came = 0;
  /** Bytes of an incomplete frame. */
  #rest: Uint8Array = new Uint8Array();

  /** Yields the frames that these bytes complete, one by one, so that an error comes only after the frames before it. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    this.#came += chunk.length;
    if (this.#came > MAX_PARCEL_BYTES) throw new DtkdError('TOO_LARGE', `a bundle has at most ${MAX_PARCEL_BYTES / 1024 ** 3} GiB`);
    let left = this.#line === undefined ? chunk : this.#firstLine(Buffer.concat([this.#line, chunk]));
    if (this.#rest.length > 0) left = Buffer.concat([this.#rest, left]);
    while (left.length >= FRAME_HEADER_BYTES) {
      const size = new DataView(left.buffer, left.byteOffset, FRAME_HEADER_BYTES).getUint32(0);
      if (size === 0 || size > MAX_PARCEL_FRAME_BYTES) {
        throw this.#damaged(new DtkdError('FRAME_INVALID', `a frame of ${size} bytes is not possible`));
      }
      const end = FRAME_HEADER_BYTES + size;
      if (left.length < end) break;
      const payload = Uint8Array.from(left.subarray(FRAME_HEADER_BYTES, end));
      left = left.subarray(end);
      yield payload;
    }
    // A copy: the rest must not pin what was read.
    this.#rest = Uint8Array.from(left);
  }

  read(payload: Uint8Array): ReadFrame {
    const at = this.#at;
    let frame: ParcelFrame;
    try {
      frame = decodeCbor(payload, parcelFrame, 'a frame');
      this.#grammar.next(frame);
    } catch (error) {
      throw this.#damaged(error);
    }
    if (frame.type === 'section' || frame.type === 'sum') this.#close();
    if (frame.type === 'sum') this.#assertSections(frame);
    if (frame.type === 'end') this.#assertSealed(frame);
    else this.#count(encodeFrame(payload));
    if (frame.type === 'section') {
      this.#open = { name: frame.name, domain: frame.domain, at: this.#at, bytes: 0, hash: createHash('sha256') };
    }
    return { frame, at, section: this.#grammar.section };
  }

  /** Called at the end of the source. Throws if the parcel is incomplete. */
  finish(): void {
    if (this.#grammar.isOver && this.#rest.length === 0) return;
    if (this.#line !== undefined) throw notOne();
    if (this.#grammar.isOver) throw new DtkdError('PARCEL_ALTERED', 'something was added after the end of the bundle', { next: AGAIN });
    throw new DtkdError('PARCEL_INVALID', `the bundle breaks off after ${this.#came} bytes, ${this.#where()}`, {
      next: AGAIN,
      details: { bytes: this.#came },
    });
  }

  #firstLine(bytes: Uint8Array): Uint8Array {
    const end = bytes.indexOf(NEWLINE);
    if (end === -1 || end > MAX_PARCEL_LINE_BYTES) {
      if (bytes.length > MAX_PARCEL_LINE_BYTES) throw notOne();
      this.#line = bytes;
      return new Uint8Array();
    }
    const format = PARCEL_LINE.exec(Buffer.from(bytes.subarray(0, end)).toString('latin1'))?.[1];
    if (format === undefined) throw notOne();
    if (Number(format) !== PARCEL_FORMAT) {
      throw new DtkdError('VERSION_TOO_OLD', `the bundle is of format ${format}; this dtkd reads format ${PARCEL_FORMAT}`, {
        next: 'Upgrade dtkd on this node, or export it there with the version that runs here.',
        details: { theirs: Number(format), ours: PARCEL_FORMAT },
      });
    }
    this.#line = undefined;
    this.#count(bytes.subarray(0, end + 1));
    return bytes.subarray(end + 1);
  }

  #count(bytes: Uint8Array): void {
    this.#whole.update(bytes);
    this.#at += bytes.length;
    if (this.#open !== undefined) {
      this.#open.hash.update(bytes);
      this.#open.bytes += bytes.length;
    }
  }

  #close(): void {
    if (this.#open === undefined) return;
    const { hash, ...section } = this.#open;
    this.#sections.push({ ...section, digest: hash.digest('hex') });
    this.#open = undefined;
  }

  /** Locates damage that left the frames readable. */
  #assertSections({ sections }: FrameOf<'sum'>): void {
    for (const [index, found] of this.#sections.entries()) {
      const said = sections[index];
      const same = said?.digest === found.digest && said.name === found.name && said.domain === found.domain && said.at === found.at;
      if (!same) throw altered(nameOf(found, this.#grammar));
    }
    if (sections.length !== this.#sections.length) throw altered('the list of its sections');
  }

  #assertSealed({ digest, signatures }: FrameOf<'end'>): void {
    if (digest !== this.#whole.digest('hex')) throw altered('its head, or the sum of its sections');
    for (const { domain, maker, name } of this.#grammar.domains) {
      const seal = signatures.find((one) => one.domain === domain && one.key === maker);
      if (seal === undefined || !verifySignature(maker, 'parcel', parcelSealBytes({ domain, digest }), seal.signature)) {
        throw new DtkdError('PARCEL_ALTERED', `the bundle is not signed for the domain "${name}" by the maker that it names`, {
          next: AGAIN,
        });
      }
    }
  }

  #where(): string {
    const { section } = this.#grammar;
    return section === undefined ? 'outside of its sections' : `within ${nameOf(section, this.#grammar)}`;
  }

  #damaged(cause: unknown): unknown {
    if (!(cause instanceof DtkdError)) return cause;
    if (this.#grammar.isOver) return new DtkdError('PARCEL_ALTERED', 'something was added after the end of the bundle', { next: AGAIN });
    return new DtkdError('PARCEL_INVALID', `the bundle is damaged at byte ${this.#at}, ${this.#where()}: ${cause.message}`, {
      next: AGAIN,
      details: { at: this.#at },
      cause,
    });
  }
}

function nameOf({ name, domain }: Pick<FrameOf<'section'>, 'name' | 'domain'>, { domains }: ParcelGrammar): string {
  const of = domains.find((one) => one.domain === domain);
  return of === undefined ? `its ${name}` : `the ${name} of the domain "${of.name}"`;
}

function altered(what: string): DtkdError {
  return new DtkdError('PARCEL_ALTERED', `the bundle was altered since it was made, in ${what}`, { next: AGAIN });
}

function notOne(): DtkdError {
  return new DtkdError('PARCEL_INVALID', 'this is not a bundle of dtkd', { next: 'Make one with "dtkd bundle export FILE".' });
}
