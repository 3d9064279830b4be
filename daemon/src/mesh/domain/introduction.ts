/** What this node tells a member that it greets, about itself and about others. */
import { formatAddress } from '../../../../protocol/peers/address.ts';
import { type HelloAbout, MAX_PEER_ADDRESSES, MAX_PEER_HINTS } from '../../../../protocol/peers/hello.ts';
import type { Host, Link } from '../host/host.types.ts';
import type { Membership } from '../membership/membership.types.ts';
import type { AddressBook } from './address-book.ts';
import { FULL_MESH_BELOW } from './connection-choice.ts';
import { chooseHints } from './hints.ts';
import type { PeerTable } from './peer-table.ts';
import { removedIds } from './sync-service.ts';
import type { Whereabouts } from './whereabouts.ts';

export interface IntroductionPorts {
  host: Host;
  port: number;
  membership: Membership;
  book: AddressBook;
  peers: PeerTable;
  whereabouts: Whereabouts;
  /** Protocols that this node will serve once the daemon has started. */
  later: readonly string[];
  /** Digest of the heads of all logs. */
  logs(): Promise<string>;
}

export async function introduce(to: Link, ports: IntroductionPorts): Promise<HelloAbout> {
  const { host, port, membership, book, peers, whereabouts, later } = ports;
  const known = membership.state().members.size < FULL_MESH_BELOW ? [] : book.members();
  const hints = chooseHints({ to: to.peer, connected: peers.connected(), known, max: MAX_PEER_HINTS, random: Math.random });
  return {
    type: 'about',
    addresses: whereabouts.addresses().map((address) => formatAddress(address, -1)),
    port,
    observed: to.remote?.host ?? '',
    protocols: [...new Set([...host.protocols(), ...later])].sort(),
    peers: hints.map((key) => ({
      key,
      addresses: book
        .of(key)
        .slice(0, MAX_PEER_ADDRESSES)
        .map((address) => formatAddress(address, -1)),
    })),
    removed: removedIds(membership),
    logs: await ports.logs(),
  };
}
