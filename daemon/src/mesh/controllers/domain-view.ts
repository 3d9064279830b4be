import { toTimestamp } from '../../../../protocol/objects/objects.ts';
import type { DomainView, InviteView, PeerView, Reach } from '../mesh.types.ts';

/** The default mesh port, which is left out of `dtPeer.address`. */
const DEFAULT_MESH_PORT = 7701;

/** Server-set fields of a dtDomain, from what the mesh knows. Pure. */
export function dtDomainFields(view: DomainView, invites: readonly InviteView[], now: number): Record<string, unknown> {
  const usable = invites.filter(
    (invite) => invite.token !== undefined && !invite.revoked && invite.expires > now && invite.used < invite.uses,
  );
  const newest = usable.sort((a, b) => b.expires - a.expires)[0];
  return {
    status: view.state,
    message: view.message,
    domainId: view.id,
    founder: view.founderName,
    peers: view.peers.map((peer) => peer.id).sort(),
    inviteToken: view.holdsRoot ? newest?.token : undefined,
  };
}

/** Server-set fields of a dtPeer. Pure. */
export function dtPeerFields(domain: string, peer: PeerView, suffix: string): Record<string, unknown> {
  return {
    address: peer.address?.replace(new RegExp(`:${DEFAULT_MESH_PORT}$`), ''),
    connected: peer.self || peer.connected,
    reach: peer.reach,
    dtDomain: domain,
    id: peer.id,
    name: `${peer.displayName}.${suffix}`,
    publicKey: Buffer.from(peer.key, 'hex').toString('base64'),
    since: peer.since === undefined ? undefined : toTimestamp(peer.since),
    path: peer.path,
    conditions: peer.conditions.length === 0 ? undefined : peer.conditions,
  };
}

/**
 * What to report of a member's connection, given how it was last seen: that it is connected, or that it is away. In large domains
 * connections come and go as needed, which is not reported.
 */
export function connectionNews(before: Reach | undefined, now: Reach): 'connected' | 'away' | undefined {
  if (now === 'idle' || now === before) return undefined;
  return now === 'away' && before === undefined ? undefined : now;
}

/** True if the object has every given field already (undefined: must be absent). */
export function hasFields(object: Record<string, unknown>, fields: Record<string, unknown>): boolean {
  return Object.entries(fields).every(([key, value]) =>
    value === undefined ? object[key] === undefined : JSON.stringify(object[key]) === JSON.stringify(value),
  );
}

/** A copy of the object with the fields set; undefined removes a field. */
export function withFields<T extends Record<string, unknown>>(object: T, fields: Record<string, unknown>): T {
  const next: Record<string, unknown> = { ...object };
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) delete next[key];
    else next[key] = value;
  }
  return next as T;
}
