import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId } from '../../../../protocol/ids.ts';
import {
  decodeLaneRequest,
  encodeLaneGrant,
  encodeRefusal,
  LANE_ALPN,
  LANE_PROTOCOL,
  TICKET_BYTES,
} from '../../../../protocol/peers/tunnel.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Channel } from '../channel/channel.ts';
import { LaneChannel } from '../channel/lane-channel.ts';
import { StreamChannel } from '../channel/stream-channel.ts';
import type { Author, TunnelMesh } from '../ports.ts';
import { readBytes, readFrame } from '../tunnel/frames.ts';
import type { LaneBook } from './lane-book.ts';
import { LANE_BUFFER_BYTES, type LaneIdentities, peerCertificateHash } from './lane-tls.ts';
import { Tickets } from './tickets.ts';

/** The most handshakes at once. Each costs a signature and some 30 KiB, and a caller opens at most 16. */
const MAX_HANDSHAKES = 128;
const HANDSHAKE_MS = 5_000;
const FRAME_MS = 5_000;
/** Time for the caller to read the answer and close its side. */
const FAREWELL_MS = 2_000;

/**
 * The owner's end of the fast lane. Issues tickets over Noise and accepts TLS connections that arrive on the mesh port. A connection that
 * shows a valid ticket and the announced certificate becomes a channel of the member to whom the ticket was issued. While no ticket is
 * outstanding, strangers do not even get a handshake.
 */
export class LaneServer {
  private readonly mesh: TunnelMesh;
  private readonly identities: LaneIdentities;
  private readonly book: LaneBook;
  private readonly accept: (channel: Channel, from: Author) => void;
  private readonly logger: Logger;
  private readonly tickets: Tickets;
  private handshakes = 0;
  private stopped = false;
  refused = 0;

  constructor(options: {
    mesh: TunnelMesh;
    identities: LaneIdentities;
    book: LaneBook;
    accept(channel: Channel, from: Author): void;
    logger: Logger;
    now(): number;
  }) {
    this.mesh = options.mesh;
    this.identities = options.identities;
    this.book = options.book;
    this.accept = options.accept;
    this.logger = options.logger;
    this.tickets = new Tickets(options.now);
  }

  start(): void {
    this.mesh.handle(LANE_PROTOCOL, (stream, from) => void this.grant(stream, from));
    this.mesh.onTlsSocket((socket, domain) => this.arrive(socket, domain));
  }

  stop(): void {
    this.stopped = true;
  }

  private async grant(stream: Duplex, from: Author): Promise<void> {
    const channel = new StreamChannel(stream);
    try {
      const request = decodeLaneRequest(await readFrame(channel, FRAME_MS));
      if (this.stopped) throw new DtkdError('UNAVAILABLE', 'the daemon is stopping');
      const ticket = this.tickets.issue(from, request.certificate);
      channel.write(encodeLaneGrant({ certificate: this.identities.of(from.domain).hash, ticket }));
    } catch (error) {
      this.refused += 1;
      if (error instanceof DtkdError) channel.write(encodeRefusal(error));
    }
    channel.end();
    channel.resume();
    setTimeout(() => channel.discard(), FAREWELL_MS).unref();
  }

  private arrive(raw: Socket, domain: DomainId): void {
    raw.on('error', () => undefined);
    if (this.stopped || this.handshakes >= MAX_HANDSHAKES || !this.tickets.expected(domain)) {
      this.refused += 1;
      raw.destroy();
      return;
    }
    this.handshakes += 1;
    void this.admit(raw, domain).finally(() => {
      this.handshakes -= 1;
    });
  }

  private async admit(raw: Socket, domain: DomainId): Promise<void> {
    raw.setNoDelay(true);
    const options = {
      isServer: true,
      secureContext: this.identities.of(domain).context,
      requestCert: true,
      // The certificate is checked below, by its hash.
      rejectUnauthorized: false,
      ALPNProtocols: [LANE_ALPN],
      highWaterMark: LANE_BUFFER_BYTES,
    };
    const tls = new TLSSocket(raw, options);
    let channel: LaneChannel | undefined;
    try {
      await secured(tls);
      if (tls.alpnProtocol !== LANE_ALPN) throw new DtkdError('FRAME_INVALID', 'another protocol');
      channel = new LaneChannel(tls, raw);
      const ticket = await readBytes(channel, TICKET_BYTES, FRAME_MS);
      const from = this.tickets.redeem(ticket, peerCertificateHash(tls), domain);
      if (from === undefined) throw new DtkdError('FORBIDDEN', 'the ticket is not valid');
      if (!this.book.add(from, tls, channel)) throw new DtkdError('PEER_AWAY', 'the member is no longer connected');
      this.accept(channel, from);
    } catch (error) {
      this.refused += 1;
      this.logger.debug({ error: error instanceof Error ? error.message : 'unknown' }, 'a fast lane was refused');
      tls.destroy();
      raw.destroy();
    }
  }
}

function secured(tls: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DtkdError('TIMEOUT', 'the handshake took too long')), HANDSHAKE_MS);
    tls.once('secure', () => {
      clearTimeout(timer);
      resolve();
    });
    const fail = () => {
      clearTimeout(timer);
      reject(new DtkdError('FRAME_INVALID', 'the handshake failed'));
    };
    tls.on('error', fail);
    tls.once('close', fail);
  });
}
