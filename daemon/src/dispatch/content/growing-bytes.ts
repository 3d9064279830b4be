/** The interface of content that is being fetched, and its implementation in memory. */
import { hashHex } from '../../../../protocol/keys/signing.ts';

/** Content that grows as bytes are appended. */
export interface Growing {
  readonly size: number;
  append(chunk: Uint8Array): Promise<void>;
  /** Drops everything. */
  reset(): Promise<void>;
  /** The digest of the bytes so far. */
  digest(): string;
}

/** Keeps small content in memory. */
export class GrowingBytes implements Growing {
  #chunks: Uint8Array[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(Uint8Array.from(chunk));
    this.#size += chunk.length;
  }

  async reset(): Promise<void> {
    this.#chunks = [];
    this.#size = 0;
  }

  digest(): string {
    return hashHex(this.bytes());
  }

  bytes(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#chunks));
  }
}
