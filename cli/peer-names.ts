/** Names of dtPeers: their objects are named by 32 hex digits, but people know members by their shown names. */
import { DtkdError } from '../protocol/errors.ts';
import { dtPeerKind } from '../protocol/kinds/dtpeer.ts';
import { type ApiClient, type Target, THIS_NODE } from './client/api.ts';
import { textAt } from './json.ts';
import { listAll } from './listing.ts';

const PEER_ID = /^[0-9a-f]{32}$/;
const PAGE_SIZE = 500;

/**
 * The object name for a name given by a person. For a dtPeer that may also be the member's name, with or without its suffix. Errors:
 * AMBIGUOUS.
 */
export async function objectName(client: ApiClient, target: Target, given: string): Promise<string> {
  if (target.kind !== dtPeerKind || PEER_ID.test(given)) return given;
  const peers = await listAll(client, { kind: dtPeerKind, namespace: target.namespace ?? THIS_NODE }, {}, PAGE_SIZE);
  const called = peers.filter((peer) => {
    const shown = textAt(peer, 'name');
    return shown === given || shown?.startsWith(`${given}.`) === true;
  });
  if (called.length > 1) {
    const each = called.map((peer) => `${textAt(peer, 'metadata', 'name')} (in ${textAt(peer, 'dtDomain')})`);
    throw new DtkdError('AMBIGUOUS', `${called.length} members are called ${given.slice(0, 80)}`, {
      next: `Say which: ${each.join(', ')}.`,
    });
  }
  return textAt(called[0], 'metadata', 'name') ?? given;
}
