/** Wires lists and watches over nodes: to the APIs of members, to this node's own rows, and to changes of members and rights. */
import type { Access } from '../access/access.types.ts';
import { type CountedPeerApi, createPeerApi } from '../api/remote/asking.ts';
import { PeerTable } from '../api/remote/peer-table.ts';
import { createLocalRows } from '../api/views/local-rows.ts';
import { createFederation } from '../catalog/federation/federation.ts';
import type { Federation } from '../catalog/federation/federation.types.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import { followGrants, standingIn } from './federation-ports.ts';
import type { OpenNode } from './node-opening.ts';

export interface Federating {
  peerTable: PeerTable;
  peers: CountedPeerApi;
  federation: Federation;
}

export async function startFederating({ node, kv, store, now, logger, stops }: OpenNode, mesh: Mesh, access: Access): Promise<Federating> {
  const peerTable = new PeerTable(mesh);
  const peers = createPeerApi({ peers: peerTable, mesh });
  const federation = await createFederation({
    node: node.name,
    kv,
    peers,
    local: createLocalRows({ store, access, node }),
    standing: standingIn(mesh),
    logger: logger.child({ part: 'federation' }),
    now,
  });
  stops.push(() => federation.close());
  const unfollow = followGrants(store, federation, (error) =>
    logger.warn({ err: error, part: 'federation' }, 'A user could not be forgotten'),
  );
  stops.push(unfollow);
  return { peerTable, peers, federation };
}
