/** What is being fetched, and what of it stays in memory. */
import { hashHex } from '../../../../protocol/keys/signing.ts';

/** Takes bytes one after the other. */
export interface Growing {
  readonly size: number;
  append(chunk: Uint8Array): Promise<void>;
  /** Forgets all of it. */
  reset(): Promise<void>;
  /** The digest of what is there so far. */
  digest(): string;
}

/** For what is small. */
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
