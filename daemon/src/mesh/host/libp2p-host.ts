/**
 * The libp2p host of one domain: one key, one port, TCP (shared with the fast lane) and relayed circuits, Noise, yamux, gossip. Owns
 * connections and streams and the gate before them. Guarantees that a stranger reaches only hello and join, and that everything is
 * bounded. Does not know what a member is: the domain admits links. Importing this file loads libp2p, so only a node that is in a domain,
 * or enters one, imports it.
 */
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { type Connection, serviceCapabilities } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { createLibp2p, type Libp2p } from 'libp2p';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Address } from '../../../../protocol/peers/address.ts';
import { Crowd } from '../../counting/crowd.ts';
import { CIRCUIT_PROTOCOL, Circuits, RELAY_PROTOCOL } from './circuit.ts';
import { updateWindowsRarely, waitCheaply, writeTogether } from './connection-costs.ts';
import { dialError, isLinkLocal, linkLocal } from './dial-error.ts';
import { Discovery } from './discovery.ts';
import { Gate } from './gate.ts';
import { createGossip, type Gossip } from './gossip.ts';
import type { DialOptions, Host, HostOptions, Link, ServeOptions, StreamHandler } from './host.types.ts';
import { fromPeerId, toPeerId, toPrivateKey } from './keys.ts';
import type { Components } from './libp2p-components.ts';
import { LibLink } from './libp2p-link.ts';
import * as limits from './limits.ts';
import { toMultiaddr } from './multiaddrs.ts';
import { patiently } from './patience.ts';
import { usableHosts } from './port.ts';
import { quietLogger } from './quiet-logger.ts';
import { Handshakes, sharePort } from './shared-port.ts';
import { StreamDuplex } from './stream-duplex.ts';

/** Under this name gossipsub and other services expect the source of a peer's protocols, which our hello replaces. */
const IDENTIFY = '@libp2p/identify';
/** libp2p's event for an established TCP connection on which the handshake begins. */
const CONNECTED = 'upgrader:encrypt-outbound-connection';

updateWindowsRarely();

export async function createHost(options: HostOptions): Promise<Host> {
  const host = new LibHost(options);
  await host.start();
  return host;
}

class LibHost implements Host {
  readonly key: PeerKey;
  readonly #options: HostOptions;
  readonly #links = new Map<Connection, LibLink>();
  readonly #handshakes = new Handshakes(() => this.#countSilent());
  readonly #strangers = new Crowd<LibLink>(limits.MAX_STRANGERS, (link) => this.#drop(link, 'too many connections of strangers'));
  readonly #strangerTimers = new Map<LibLink, NodeJS.Timeout>();
  readonly #gate: Gate;
  readonly #gossip: Gossip;
  readonly #circuits: Circuits;
  readonly #onLink: ((link: Link) => void)[] = [];
  readonly #onUnlink: ((link: Link) => void)[] = [];
  readonly #counters = { silentDropped: 0, strangersDropped: 0, linksRefused: 0 };
  #libp2p: Libp2p | undefined;
  #components: Components | undefined;
  #discovery: Discovery | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
    this.key = options.key.publicKey;
    this.#gate = new Gate((connection) => this.#links.get(connection));
    this.#gossip = createGossip(options.domain, options.validate);
    this.#circuits = new Circuits({
      directLink: (peer) => this.links().find((link) => link.peer === peer && link.admitted && link.via === undefined && !link.closed),
      isMember: options.isMember,
      upgrader: () => this.#inside().upgrader,
      log: () => this.#inside().logger.forComponent('dtkd:circuit'),
    });
  }

  async start(): Promise<void> {
    this.#libp2p = await createLibp2p({
      start: false,
      logger: quietLogger,
      privateKey: toPrivateKey(this.#options.key),
      addresses: { listen: [] },
      transports: [
        (components) =>
          sharePort(
            tcp({
              dialOpts: { keepAlive: true, keepAliveInitialDelay: limits.TCP_KEEPALIVE_DELAY_MS, noDelay: true },
              listenOpts: { keepAlive: true, keepAliveInitialDelay: limits.TCP_KEEPALIVE_DELAY_MS, noDelay: true },
            })(components),
            {
              onTls: this.#options.onTls,
              onDropped: () => this.#countSilent(),
              handshakes: this.#handshakes,
            },
          ),
      ],
      connectionEncrypters: [noise()],
      streamMuxers: [
        yamux({
          enableKeepAlive: false,
          maxInboundStreams: limits.MAX_STREAMS_PER_CONNECTION,
          maxOutboundStreams: limits.MAX_STREAMS_PER_CONNECTION,
          streamOptions: { maxStreamWindowSize: limits.MAX_STREAM_WINDOW_BYTES },
        }),
      ],
      connectionMonitor: { enabled: false },
      connectionManager: {
        maxConnections: limits.MAX_CONNECTIONS,
        inboundConnectionThreshold: limits.INBOUND_PER_ADDRESS_PER_SECOND,
        maxIncomingPendingConnections: limits.MAX_UPGRADING_INBOUND,
        inboundUpgradeTimeout: limits.HANDSHAKE_TIMEOUT_MS,
        inboundStreamProtocolNegotiationTimeout: limits.NEGOTIATION_TIMEOUT_MS,
        outboundStreamProtocolNegotiationTimeout: limits.NEGOTIATION_TIMEOUT_MS,
        reconnectRetries: 0,
      },
      // Restricts dials of the routing table to members, and to its searches. Our own dials do not pass here.
      connectionGater: {
        denyDialPeer: (peer) => this.#discovery?.searching !== true || !this.#options.isMember(fromPeerId(peer)),
        // None of our keys is of another type, and libp2p would keep each RSA key that it sees.
        denyInboundEncryptedConnection: (peer) => peer.type !== 'Ed25519',
      },
      services: {
        identify: (components: Components) => this.#capture(components),
        pubsub: this.#gossip.service,
      },
    });
    const { events } = this.#inside();
    events.addEventListener('connection:open', (event) => this.#opened(event.detail));
    events.addEventListener('connection:close', (event) => this.#closed(event.detail));
    await this.#libp2p.start();
    this.#gossip.start();
    await this.serve(RELAY_PROTOCOL, (stream, link) => void this.#circuits.relay(stream, link).catch(() => stream.destroy()), {
      maxStreams: limits.MAX_CIRCUITS_PER_MEMBER,
    });
    await this.serve(CIRCUIT_PROTOCOL, (stream, link) => void this.#circuits.accept(stream, link).catch(() => stream.destroy()), {
      maxStreams: limits.MAX_CIRCUITS_PER_MEMBER * 4,
    });
  }

  protocols(): string[] {
    const served = this.#inside().registrar.getProtocols();
    const late = Discovery.protocolOf(this.#options.domain);
    return [...new Set([...served, late])].sort();
  }

  async listen(hosts: readonly string[], port: number): Promise<void> {
    const usable = await usableHosts(hosts, port);
    try {
      await this.#inside().transportManager.listen(usable.map((host) => toMultiaddr({ host, port })));
    } catch (cause) {
      throw new DtkdError('PORT_IN_USE', `port ${port} cannot be listened on`, {
        cause,
        next: 'Stop the program that uses it, or choose another port with --mesh.',
      });
    }
  }

  async dial(address: Address, expected: PeerKey | undefined, signal: AbortSignal, options: DialOptions = {}): Promise<Link> {
    if (expected !== undefined && this.#isCutOff(expected)) throw new DtkdError('ADDRESS_UNREACHABLE', 'the network is cut');
    if (isLinkLocal(address.host)) throw linkLocal(address);
    const target = toMultiaddr(address, expected === undefined ? undefined : toPeerId(expected).toString());
    const limit = untilSettled(signal);
    limit.restart(options.connectTimeoutMs ?? limits.CONNECT_TIMEOUT_MS);
    const onProgress = ({ type }: { type: string }): void => {
      if (type !== CONNECTED) return;
      limit.restart(patiently(limits.HANDSHAKE_TIMEOUT_MS));
      options.onConnected?.();
    };
    try {
      return this.#linkOf(await this.#inside().transportManager.dial(target, { signal: limit.signal, onProgress }));
    } catch (cause) {
      // A dial without a known key is made for a user, who wants to know what is there.
      throw await dialError(address, cause, expected === undefined);
    } finally {
      limit.settle();
    }
  }

  async dialThrough(relay: PeerKey, target: PeerKey, signal: AbortSignal): Promise<Link> {
    const circuit = await this.#circuits.connect(relay, target, signal);
    const limit = untilSettled(signal);
    try {
      return this.#linkOf(await this.#inside().upgrader.upgradeOutbound(circuit, { signal: limit.signal }));
    } catch (cause) {
      circuit.abort(new Error('the circuit failed'));
      throw new DtkdError('PEER_AWAY', 'the member cannot be reached through the relay', { cause });
    } finally {
      limit.settle();
    }
  }

  async serve(protocol: string, handler: StreamHandler, { strangers = false, maxStreams }: ServeOptions): Promise<void> {
    if (strangers) this.#gate.openToStrangers(protocol);
    await this.#inside().registrar.handle(
      protocol,
      (stream, connection) => {
        const link = this.#links.get(connection);
        if (link === undefined) stream.abort(new Error('the connection is gone'));
        else handler(new StreamDuplex(stream), link);
      },
      { maxInboundStreams: maxStreams, maxOutboundStreams: limits.MAX_STREAMS_PER_CONNECTION, runOnLimitedConnection: true },
    );
  }

  links(): readonly LibLink[] {
    return [...this.#links.values()];
  }

  onLink(listener: (link: Link) => void): void {
    this.#onLink.push(listener);
  }

  onUnlink(listener: (link: Link) => void): void {
    this.#onUnlink.push(listener);
  }

  async publish(data: Uint8Array): Promise<boolean> {
    if (data.length > limits.MAX_GOSSIP_BYTES) return false;
    await this.#gossip.publish(data);
    return true;
  }

  async startDiscovery(options: { mdns: boolean }, onFound: (key: PeerKey, addresses: Address[]) => void): Promise<void> {
    if (this.#discovery !== undefined) return;
    const discovery = new Discovery(this.#options.domain, this.#inside(), onFound);
    this.#discovery = discovery;
    await discovery.start(options);
  }

  async stopDiscovery(): Promise<void> {
    const discovery = this.#discovery;
    this.#discovery = undefined;
    await discovery?.stop();
  }

  async findPeer(key: PeerKey, signal: AbortSignal): Promise<Address[]> {
    return (await this.#discovery?.find(key, signal)) ?? [];
  }

  async stop(): Promise<void> {
    const { logger } = this.#options;
    const failed = (err: unknown): void => logger.warn({ err }, 'A part of the mesh host did not stop cleanly');
    // Even if libp2p fails to stop, connections are cut and the caller goes on: a removed member must still drop its data.
    await this.stopDiscovery().catch(failed);
    for (const timer of this.#strangerTimers.values()) clearTimeout(timer);
    // Cutting is enough: what had to arrive was acknowledged, and waiting for slow peers would delay the end of the daemon.
    for (const link of this.#links.values()) link.abort('the daemon is stopping');
    await Promise.resolve(this.#libp2p?.stop()).catch(failed);
  }

  counters(): Record<string, number> {
    return {
      ...this.#counters,
      streamsRefused: this.#gate.refused,
      circuitsRelayed: this.#circuits.relayed,
      circuitsRefused: this.#circuits.refused,
    };
  }

  #capture(components: Components): object {
    this.#components = components;
    const { logger } = this.#options;
    this.#gate.guard(components.registrar, (err) => logger.debug({ err }, 'libp2p could not be told that a protocol is no longer served'));
    return { [Symbol.toStringTag]: 'dtkd-hello', [serviceCapabilities]: [IDENTIFY] };
  }

  #inside(): Components {
    if (this.#components === undefined) throw new DtkdError('UNAVAILABLE', 'the mesh host is not running');
    return this.#components;
  }

  #isCutOff(peer: PeerKey): boolean {
    return this.#options.cutOff?.(peer) === true;
  }

  #opened(connection: Connection): void {
    let link: LibLink;
    try {
      link = new LibLink(connection, this.#inside(), performance.now(), (peer) => this.#isCutOff(peer));
      if (link.via === undefined && this.#isCutOff(link.peer)) throw new Error('the network is cut');
    } catch (error) {
      this.#counters.linksRefused += 1;
      connection.abort(error instanceof Error ? error : new Error('refused'));
      return;
    }
    if (link.inbound && link.remote !== undefined) this.#handshakes.established(link.remote);
    this.#links.set(connection, link);
    waitCheaply(connection);
    writeTogether(connection);
    this.#gate.narrow(connection, this.#inside());
    this.#watchStranger(link);
    for (const listener of this.#onLink) listener(link);
  }

  #countSilent(): void {
    this.#counters.silentDropped += 1;
  }

  /** Keeps unadmitted connections few and short-lived. */
  #watchStranger(link: LibLink): void {
    for (const known of this.#strangers) if (known.admitted || known.closed) this.#forgetStranger(known);
    this.#strangers.add(link, link.remote?.host ?? link.via ?? link.peer);
    const timer = setTimeout(() => {
      if (link.admitted) this.#forgetStranger(link);
      else this.#drop(link, 'not admitted in time');
    }, patiently(limits.STRANGER_TIMEOUT_MS));
    this.#strangerTimers.set(link, timer);
  }

  #forgetStranger(link: LibLink): void {
    clearTimeout(this.#strangerTimers.get(link));
    this.#strangerTimers.delete(link);
    this.#strangers.delete(link);
  }

  #drop(link: LibLink, reason: string): void {
    this.#forgetStranger(link);
    this.#counters.strangersDropped += 1;
    link.abort(reason);
  }

  #closed(connection: Connection): void {
    const link = this.#links.get(connection);
    if (link === undefined) return;
    this.#links.delete(connection);
    this.#forgetStranger(link);
    // libp2p keeps what every connection negotiated; a stranger with ever new keys must not fill the memory with that.
    if (!link.admitted && !this.links().some(({ peer }) => peer === link.peer)) {
      this.#inside()
        .peerStore.delete(connection.remotePeer)
        .catch(() => {});
    }
    for (const listener of this.#onUnlink) listener(link);
  }

  #linkOf(connection: Connection): Link {
    const link = this.#links.get(connection);
    if (link === undefined) throw new DtkdError('PEER_AWAY', 'the connection closed while it was being opened');
    return link;
  }
}

interface DialLimit {
  signal: AbortSignal;
  /** Gives up after this time from now. */
  restart(ms: number): void;
  /** Detaches the limit: nothing that happens later aborts the signal. */
  settle(): void;
}

/** libp2p ties a socket to its dial's signal for life, so a time limit on dialling must not cut the resulting connection. */
function untilSettled(signal: AbortSignal): DialLimit {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const forward = (): void => controller.abort(signal.reason);
  if (signal.aborted) forward();
  else signal.addEventListener('abort', forward, { once: true });
  return {
    signal: controller.signal,
    restart(ms) {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(new DOMException('the time limit of dialling has passed', 'TimeoutError')), ms);
    },
    settle() {
      clearTimeout(timer);
      signal.removeEventListener('abort', forward);
    },
  };
}
