/** Wires the audit log to its witnesses: the members that are asked and told over the mesh, and the Node object that shows its head. */
import { WITNESS_PROTOCOL } from '../../../protocol/audit/witness.ts';
import { WITNESS_LIMITS } from '../access/audit/limits.ts';
import { type AuditWitnessing, createAuditWitnessing } from '../access/audit/witnessing.ts';
import { memberRequests } from './member-requests.ts';
import type { Meshing } from './meshing.ts';
import type { OpenNode } from './node-opening.ts';

export function createWitnessing({ audit, store, now, logger }: OpenNode, { mesh, nodeFacts }: Meshing): AuditWitnessing {
  return createAuditWitnessing({
    audit,
    store,
    domains: () => mesh.domains(),
    requests: memberRequests(mesh, WITNESS_PROTOCOL, WITNESS_LIMITS),
    publish: (head) => nodeFacts.publishHead(head),
    now,
    logger: logger.child({ part: 'audit' }),
  });
}
