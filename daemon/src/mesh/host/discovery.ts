/**
 * Finds members with no known address: kad-dht among members (with its own protocol per domain), and mDNS on the local network under a tag
 * that only members can compute. Both run only while somebody is missed: two nodes that have lost each other both miss each other, and a
 * settled domain of fifty would otherwise spend its time on routing tables and announcements. Results are hints; dialling checks the key.
 */
import { createHmac } from 'node:crypto';
import type { PeerDiscovery, PeerId, PeerInfo } from '@libp2p/interface';
import { peerDiscoverySymbol, serviceCapabilities, start, stop } from '@libp2p/interface';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import type { Address } from '../../../../protocol/peers/address.ts';
import { fromPeerId, toPeerId } from './keys.ts';
import type { Components } from './libp2p-components.ts';
import { fromMultiaddr } from './multiaddrs.ts';

/** Messages that the routing table answers. By itself it would also store values and providers for anybody, in memory and without bound. */
const SERVED_MESSAGES = ['FIND_NODE', 'PING'];
/** Interval of walking the whole table for our own neighbours: rare, since hello brings neighbours already. */
const QUERY_SELF_INTERVAL_MS = 24 * 3_600_000;
/** Interval of mDNS questions: the first is asked at once, and each answer of each member reaches all others. */
const MDNS_INTERVAL_MS = 30_000;

export class Discovery {
  readonly #domain: DomainId;
  readonly #components: Components;
  readonly #onFound: (key: PeerKey, addresses: Address[]) => void;
  readonly #running: unknown[] = [];
  #finding = 0;
  #dht: { findPeer(id: PeerId, options: { signal: AbortSignal }): AsyncIterable<unknown> } | undefined;

  constructor(domain: DomainId, components: Components, onFound: (key: PeerKey, addresses: Address[]) => void) {
    this.#domain = domain;
    this.#components = components;
    this.#onFound = onFound;
  }

  static protocolOf(domain: DomainId): string {
    return `/dtkd/kad/${tagOf(domain, 'kad')}/1.0.0`;
  }

  async start({ mdns }: { mdns: boolean }): Promise<void> {
    const { kadDHT, passthroughMapper } = await import('@libp2p/kad-dht');
    const ping = { [serviceCapabilities]: ['@libp2p/ping'], ping: async () => 0 };
    // The components are libp2p's own, with a `ping` added: the routing table uses it to check contacts.
    const components = new Proxy(this.#components, { get: (target, name) => (name === 'ping' ? ping : Reflect.get(target, name)) });
    const dht = construct(
      kadDHT({
        protocol: Discovery.protocolOf(this.#domain),
        clientMode: false,
        allowQueryWithZeroPeers: true,
        querySelfInterval: QUERY_SELF_INTERVAL_MS,
        initialQuerySelfInterval: QUERY_SELF_INTERVAL_MS,
        peerInfoMapper: passthroughMapper,
      }),
      components,
    );
    restrict(dht);
    this.#dht = dht;
    const found: unknown = Reflect.get(dht, peerDiscoverySymbol);
    if (isPeerDiscovery(found)) this.#listen(found);
    await start(dht);
    this.#running.push(dht);
    if (!mdns) return;
    const { mdns: createMdns } = await import('@libp2p/mdns');
    const finder = construct(
      createMdns({ interval: MDNS_INTERVAL_MS, serviceTag: `_${tagOf(this.#domain, 'mdns')}._udp.local` }),
      components,
    );
    this.#listen(finder);
    await start(finder);
    this.#running.push(finder);
  }

  /** True during a search, which may lead through members that are not connected. */
  get searching(): boolean {
    return this.#finding > 0;
  }

  async find(key: PeerKey, signal: AbortSignal): Promise<Address[]> {
    if (this.#dht === undefined) return [];
    const id = toPeerId(key);
    this.#finding += 1;
    try {
      for await (const event of this.#dht.findPeer(id, { signal })) {
        if (isFinalPeer(event) && event.peer.id.equals(id)) return addressesOf(event.peer);
      }
    } catch {
      // Not found: no member that was asked knows it.
    } finally {
      this.#finding -= 1;
    }
    return [];
  }

  async stop(): Promise<void> {
    this.#dht = undefined;
    await stop(...this.#running.splice(0));
  }

  #listen(source: PeerDiscovery): void {
    source.addEventListener('peer', (event) => {
      try {
        const addresses = addressesOf(event.detail);
        if (addresses.length === 0) return;
        this.#onFound(fromPeerId(event.detail.id), addresses);
      } catch {
        // Not one of our keys.
      }
    });
  }
}

/** 32 hex digits that only those who know the domain's id can compute. */
function tagOf(domain: DomainId, use: string): string {
  return createHmac('sha256', domain).update(`dtkd/${use}`).digest('hex').slice(0, 32);
}

function addressesOf(peer: PeerInfo): Address[] {
  return peer.multiaddrs.map(fromMultiaddr).filter((address) => address !== undefined);
}

/** Makes the table refuse all other messages, like unknown ones. */
function restrict(dht: object): void {
  const rpc: unknown = Reflect.get(dht, 'rpc');
  const handlers: unknown = typeof rpc === 'object' && rpc !== null ? Reflect.get(rpc, 'handlers') : undefined;
  if (typeof handlers !== 'object' || handlers === null) throw new DtkdError('INTERNAL', 'this dtkd does not understand the routing table');
  for (const message of Object.keys(handlers)) if (!SERVED_MESSAGES.includes(message)) Reflect.deleteProperty(handlers, message);
}

function isPeerDiscovery(value: unknown): value is PeerDiscovery {
  return typeof value === 'object' && value !== null && 'addEventListener' in value;
}

function isFinalPeer(event: unknown): event is { name: 'FINAL_PEER'; peer: PeerInfo } {
  return typeof event === 'object' && event !== null && 'name' in event && event.name === 'FINAL_PEER' && 'peer' in event;
}

/** libp2p's services take the components as one growing object; our type for it is narrower than what is there. */
function construct<Service>(factory: (components: never) => Service, components: object): Service {
  return Reflect.apply(factory, undefined, [components]);
}
