/** What is kept of peers that are members no more, or that show under another name now: rows that are nobody's business any more. */
import type { DomainId, PeerKey } from '../../../../../protocol/ids.ts';
import type { Standing } from '../federation.types.ts';
import type { PeerNode } from '../peer-api.types.ts';
import type { KeptView } from './kept-view.ts';
import type { Part } from './part.ts';

/** A peer as it was when somebody began to look at it. */
interface Once {
  key: PeerKey;
  domain: DomainId;
  namespace: string;
}

/** Tells of a peer whether it is gone, by those that are there now. */
export function goneFrom(peers: readonly PeerNode[], standing: (domain: DomainId, key: PeerKey) => Standing): (once: Once) => boolean {
  const present = new Map<string, PeerNode>(peers.map((peer) => [peer.key, peer]));
  return ({ key, domain, namespace }) => {
    const peer = present.get(key);
    return peer === undefined ? standing(domain, key) === 'gone' : peer.namespace !== namespace;
  };
}

/** What is kept of those that are gone. */
export function goneParts(kept: KeptView, isGone: (once: Once) => boolean): Part[] {
  return [...kept.parts().values()].filter(({ peer: key, domain, namespace }) => isGone({ key, domain, namespace }));
}

/**
 * Drops what is kept of those that are gone, except of those that somebody is writing of: who follows a peer ends that first, or it would go
 * on over rows that it takes to be there still; and who lists one keeps nothing of it once it is gone.
 */
export async function dropUnheld(kept: KeptView, isGone: (once: Once) => boolean): Promise<void> {
  // all of them before anything is waited for: they are gone now, and may be back later
  const held = goneParts(kept, isGone).map(({ peer }) => ({ peer, release: kept.leases.tryTake(peer) }));
  try {
    for (const { peer, release } of held) if (release !== undefined) await kept.drop(peer);
  } finally {
    for (const { release } of held) release?.();
  }
}
