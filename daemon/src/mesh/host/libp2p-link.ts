/** One libp2p connection as a Link. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Connection } from '@libp2p/interface';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Address } from '../../../../protocol/peers/address.ts';
import { relayOf } from './circuit.ts';
import { sendingOf, socketOf } from './connection-costs.ts';
import type { Link } from './host.types.ts';
import { fromPeerId } from './keys.ts';
import type { Components } from './libp2p-components.ts';
import { fromMultiaddr, toMultiaddrs } from './multiaddrs.ts';
import { StreamDuplex } from './stream-duplex.ts';

/** `close` lets buffered bytes through for this long, then cuts. */
const CLOSE_TIMEOUT_MS = 1_000;

/** Protocols that move to another connection by themselves, so they are no reason to keep one. */
const BACKGROUND = ['/meshsub/', '/dtkd/kad/', '/dtkd/compare/'];

interface Pinger {
  ping(): Promise<number>;
}

export class LibLink implements Link {
  readonly id: string;
  readonly peer: PeerKey;
  readonly inbound: boolean;
  readonly via: PeerKey | undefined;
  readonly remote: Address | undefined;
  readonly openedAt: number;
  readonly #connection: Connection;
  readonly #socket: Socket | undefined;
  readonly #components: Components;
  readonly #isCutOff: (peer: PeerKey) => boolean;
  #admitted = false;

  constructor(connection: Connection, components: Components, openedAt: number, isCutOff: (peer: PeerKey) => boolean) {
    this.#isCutOff = isCutOff;
    this.#connection = connection;
    this.#socket = socketOf(connection);
    this.#components = components;
    this.id = connection.id;
    this.peer = fromPeerId(connection.remotePeer);
    this.inbound = connection.direction === 'inbound';
    this.via = relayOf(connection.remoteAddr);
    this.remote = fromMultiaddr(connection.remoteAddr);
    this.openedAt = openedAt;
  }

  get admitted(): boolean {
    return this.#admitted;
  }

  get closed(): boolean {
    return this.#connection.status !== 'open';
  }

  get busy(): boolean {
    return this.#connection.streams.some(({ protocol }) => !BACKGROUND.some((prefix) => protocol.startsWith(prefix)));
  }

  get received(): number | undefined {
    return this.#isCutOff(this.peer) ? undefined : this.#socket?.bytesRead;
  }

  get sending(): { taken: number; waiting: number } | undefined {
    return this.#socket === undefined ? undefined : sendingOf(this.#socket);
  }

  async open(protocol: string, signal: AbortSignal): Promise<Duplex> {
    try {
      const stream = await this.#connection.newStream(protocol, {
        signal,
        runOnLimitedConnection: true,
        maxOutboundStreams: Number.MAX_SAFE_INTEGER,
      });
      return new StreamDuplex(stream);
    } catch (cause) {
      throw new DtkdError('PEER_AWAY', `the peer did not take up ${protocol}`, { cause });
    }
  }

  admit(): void {
    this.#admitted = true;
  }

  async announce(protocols: readonly string[], addresses: readonly Address[]): Promise<void> {
    const { peerStore, events } = this.#components;
    const peerId = this.#connection.remotePeer;
    await peerStore.merge(peerId, {
      protocols: [...protocols],
      multiaddrs: toMultiaddrs(addresses),
    });
    if (this.closed) return;
    events.safeDispatchEvent('peer:identify', {
      detail: { peerId, connection: this.#connection, protocols: [...protocols], listenAddrs: [] },
    });
  }

  async ping(timeoutMs: number): Promise<void> {
    if (this.via === undefined && this.#isCutOff(this.peer)) throw new DtkdError('TIMEOUT', 'the network is cut');
    const muxer: unknown = Reflect.get(this.#connection, 'muxer');
    if (!isPinger(muxer)) return;
    // Without a signal: yamux treats an answer to an abandoned ping as a violation, and cuts the connection.
    const pong = muxer.ping();
    pong.catch(() => {});
    await inTime(pong, timeoutMs);
  }

  async close(): Promise<void> {
    try {
      await this.#connection.close({ signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) });
    } catch {
      this.abort('it did not close in time');
    }
  }

  abort(reason: string): void {
    this.#connection.abort(new Error(reason));
  }
}

/**
 * Resolves with the answer. Rejects after `ms`, but only once the event loop has read what was already waiting: a busy daemon must not
 * take its peer for dead.
 */
async function inTime(answer: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new DtkdError('TIMEOUT', 'the peer does not answer'));
    timer = setTimeout(() => setImmediate(() => setImmediate(fail)), ms).unref();
  });
  try {
    await Promise.race([answer, late]);
  } finally {
    // Otherwise the leftover timers of a dozen answers would wake this process for nothing.
    clearTimeout(timer);
  }
}

function isPinger(value: unknown): value is Pinger {
  return typeof value === 'object' && value !== null && 'ping' in value && typeof value.ping === 'function';
}
