/** What federation must learn from other parts: who is still a member, whose rights may have changed, which users were deleted. */
import { type DomainId, type PeerKey, peerIdOf } from '../../../protocol/ids.ts';
import { capabilityKind } from '../../../protocol/kinds/capability.ts';
import { shareKind } from '../../../protocol/kinds/share.ts';
import { trustKind } from '../../../protocol/kinds/trust.ts';
import { userKind } from '../../../protocol/kinds/user.ts';
import { SELF } from '../../../protocol/rights/principal.ts';
import type { Federation, Standing } from '../catalog/federation/federation.types.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import type { ObjectStore } from '../store/object-store.types.ts';

/**
 * Keeps the rows of a member that is merely unknown so far. Those of a removed member, or of a domain that this node has left, are gone.
 */
export function standingIn(mesh: Pick<Mesh, 'domains'>): (domain: DomainId, key: PeerKey) => Standing {
  return (id, key) => {
    const domain = mesh.domains().find((one) => one.id === id);
    if (domain === undefined) return 'gone';
    if (domain.peers.some((peer) => peer.key === key)) return 'member';
    const removed = domain.removed.some((peer) => peer.id === peerIdOf(key));
    return removed || domain.state === 'Ready' ? 'gone' : 'unknown';
  };
}

const GRANTING: readonly string[] = [capabilityKind.plural, shareKind.plural];

/** Tells federation about changes in the store that concern it. Returns a function that ends it. */
export function followGrants(store: Pick<ObjectStore, 'subscribe'>, federation: Federation, failed: (error: unknown) => void): () => void {
  return store.subscribe((changes) => {
    for (const { ref, type, object, origin } of changes) {
      if (ref.group !== userKind.group) continue;
      if (GRANTING.includes(ref.plural) && origin !== 'own') federation.rightsChanged(ref.namespace);
      else if (ref.plural === trustKind.plural) federation.rightsChanged(undefined);
      else if (ref.plural === userKind.plural && type === 'DELETED' && origin === 'own') {
        federation.forgetUser({ home: SELF, name: ref.name, uid: object.metadata.uid }).catch(failed);
      }
    }
  });
}
