/**
 * Bundles that are too large to be sealed with their orders: the starter keeps them, and the target fetches them when the order arrives.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { hashHex } from '../../../../protocol/keys/signing.ts';
import { MAX_BUNDLE_BYTES } from '../../../../protocol/orders/bundle.ts';
import type { BundleAt } from '../../../../protocol/orders/hold.ts';
import { within } from '../../signals/within.ts';
import type { ContentStore } from '../content/content.types.ts';
import type { Member } from '../dispatch.types.ts';
import { FETCH_BUNDLE_MS } from './limits.ts';

/** At the starter: keeps a bundle for its target until `until`. The same bundle for many targets is stored once. Errors: DISK_FULL. */
export async function offerBundle(
  content: Pick<ContentStore, 'path' | 'take' | 'allow'>,
  bundle: Uint8Array,
  to: { domain: string; key: string },
  until: number,
): Promise<BundleAt> {
  const digest = hashHex(bundle);
  if ((await content.path(digest)) === undefined) await content.take(once(bundle), { limit: MAX_BUNDLE_BYTES });
  await content.allow(digest, [to], until);
  return { digest, size: bundle.length };
}

/** At the target: fetches the bundle. Errors, after which it may be available later: PEER_AWAY, and those of `ContentStore.bytes`. */
export async function fetchOffered(
  content: Pick<ContentStore, 'bytes'>,
  { digest, size }: BundleAt,
  starter: Member,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (starter.reach === 'away') throw new DtkdError('PEER_AWAY', `${starter.node} has the data that the order needs, and is away`);
  return content.bytes(digest, { size, from: starter, signal: within(FETCH_BUNDLE_MS, signal) });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
