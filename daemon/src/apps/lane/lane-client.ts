import { timingSafeEqual } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { DtkdError } from '../../../../protocol/errors.ts';
import { decodeLaneAnswer, encodeLaneRequest, LANE_ALPN, LANE_PROTOCOL, type LaneGrant } from '../../../../protocol/peers/tunnel.ts';
import type { Channel } from '../channel/channel.ts';
import { LaneChannel } from '../channel/lane-channel.ts';
import { StreamChannel } from '../channel/stream-channel.ts';
import type { PeerDirectory } from '../peer-directory.ts';
import type { Author, HostPort, TunnelMesh } from '../ports.ts';
import { readFrame } from '../tunnel/frames.ts';
import type { LaneBook } from './lane-book.ts';
import { type DomainLane, LANE_BUFFER_BYTES, type LaneIdentities, peerCertificateHash } from './lane-tls.ts';

const GRANT_MS = 3_000;
/** A lane is for members nearby. A slower one is served over the mesh stream. */
const CONNECT_MS = 1_500;
/** Addresses tried for one lane. */
const MAX_ADDRESSES = 2;
/** After a failure the stream is used for this long before the lane is tried again. Doubled with each failure, up to LONGEST_REST_MS. */
const FIRST_REST_MS = 15_000;
const LONGEST_REST_MS = 10 * 60_000;

/** Lanes being opened at once. Further ones wait, so that the owner does not take a burst of requests for an attack. */
const MAX_DIALS = 16;

interface Rest {
  member: Author;
  until: number;
  ms: number;
}

/** The caller's end of the fast lane. `open` returns undefined wherever the mesh stream is to be used instead. */
export class LaneClient {
  private readonly mesh: TunnelMesh;
  private readonly identities: LaneIdentities;
  private readonly book: LaneBook;
  private readonly now: () => number;
  private readonly resting = new Map<string, Rest>();
  private dials = 0;
  private readonly waiting: (() => void)[] = [];
  opened = 0;
  failed = 0;

  constructor(options: { mesh: TunnelMesh; identities: LaneIdentities; book: LaneBook; now(): number }) {
    this.mesh = options.mesh;
    this.identities = options.identities;
    this.book = options.book;
    this.now = options.now;
  }

  /** Opens a channel to the member. Undefined if there is no direct address, or if the lane failed now or recently. */
  async open(member: Author, signal?: AbortSignal): Promise<Channel | undefined> {
    if (this.dials >= MAX_DIALS) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.dials += 1;
    try {
      return await this.tryOpen(member, signal);
    } finally {
      this.dials -= 1;
      this.waiting.shift()?.();
    }
  }

  private async tryOpen(member: Author, signal: AbortSignal | undefined): Promise<Channel | undefined> {
    const key = `${member.domain} ${member.peer}`;
    const rest = this.resting.get(key);
    if (rest !== undefined && rest.until > this.now()) return undefined;
    const addresses = this.mesh.directAddresses(member.domain, member.peer).slice(0, MAX_ADDRESSES);
    if (addresses.length === 0) return undefined;
    try {
      const channel = await this.dial(member, addresses, signal);
      this.resting.delete(key);
      this.opened += 1;
      return channel;
    } catch {
      signal?.throwIfAborted();
      this.failed += 1;
      // Of several failures at once, only the first doubles the rest.
      if (this.resting.get(key) === rest) {
        const ms = rest === undefined ? FIRST_REST_MS : Math.min(rest.ms * 2, LONGEST_REST_MS);
        this.resting.set(key, { member, until: this.now() + ms, ms });
      }
      return undefined;
    }
  }

  /** Forgets failures of members that are not connected: they may come back with better addresses. */
  forgetReturned(peers: PeerDirectory): void {
    for (const [key, { member }] of this.resting) if (!peers.isConnected(member)) this.resting.delete(key);
  }

  private async dial(member: Author, addresses: readonly HostPort[], signal: AbortSignal | undefined): Promise<Channel> {
    const own = this.identities.of(member.domain);
    const grant = await this.ask(member, own, signal);
    let last: unknown;
    for (const address of addresses) {
      try {
        const { tls, raw } = await this.connect(address, own, grant, signal);
        const channel = new LaneChannel(tls, raw);
        if (!this.book.add(member, tls, channel)) {
          channel.abort();
          break;
        }
        channel.write(grant.ticket);
        return channel;
      } catch (error) {
        last = error;
        signal?.throwIfAborted();
      }
    }
    throw last ?? new DtkdError('PEER_AWAY', 'the member is no longer connected');
  }

  private async ask(member: Author, own: DomainLane, signal: AbortSignal | undefined): Promise<LaneGrant> {
    const channel = new StreamChannel(await this.mesh.openStream(member.domain, member.peer, LANE_PROTOCOL, signal));
    channel.write(encodeLaneRequest({ certificate: own.hash }));
    channel.end();
    try {
      return decodeLaneAnswer(await readFrame(channel, GRANT_MS));
    } finally {
      channel.resume();
    }
  }

  private connect(
    address: HostPort,
    own: DomainLane,
    grant: LaneGrant,
    signal: AbortSignal | undefined,
  ): Promise<{ tls: TLSSocket; raw: Socket }> {
    return new Promise((resolve, reject) => {
      const raw = connectTcp({ host: address.host, port: address.port, noDelay: true, keepAlive: true });
      const options = {
        socket: raw,
        secureContext: own.context,
        // The certificate is checked below, by its hash.
        rejectUnauthorized: false,
        ALPNProtocols: [LANE_ALPN],
        highWaterMark: LANE_BUFFER_BYTES,
      };
      const tls = connectTls(options);
      const fail = () => {
        done();
        tls.destroy();
        raw.destroy();
        reject(new DtkdError('ADDRESS_UNREACHABLE', 'the fast lane could not be opened'));
      };
      const timer = setTimeout(fail, CONNECT_MS);
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', fail);
      };
      raw.on('error', fail);
      tls.on('error', fail);
      tls.once('close', fail);
      tls.once('secureConnect', () => {
        const hash = peerCertificateHash(tls);
        const expected = Buffer.from(grant.certificate);
        if (tls.alpnProtocol !== LANE_ALPN || hash.length !== expected.length || !timingSafeEqual(hash, expected)) {
          fail();
          return;
        }
        done();
        tls.off('close', fail);
        tls.off('error', fail);
        raw.off('error', fail);
        raw.on('error', () => undefined);
        resolve({ tls, raw });
      });
      if (signal?.aborted === true) fail();
      else signal?.addEventListener('abort', fail, { once: true });
    });
  }
}
