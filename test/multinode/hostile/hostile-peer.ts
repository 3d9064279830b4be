/**
 * A member that means harm: joins with a real invite, proves its membership, and then sends what it likes. Built on the wire's own
 * definitions and a bare mesh host; it shares no code with what an honest node does with what it receives. It does not listen, so it
 * decides itself with whom it talks.
 */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { FrameChannel } from '../../../daemon/src/mesh/host/frame-channel.ts';
import type { Host, Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { createHost } from '../../../daemon/src/mesh/host/libp2p-host.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { openEnvelope } from '../../../protocol/encoding/envelope.ts';
import type { DomainId, NodeName, PeerKey } from '../../../protocol/ids.ts';
import { generateSigningKey, type SigningKey } from '../../../protocol/keys/signing.ts';
import { MAX_ITEMS_BYTES, MAX_JOIN_FRAME_BYTES } from '../../../protocol/limits.ts';
import { COMPARE_PROTOCOL, decodeDigests, encodeDigests, MAX_COMPARE_FRAME_BYTES } from '../../../protocol/log/compare.ts';
import { type EntryBody, type Epoch, type LogEntry, NO_ENTRY, parseEntry, signEntry } from '../../../protocol/log/log-entry.ts';
import { decodeSync, encodeSync, MAX_SYNC_FRAME_BYTES, SYNC_PROTOCOL } from '../../../protocol/log/sync.ts';
import { signEnrolment } from '../../../protocol/membership/certificate.ts';
import { decodeJoinMessage, encodeJoinMessage, JOIN_VERSION } from '../../../protocol/membership/join.ts';
import { parseToken } from '../../../protocol/membership/token.ts';
import { encodeGossip } from '../../../protocol/peers/gossip.ts';
import {
  decodeHello,
  encodeHello,
  HELLO_PROTOCOL,
  HELLO_VERSION,
  type HelloAbout,
  type HelloMessage,
  MAX_HELLO_FRAME_BYTES,
} from '../../../protocol/peers/hello.ts';
import { REMOTE_API_PROTOCOL } from '../../../protocol/peers/remote.ts';
import { silentLogger } from '../../silent-logger.ts';

const JOIN_PROTOCOL = '/dtkd/join/1.0.0';
const TIMEOUT_MS = 60_000;

function address(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
}

function idOf(item: Uint8Array): string {
  return openEnvelope(item, MAX_ITEMS_BYTES, 'an item').id;
}

function withTimeout(): AbortSignal {
  return AbortSignal.timeout(TIMEOUT_MS);
}

export class HostilePeer {
  readonly key: SigningKey;
  readonly domain: DomainId;
  readonly #host: Host;
  readonly #links = new Map<string, Link>();
  /** Everything that the domain agreed on, as the welcome gave it. */
  #items: Uint8Array[] = [];
  /** What it answers to those who ask it for entries. */
  entries: Uint8Array[] = [];
  /** How often honest nodes asked it. */
  asked = 0;
  /** What it does with those who ask its API. */
  answerApi: (stream: Duplex) => void = (stream) => stream.destroy();

  private constructor(host: Host, key: SigningKey, domain: DomainId) {
    this.#host = host;
    this.key = key;
    this.domain = domain;
  }

  /** Joins through the node at `through` with a valid token, as anybody might. */
  static async join(token: string, through: string, name: string): Promise<HostilePeer> {
    const invite = parseToken(token);
    const key = generateSigningKey();
    const host = await createHost({
      domain: invite.domain,
      key,
      logger: silentLogger,
      isMember: () => true,
      onTls: (socket) => socket.destroy(),
      validate: async () => 'ignore',
    });
    const peer = new HostilePeer(host, key, invite.domain);
    try {
      await host.serve(SYNC_PROTOCOL, (stream) => void peer.#answerSync(stream).catch(() => stream.destroy()), { maxStreams: 64 });
      await host.serve(COMPARE_PROTOCOL, (stream) => void answerCompare(stream).catch(() => stream.destroy()), { maxStreams: 64 });
      await host.serve(REMOTE_API_PROTOCOL, (stream) => peer.answerApi(stream.on('error', () => undefined)), { maxStreams: 64 });
      const link = await host.dial(address(through), undefined, withTimeout());
      const channel = new FrameChannel(await link.open(JOIN_PROTOCOL, withTimeout()), {
        maxFrameBytes: MAX_JOIN_FRAME_BYTES,
        timeoutMs: TIMEOUT_MS,
      });
      const say = (message: Parameters<typeof encodeJoinMessage>[0]): Promise<void> => channel.sendBytes(encodeJoinMessage(message));
      await say({
        type: 'offer',
        version: JOIN_VERSION,
        domain: invite.domain,
        grant: invite.grant.bytes,
        clock: Date.now(),
        nonce: new Uint8Array(16),
      });
      await peer.#readItems(channel, 'proof');
      const grant = invite.grant.id;
      const { body, signature, consent } = signEnrolment(invite.invite, key, { grant, name: name as NodeName });
      await say({ type: 'enrol', enrolment: body, signature, consent });
      peer.#items = await peer.#readItems(channel, 'welcome');
      channel.finish();
      await link.close();
      return peer;
    } catch (error) {
      await host.stop();
      throw error;
    }
  }

  /** Connects to an honest node and is let in; resolves with that node's key. Its digest is a lie, so both sides name all they have. */
  async connect(to: string, lies: Partial<HelloAbout> = {}): Promise<PeerKey> {
    const link = await this.#host.dial(address(to), undefined, withTimeout());
    const channel = new FrameChannel(await link.open(HELLO_PROTOCOL, withTimeout()), {
      maxFrameBytes: MAX_HELLO_FRAME_BYTES,
      timeoutMs: TIMEOUT_MS,
    });
    const say = (message: HelloMessage): Promise<void> => channel.sendBytes(encodeHello(message));
    await say({ type: 'chain', version: HELLO_VERSION, domain: this.domain, digest: NO_ENTRY, items: this.#items, more: false });
    for (;;) {
      const frame = await channel.read();
      if (frame === undefined) throw new Error('the honest node ended hello');
      const message = decodeHello(frame);
      switch (message.type) {
        case 'refusal':
          throw new Error(`refused: ${message.code} ${message.message}`);
        case 'chain':
          if (!message.more) await say({ type: 'ids', ids: this.#items.map(idOf), more: false });
          break;
        case 'ids':
          if (!message.more) await say({ type: 'items', items: [], more: false });
          break;
        case 'items':
          if (!message.more) {
            // As an honest node does: from its `about` on it is asked things.
            link.admit();
            const protocols = this.#host.protocols();
            await say({ type: 'about', addresses: [], port: 0, observed: '', protocols, peers: [], removed: [], ...lies });
          }
          break;
        case 'about':
          channel.finish();
          await link.announce(message.protocols, []);
          this.#links.set(link.peer, link);
          return link.peer;
      }
    }
  }

  link(peer: PeerKey): Link {
    const link = this.#links.get(peer);
    if (link === undefined) throw new Error('not connected');
    return link;
  }

  connectedTo(peer: PeerKey): boolean {
    return this.#links.get(peer)?.closed === false;
  }

  /** Connections that are open. */
  connections(): number {
    return this.#host.links().filter(({ closed }) => !closed).length;
  }

  /** A members-only stream to an honest node, to write anything into. */
  async open(peer: PeerKey, protocol: string): Promise<Duplex> {
    return this.link(peer).open(protocol, withTimeout());
  }

  /** Every members-only protocol that there is. */
  protocols(): string[] {
    return this.#host.protocols();
  }

  /** Gossips any bytes. */
  async gossip(data: Uint8Array): Promise<void> {
    await this.#host.publish(data);
  }

  /** Gossips an entry, good or bad, in the form in which entries are gossiped. */
  async tell(entry: Uint8Array): Promise<void> {
    await this.gossip(encodeGossip('entry', entry));
  }

  /** All entries of an author that an honest node has: what any member may ask for. */
  async entriesOf(peer: PeerKey, author: PeerKey): Promise<LogEntry[]> {
    const channel = new FrameChannel(await this.open(peer, SYNC_PROTOCOL), { maxFrameBytes: MAX_SYNC_FRAME_BYTES, timeoutMs: TIMEOUT_MS });
    await channel.sendBytes(encodeSync({ type: 'heads', digest: NO_ENTRY, removed: [], heads: [] }));
    await channel.read();
    await channel.sendBytes(encodeSync({ type: 'pull', heads: [] }));
    const frame = await channel.read();
    channel.finish();
    const answer = frame === undefined ? undefined : decodeSync(frame);
    return answer?.type === 'entries' ? answer.entries.map(parseEntry).filter((entry) => entry.author === author) : [];
  }

  /** Signs an entry as this peer; `as` puts another author's name into it. */
  sign(fields: Partial<EntryBody> & { epoch: Epoch; update: Uint8Array }, as?: PeerKey): LogEntry {
    return signEntry(this.key, {
      domain: this.domain,
      author: as ?? this.key.publicKey,
      seq: 0,
      prev: NO_ENTRY,
      lineage: [],
      open: fields.seq === undefined || fields.seq === 0,
      openEnd: fields.seq === undefined || fields.seq === 0,
      ...fields,
    });
  }

  async stop(): Promise<void> {
    await this.#host.stop();
  }

  /** Claims to have a log far ahead of what anybody knows, and hands out `entries` to who asks. */
  async #answerSync(stream: Duplex): Promise<void> {
    const channel = new FrameChannel(stream, { maxFrameBytes: MAX_SYNC_FRAME_BYTES, timeoutMs: TIMEOUT_MS });
    for (let rounds = 0; rounds < 8; rounds += 1) {
      const frame = await channel.read();
      if (frame === undefined) return;
      const message = decodeSync(frame);
      this.asked += 1;
      if (message.type === 'heads') {
        const heads = this.entries.map((bytes) => parseEntry(bytes)).map(({ author, epoch, seq, hash }) => ({ author, epoch, seq, hash }));
        await channel.sendBytes(encodeSync({ type: 'heads', digest: message.digest, removed: [], heads }));
      } else {
        await channel.sendBytes(encodeSync({ type: 'entries', entries: this.entries }));
      }
    }
    channel.finish();
  }

  async #readItems(channel: FrameChannel, type: 'proof' | 'welcome'): Promise<Uint8Array[]> {
    const items: Uint8Array[] = [];
    for (;;) {
      const frame = await channel.read();
      if (frame === undefined) throw new Error(`the honest node ended before ${type}`);
      const message = decodeJoinMessage(frame);
      if (message.type !== type) throw new Error(`${type} was expected, not ${JSON.stringify(message)}`);
      items.push(...message.items);
      if (!message.more) return items;
    }
  }
}

/** Says each time that it has something else. */
async function answerCompare(stream: Duplex): Promise<void> {
  const channel = new FrameChannel(stream, { maxFrameBytes: MAX_COMPARE_FRAME_BYTES, timeoutMs: TIMEOUT_MS });
  const frame = await channel.read();
  if (frame === undefined) return;
  const { facts } = decodeDigests(frame);
  await channel.sendBytes(encodeDigests({ facts, logs: randomBytes(32).toString('hex') }));
  channel.finish();
}

/** Bytes that decode to nothing sensible, of every kind. */
export function garbage(): Uint8Array[] {
  const random = Uint8Array.from({ length: 4_096 }, (_, index) => (index * 197 + 31) % 256);
  return [
    new Uint8Array(0),
    Uint8Array.of(0),
    random,
    encodeCbor([]),
    encodeCbor({ type: 'heads' }),
    encodeCbor([random, random.subarray(0, 64)]),
    // An array of 2^32 - 1 elements that are not there.
    Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff),
    // Nested a thousand deep.
    new Uint8Array(1_000).fill(0x81),
  ];
}
