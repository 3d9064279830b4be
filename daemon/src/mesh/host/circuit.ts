/**
 * Relayed connections between members that cannot reach each other. The dialler asks a common neighbour for a circuit to the target; the
 * relay asks the target and then passes bytes both ways with back-pressure. Inside, the two ends run Noise and yamux as over TCP, so the
 * relay can neither read nor forge anything. A circuit ends with either of the relay's two connections. (libp2p's own relay is not used:
 * it buffers without bound when one side is slower, and cuts circuits after a fixed time.)
 */
import { type Duplex, pipeline } from 'node:stream';
import type { AbortOptions, Logger, Upgrader } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { AbstractMultiaddrConnection } from '@libp2p/utils';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { z } from 'zod';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type PeerKey, peerKeyBytes, peerKeyOf } from '../../../../protocol/ids.ts';
import { FrameChannel } from './frame-channel.ts';
import type { Link } from './host.types.ts';
import { fromPeerId, toPeerId } from './keys.ts';
import { CIRCUIT_TIMEOUT_MS, MAX_CIRCUITS_PER_MEMBER } from './limits.ts';

/** Asks a relay for a circuit. */
export const RELAY_PROTOCOL = '/dtkd/relay/1.0.0';
/** Offers a circuit to its target. */
export const CIRCUIT_PROTOCOL = '/dtkd/circuit/1.0.0';

const MAX_FRAME_BYTES = 256;
const request = z.object({ peer: z.instanceof(Uint8Array).refine((bytes) => bytes.length === 32) });
const answer = z.object({ ok: z.boolean() });

export interface CircuitPorts {
  /** A direct, admitted link to the member. */
  directLink(peer: PeerKey): Link | undefined;
  isMember(peer: PeerKey): boolean;
  upgrader(): Upgrader;
  log(): Logger;
}

export class Circuits {
  readonly #ports: CircuitPorts;
  readonly #open = new Map<PeerKey, number>();
  relayed = 0;
  refused = 0;

  constructor(ports: CircuitPorts) {
    this.#ports = ports;
  }

  /** Serves RELAY_PROTOCOL: `from` wants to reach another member through us. */
  async relay(stream: Duplex, from: Link): Promise<void> {
    const inbound = new FrameChannel(stream, { maxFrameBytes: MAX_FRAME_BYTES, timeoutMs: CIRCUIT_TIMEOUT_MS });
    const target = peerKeyOf((await inbound.receive(request, 'a relay request')).peer);
    const link = this.#ports.directLink(target);
    const allowed =
      from.via === undefined && link !== undefined && target !== from.peer && this.#ports.isMember(target) && this.#room(from.peer, target);
    if (!allowed) {
      this.refused += 1;
      await inbound.send({ ok: false });
      inbound.finish();
      return;
    }
    let onward: FrameChannel | undefined;
    try {
      const opened = await link.open(CIRCUIT_PROTOCOL, AbortSignal.timeout(CIRCUIT_TIMEOUT_MS));
      onward = new FrameChannel(opened, { maxFrameBytes: MAX_FRAME_BYTES, timeoutMs: CIRCUIT_TIMEOUT_MS });
      await onward.send({ peer: peerKeyBytes(from.peer) });
      if (!(await onward.receive(answer, 'the answer to a circuit')).ok) throw new DtkdError('PEER_AWAY', 'the member refused the circuit');
    } catch (error) {
      onward?.fail(error);
      await inbound.send({ ok: false });
      inbound.finish();
      return;
    }
    await inbound.send({ ok: true });
    this.#join(inbound.release(), onward.release(), from.peer, target);
  }

  /** Serves CIRCUIT_PROTOCOL: the relay offers a connection from another member. */
  async accept(stream: Duplex, relay: Link): Promise<void> {
    const channel = new FrameChannel(stream, { maxFrameBytes: MAX_FRAME_BYTES, timeoutMs: CIRCUIT_TIMEOUT_MS });
    const from = peerKeyOf((await channel.receive(request, 'a circuit')).peer);
    if (relay.via !== undefined || !this.#ports.isMember(from)) {
      this.refused += 1;
      await channel.send({ ok: false });
      channel.finish();
      return;
    }
    await channel.send({ ok: true });
    const connection = new CircuitConnection(channel.release(), circuitAddress(relay.peer, from), 'inbound', this.#ports.log());
    await this.#ports.upgrader().upgradeInbound(connection, { signal: AbortSignal.timeout(CIRCUIT_TIMEOUT_MS) });
  }

  /** Opens a circuit; the caller upgrades it. Errors: PEER_AWAY. */
  async connect(relay: PeerKey, target: PeerKey, signal: AbortSignal): Promise<CircuitConnection> {
    const link = this.#ports.directLink(relay);
    if (link === undefined) throw new DtkdError('PEER_AWAY', 'the relay is not connected');
    const channel = new FrameChannel(await link.open(RELAY_PROTOCOL, signal), {
      maxFrameBytes: MAX_FRAME_BYTES,
      timeoutMs: CIRCUIT_TIMEOUT_MS,
    });
    await channel.send({ peer: peerKeyBytes(target) });
    if (!(await channel.receive(answer, 'the answer of the relay')).ok) {
      channel.finish();
      throw new DtkdError('PEER_AWAY', 'the relay cannot reach the member');
    }
    return new CircuitConnection(channel.release(), circuitAddress(relay, target), 'outbound', this.#ports.log());
  }

  #room(a: PeerKey, b: PeerKey): boolean {
    return (this.#open.get(a) ?? 0) < MAX_CIRCUITS_PER_MEMBER && (this.#open.get(b) ?? 0) < MAX_CIRCUITS_PER_MEMBER;
  }

  #join(a: Duplex, b: Duplex, ...ends: PeerKey[]): void {
    this.relayed += 1;
    for (const end of ends) this.#open.set(end, (this.#open.get(end) ?? 0) + 1);
    let left = 2;
    const done = (error: Error | null | undefined): void => {
      if (error) {
        a.destroy(error);
        b.destroy(error);
      }
      left -= 1;
      if (left > 0) return;
      for (const end of ends) {
        const count = (this.#open.get(end) ?? 1) - 1;
        if (count > 0) this.#open.set(end, count);
        else this.#open.delete(end);
      }
    };
    pipeline(a, b, done);
    pipeline(b, a, done);
  }
}

function circuitAddress(relay: PeerKey, target: PeerKey): Multiaddr {
  return multiaddr(`/p2p/${toPeerId(relay)}/p2p-circuit/p2p/${toPeerId(target)}`);
}

/** The relay of a circuit's address; undefined for a direct address. */
export function relayOf(address: Multiaddr): PeerKey | undefined {
  const components = address.getComponents();
  const circuit = components.findIndex(({ name }) => name === 'p2p-circuit');
  const relay = circuit < 1 ? undefined : components[circuit - 1]?.value;
  return relay === undefined ? undefined : fromPeerId(peerIdFromString(relay));
}

/** libp2p's buffers: bytes, or a list of views. */
type Bytes = Parameters<AbstractMultiaddrConnection['send']>[0];

/** A stream used as the transport of a connection. */
class CircuitConnection extends AbstractMultiaddrConnection {
  readonly #stream: Duplex;

  constructor(stream: Duplex, remoteAddr: Multiaddr, direction: 'inbound' | 'outbound', log: Logger) {
    super({ remoteAddr, direction, log: log.newScope('circuit') });
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.onData(chunk));
    stream.on('drain', () => this.safeDispatchEvent('drain'));
    stream.on('end', () => this.onTransportClosed());
    stream.on('error', (error) => this.abort(error));
    stream.on('close', () => this.onTransportClosed());
  }

  override sendData(data: Bytes): { sentBytes: number; canSendMore: boolean } {
    const bytes = data instanceof Uint8Array ? data : data.subarray();
    return { sentBytes: bytes.byteLength, canSendMore: this.#stream.write(bytes) };
  }

  override async sendClose(_options?: AbortOptions): Promise<void> {
    this.#stream.end();
  }

  override sendReset(): void {
    this.#stream.destroy();
  }

  override sendPause(): void {
    this.#stream.pause();
  }

  override sendResume(): void {
    this.#stream.resume();
  }
}
