/**
 * Waits until what is kept of a peer that is followed is as new as a page that it gave just now. Its changes come in by another stream, a moment
 * before or after; once they have, what is kept can be shown in the page's place, and a watch goes on from it without showing anything older.
 */
import type { KeptView } from '../cache/kept-view.ts';
import { objectOf } from '../peer/row.ts';
import type { PeerRow } from '../peer/rows-decoder.ts';

/** Milliseconds that changes may be behind a page. */
const BEHIND_MS = 1_000;

export interface GivenPage {
  rows: readonly PeerRow[];
  /** The peer's version that it shows. */
  version: number;
  /** The name after which it begins, and the last that it covers; undefined: to the end. */
  after: string;
  upTo: string | undefined;
  /** True for what the page would show. */
  matches: (json: string) => boolean;
}

/** False if the stream broke off, or it took too long. */
export async function caughtUp(kept: KeptView, peer: string, page: GivenPage, signal: AbortSignal): Promise<boolean> {
  const { leases } = kept;
  const stream = leases.streamOf(peer);
  const end = performance.now() + BEHIND_MS;
  while (stream !== undefined && leases.streamOf(peer) === stream) {
    const { promise, resolve } = Promise.withResolvers<void>();
    // before it is looked at: what comes meanwhile is not missed
    const forget = leases.progress.once(resolve);
    const left = end - performance.now();
    const timer = setTimeout(resolve, Math.max(0, left));
    const wake = () => resolve();
    signal.addEventListener('abort', wake, { once: true });
    try {
      if (await isAsNew(kept, peer, page)) return leases.streamOf(peer) === stream;
      if (left <= 0 || signal.aborted) return false;
      await promise;
    } finally {
      forget();
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
    }
  }
  return false;
}

async function isAsNew(kept: KeptView, peer: string, { rows, version, after, upTo, matches }: GivenPage): Promise<boolean> {
  const seen = kept.leases.seen(peer);
  if (seen >= version) return true;
  const given = new Map(rows.map(({ name, json }) => [name, json]));
  for (let from = after, more = true; more; ) {
    const held = await kept.rows(peer, from);
    for (const { name, json } of held) {
      if (upTo !== undefined && name > upTo) break;
      const shown = given.get(name);
      given.delete(name);
      if (shown === json) continue;
      // the page shows nothing that was there before it and is there still
      if (shown === undefined ? versionOf(json) <= version && matches(json) : versionOf(json) < versionOf(shown)) return false;
    }
    const last = held.at(-1)?.name;
    more = last !== undefined && (upTo === undefined || last < upTo);
    from = last ?? from;
  }
  return given.size === 0;
}

function versionOf(json: string): number {
  return Number(objectOf(json).metadata.resourceVersion);
}
