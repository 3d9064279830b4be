/** Wires this node as a member of domains: its own Node object, its logs, and the mesh. Nothing is open before the mesh starts. */
import { WITNESS_PROTOCOL } from '../../../protocol/audit/witness.ts';
import { CARRY_PROTOCOL } from '../../../protocol/orders/carry.ts';
import { HOLD_PROTOCOL } from '../../../protocol/orders/hold.ts';
import { CONTENT_PROTOCOL, DISPATCH_PROTOCOL } from '../../../protocol/orders/messages.ts';
import { REMOTE_API_PROTOCOL } from '../../../protocol/peers/remote.ts';
import { createNodeFacts, type NodeObject } from '../catalog/node-facts.ts';
import { createLogs } from '../mesh/log/logs.ts';
import { createMesh } from '../mesh/mesh.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import { VERSION } from '../version.ts';
import type { OpenNode } from './node-opening.ts';

/** Protocols of parts that start after the domains are open. */
const LATER = [CARRY_PROTOCOL, CONTENT_PROTOCOL, DISPATCH_PROTOCOL, HOLD_PROTOCOL, REMOTE_API_PROTOCOL, WITNESS_PROTOCOL];

export interface Meshing {
  mesh: Mesh;
  nodeFacts: NodeObject;
}

export function createMeshing({ config, startedAt, now, logger, node, kv, store, signingKey, restored }: OpenNode): Meshing {
  const nodeFacts = createNodeFacts({
    signingKey: signingKey.publicKey,
    store,
    node: node.name,
    version: VERSION,
    startedAt,
    tags: config.tags,
    logger: logger.child({ part: 'node' }),
  });
  const logs = createLogs({ store, version: VERSION, logger: logger.child({ part: 'log' }), now, restored });
  store.addParticipant(logs.participant);
  const mesh = createMesh({
    kv,
    logs,
    nodeName: node.name,
    later: LATER,
    config: { meshHost: config.mesh.host, meshPort: config.mesh.port, announce: config.announce, mdns: config.mdns },
    logger: logger.child({ part: 'mesh' }),
    now,
  });
  return { mesh, nodeFacts };
}
