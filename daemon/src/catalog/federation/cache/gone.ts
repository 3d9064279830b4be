/** What is kept of peers that are no longer members, or that now have another name here: rows that nobody may see any more. */
import type { DomainId, PeerKey } from '../../../../../protocol/ids.ts';
import type { Standing } from '../federation.types.ts';
import type { PeerNode } from '../peer-api.types.ts';
import type { KeptView } from './kept-view.ts';
import type { Part } from './part.ts';

/** A peer as it was known earlier: when its rows were kept, or a watch of it began. */
interface Once {
  key: PeerKey;
  domain: DomainId;
  namespace: string;
}

/** Returns a function that says whether a peer is gone, given the peers that are present now. */
export function goneFrom(peers: readonly PeerNode[], standing: (domain: DomainId, key: PeerKey) => Standing): (once: Once) => boolean {
  const present = new Map<string, PeerNode>(peers.map((peer) => [peer.key, peer]));
  return ({ key, domain, namespace }) => {
    const peer = present.get(key);
    return peer === undefined ? standing(domain, key) === 'gone' : peer.namespace !== namespace;
  };
}

/** The kept parts of peers that are gone. */
export function goneParts(kept: KeptView, isGone: (once: Once) => boolean): Part[] {
  return [...kept.parts().values()].filter(({ peer: key, domain, namespace }) => isGone({ key, domain, namespace }));
}

/**
 * Drops what is kept of peers that are gone, unless somebody holds the peer's lease. A follower must end its watch first, or it would go on
 * as if the rows were still there; a list keeps nothing of a peer once that is gone.
 */
export async function dropUnheld(kept: KeptView, isGone: (once: Once) => boolean): Promise<void> {
  // take all leases before waiting for anything: the peers are gone now, and may be back later
  const held = goneParts(kept, isGone).map(({ peer }) => ({ peer, release: kept.leases.tryTake(peer) }));
  try {
    for (const { peer, release } of held) if (release !== undefined) await kept.drop(peer);
  } finally {
    for (const { release } of held) release?.();
  }
}
