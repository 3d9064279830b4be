/** Adapts the mesh, rights and parts of dispatch to the ports of parcels. */
import { moduleObjectName } from '../../../protocol/definitions/names.ts';
import { isRecord } from '../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { dtDomainKind } from '../../../protocol/kinds/dtdomain.ts';
import { moduleKind } from '../../../protocol/kinds/module.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import type { Access } from '../access/access.types.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import { createParcels } from '../parcels/parcels.ts';
import type { CarriedModule, Parcels, ParcelsOptions } from '../parcels/parcels.types.ts';
import type { ObjectStore } from '../store/object-store.types.ts';

export interface ParcelParts extends Pick<ParcelsOptions, 'orders' | 'modules' | 'directory' | 'program' | 'logger' | 'now'> {
  mesh: Pick<Mesh, 'carrying' | 'domains'>;
  access: Pick<Access, 'decide'>;
  store: ObjectStore;
  node: { name: string };
}

export function parcelsOf({ mesh, access, store, node, ...options }: ParcelParts): Parcels {
  return createParcels({
    ...options,
    rows: store.kv,
    domain: (name) => mesh.carrying(name),
    domains: () => mesh.domains().flatMap(({ name }) => (mesh.carrying(name) === undefined ? [] : [name])),
    removedFrom: () => mesh.domains().flatMap(({ name, state }) => (state === 'Removed' ? [name] : [])),
    assertMayManage: (principal, domain) => assertMayManage({ access, store, node }, principal, domain),
    mayRead: (principal, module) => mayRead({ access, store, node }, principal, module),
  });
}

type Deciding = Pick<ParcelParts, 'access' | 'node'> & { store: Pick<ObjectStore, 'get'> };

/** The operator may read every module; a user, those installed here on which the user has READ. */
async function mayRead({ access, store, node }: Deciding, principal: Principal, module: CarriedModule): Promise<boolean> {
  if (principal.type === 'operator') return true;
  const { group, plural } = moduleKind;
  const name = moduleObjectName(module.name, module.version);
  const object = await store.get({ group, plural, namespace: node.name, name });
  if (object === undefined || !isRecord(object['spec']) || object['spec']['digest'] !== module.digest) return false;
  return access.decide(principal, { verb: 'READ', group, plural, name, object }).allowed;
}

async function assertMayManage({ access, store, node }: Deciding, principal: Principal, name: string): Promise<void> {
  if (principal.type === 'operator') return;
  const { group, plural } = dtDomainKind;
  const object = await store.get({ group, plural, namespace: node.name, name });
  const decision = access.decide(principal, { verb: 'MANAGE', group, plural, name, ...(object === undefined ? {} : { object }) });
  if (decision.allowed) return;
  throw new DtkdError('FORBIDDEN', `${principal.display} may not export or import bundles of the domain "${name}": ${decision.reason}`, {
    next: `Ask the operator of ${node.name} for MANAGE on the dtDomain "${name}".`,
  });
}
