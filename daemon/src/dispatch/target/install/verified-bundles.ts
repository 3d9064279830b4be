/**
 * A cache of verified bundles: orders for one resource bring the same bytes again and again, and verifying and decoding them is a good
 * part of an order's cost.
 */

import { hashHex } from '../../../../../protocol/keys/signing.ts';
import { type CheckedBundle, verifyBundle } from '../../../../../protocol/orders/signed-bundle.ts';

/** Bytes of bundles kept; decoded, each takes several times as much. */
const KEPT_BYTES = 2 * 1024 * 1024;

export class VerifiedBundles {
  /** By owner and SHA-256, least recently used first. */
  readonly #kept = new Map<string, CheckedBundle>();
  #bytes = 0;

  /** As `verifyBundle`. */
  verify(bytes: Uint8Array, owner: string): CheckedBundle {
    const key = `${owner} ${hashHex(bytes)}`;
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known;
    }
    // copied, since the bytes may be a small part of a frame
    const checked = verifyBundle(Uint8Array.from(bytes), owner);
    this.#kept.set(key, checked);
    this.#bytes += bytes.length;
    for (const [oldest, { bytes: dropped }] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES) break;
      this.#kept.delete(oldest);
      this.#bytes -= dropped.length;
    }
    return checked;
  }
}
