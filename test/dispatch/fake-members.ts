/**
 * Nodes in one process as dispatch sees them: each has a `Members` port, streams are pairs of Duplex with half-close, abort and back-pressure as
 * real ones have them. Contact can be cut and healed, nodes stopped and started, and streams broken after so many bytes.
 */
import { createHash } from 'node:crypto';
import { Duplex } from 'node:stream';
import type { Member, Members } from '../../daemon/src/dispatch/dispatch.types.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { unseal } from '../../protocol/keys/sealing.ts';
import { type SigningContext, type SigningKey, signingKeyFromSeed } from '../../protocol/keys/signing.ts';

/** One end of a pair. */
class End extends Duplex {
  other: End | undefined;
  /** Bytes that may still be written before the connection breaks. */
  budget = Number.POSITIVE_INFINITY;
  private pulled: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true, highWaterMark: 64 * 1024 });
    // A stream may fail before or after anybody listens, as a real one.
    this.on('error', () => undefined);
  }

  override _read(): void {
    const pulled = this.pulled;
    this.pulled = undefined;
    pulled?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const { other } = this;
    if (other === undefined || other.destroyed) {
      done(lost());
      return;
    }
    const part = chunk.subarray(0, Math.max(0, this.budget));
    this.budget -= chunk.length;
    // A copy: what was sent does not change with the sender's buffer.
    const more = part.length === 0 || other.push(Uint8Array.from(part));
    if (this.budget < 0) {
      done(lost());
      other.destroy(lost());
    } else if (more) setImmediate(done);
    else other.pulled = done;
  }

  override _final(done: () => void): void {
    if (this.other !== undefined && !this.other.destroyed) this.other.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this;
    const clean = error === null && this.readableEnded && this.writableFinished;
    // What waits to be written to this end fails.
    const pulled = this.pulled;
    this.pulled = undefined;
    pulled?.();
    if (!clean) setImmediate(() => other?.destroy(lost()));
    done(error);
  }
}

function lost(): DtkdError {
  return new DtkdError('PEER_AWAY', 'the connection to the peer was lost');
}

/** Two ends of one stream. */
export function duplexPair(): [End, End] {
  const [a, b] = [new End(), new End()];
  a.other = b;
  b.other = a;
  return [a, b];
}

/** Who opens what: for hooks. */
export interface Attempt {
  from: string;
  to: string;
  protocol: string;
}

type Serve = (stream: Duplex, from: Member) => void;

/** The members as one node sees them. */
export class FakeMembers implements Members {
  readonly name: string;
  /** What `restoredAt` says; set by tests. */
  restored: number | undefined;
  readonly serving = new Map<string, Serve>();
  readonly listeners = new Set<() => void>();
  private readonly network: FakeNetwork;

  constructor(network: FakeNetwork, name: string) {
    this.network = network;
    this.name = name;
  }

  list(): Member[] {
    return this.network.domainsOf(this.name).flatMap((domain) =>
      this.network
        .membersOf(domain)
        .filter((other) => other !== this.name)
        .map((other) => this.view(domain, other)),
    );
  }

  private view(domain: string, other: string): Member {
    const reach = this.network.reach(this.name, other);
    return { node: other, domain, key: keyOf(other, domain), selfKey: keyOf(this.name, domain), reach };
  }

  byKey(domain: string, key: string): Member | undefined {
    const other = this.network.nameOf(domain, key);
    const shared = this.network.isMember(this.name, domain) && other !== undefined && other !== this.name;
    return shared ? this.view(domain, other) : undefined;
  }

  byNode(node: string): Member | undefined {
    const domain = this.network.domainsOf(this.name).find((name) => this.network.isMember(node, name));
    return domain === undefined || node === this.name ? undefined : this.view(domain, node);
  }

  /** This node's own key in a domain. */
  selfKey(domain: string): string {
    return keyOf(this.name, domain);
  }

  async open(to: { domain: string; key: string }, protocol: string, signal: AbortSignal): Promise<Duplex> {
    return this.network.open(this.name, to, protocol, signal);
  }

  handle(protocol: string, serve: Serve): void {
    this.serving.set(protocol, serve);
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  sign(domain: string, context: SigningContext, bytes: Uint8Array): Uint8Array {
    return signingKey(this.name, domain).sign(context, bytes);
  }

  async unseal(domain: string, sealed: Uint8Array): Promise<Uint8Array | undefined> {
    return unseal(signingKey(this.name, domain).seed, sealed);
  }

  restoredAt(): number | undefined {
    return this.restored;
  }
}

/** DomainId of a named domain. */
export function domainId(name: string): string {
  return createHash('sha256').update(`domain ${name}`).digest('hex');
}

const keys = new Map<string, SigningKey>();

/** The key of a node in a domain (its DomainId): the same in every run. */
export function signingKey(node: string, domain: string): SigningKey {
  const name = `${node} ${domain}`;
  const known = keys.get(name) ?? signingKeyFromSeed(createHash('sha256').update(name).digest());
  keys.set(name, known);
  return known;
}

export function keyOf(node: string, domain: string): string {
  return signingKey(node, domain).publicKey;
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

/** Nodes, the domains that they are in, and which of them can see one another. Everybody is connected unless it is said otherwise. */
export class FakeNetwork {
  /** Every stream that was opened, in order. */
  readonly opened: Attempt[] = [];
  /** Called before a stream is opened: may delay or refuse (throw) it. */
  beforeOpen: ((attempt: Attempt) => Promise<void> | void) | undefined;
  /** Called for each new stream; what it gives breaks the stream after so many bytes to (`there`) or from (`back`) the asked node. */
  breaks: ((attempt: Attempt) => { there?: number; back?: number } | undefined) | undefined;
  private readonly nodes = new Map<string, FakeMembers>();
  private readonly domains = new Map<string, Set<string>>();
  private readonly byKey = new Map<string, string>();
  private readonly cuts = new Set<string>();
  private readonly idles = new Set<string>();
  private readonly stopped = new Set<string>();
  private readonly gone = new Set<string>();
  private readonly streams = new Map<Duplex, string>();

  /** Adds a node to the domains of those names (default: `site`), or gives the one that there is. */
  node(name: string, domains: readonly string[] = ['site']): FakeMembers {
    const node = this.nodes.get(name) ?? new FakeMembers(this, name);
    this.nodes.set(name, node);
    for (const id of domains.map(domainId)) {
      this.domains.set(id, (this.domains.get(id) ?? new Set()).add(name));
      this.byKey.set(`${id} ${keyOf(name, id)}`, name);
    }
    this.changed();
    return node;
  }

  domainsOf(node: string): string[] {
    return [...this.domains].filter(([, members]) => members.has(node)).map(([id]) => id);
  }

  membersOf(domain: string): string[] {
    return [...(this.domains.get(domain) ?? [])];
  }

  isMember(node: string, domain: string): boolean {
    return this.domains.get(domain)?.has(node) ?? false;
  }

  nameOf(domain: string, key: string): string | undefined {
    const name = this.byKey.get(`${domain} ${key}`);
    return name !== undefined && this.isMember(name, domain) ? name : undefined;
  }

  reach(a: string, b: string): Member['reach'] {
    if (this.cuts.has(pairOf(a, b)) || this.stopped.has(a) || this.stopped.has(b)) return 'away';
    return this.idles.has(pairOf(a, b)) ? 'idle' : 'connected';
  }

  async open(from: string, to: { domain: string; key: string }, protocol: string, signal: AbortSignal): Promise<Duplex> {
    const target = this.isMember(from, to.domain) ? this.nameOf(to.domain, to.key) : undefined;
    if (target === undefined || target === from) throw new DtkdError('PEER_AWAY', 'no such member');
    const attempt = { from, to: target, protocol };
    const timedOut = new Promise<never>((_resolve, reject) => {
      const give = () => reject(new DtkdError('TIMEOUT', 'the peer did not answer in time'));
      if (signal.aborted) give();
      else signal.addEventListener('abort', give, { once: true });
    });
    timedOut.catch(() => undefined);
    // As a real one, it takes a moment.
    await Promise.race([new Promise((resolve) => setImmediate(resolve)), timedOut]);
    await Promise.race([this.beforeOpen?.(attempt), timedOut]);
    if (this.reach(from, target) === 'away') throw new DtkdError('PEER_AWAY', `${target} is away`);
    const serve = this.nodes.get(target)?.serving.get(protocol);
    if (serve === undefined) throw new DtkdError('PEER_AWAY', `${target} does not serve ${protocol}`);
    const [here, there] = duplexPair();
    const limits = this.breaks?.(attempt);
    here.budget = limits?.there ?? here.budget;
    there.budget = limits?.back ?? there.budget;
    for (const stream of [here, there]) {
      this.streams.set(stream, pairOf(from, target));
      stream.once('close', () => this.streams.delete(stream));
    }
    this.opened.push(attempt);
    if (this.idles.delete(pairOf(from, target))) this.changed();
    const seen = this.nodes.get(target)?.byKey(to.domain, keyOf(from, to.domain));
    if (seen !== undefined) setImmediate(() => serve(there, seen));
    return here;
  }

  /** Streams that are open now, both ends counted. */
  get openStreams(): number {
    return this.streams.size;
  }

  /** Breaks the connection of two nodes, and their streams. */
  cut(a: string, b: string): void {
    this.cuts.add(pairOf(a, b));
    this.breakStreams((pair) => pair === pairOf(a, b));
    this.changed();
  }

  /** Whether a key belonged to a node that was removed. */
  hasGone(key: string): boolean {
    return this.gone.has(key);
  }

  heal(a: string, b: string): void {
    this.cuts.delete(pairOf(a, b));
    this.changed();
  }

  /** Breaks the streams of two nodes, which stay connected. */
  reset(a: string, b: string): void {
    this.breakStreams((pair) => pair === pairOf(a, b));
  }

  /** The two stay without a connection until one opens a stream to the other. */
  rest(a: string, b: string): void {
    this.idles.add(pairOf(a, b));
    this.changed();
  }

  /** A node is gone: its streams break, and it serves nothing until it handles protocols again. */
  stop(name: string): void {
    this.stopped.add(name);
    const node = this.nodes.get(name);
    node?.serving.clear();
    node?.listeners.clear();
    this.breakStreams((pair) => pair.split(' ').includes(name));
    this.changed();
  }

  start(name: string): void {
    this.stopped.delete(name);
    this.changed();
  }

  /** Takes a node out of a domain. */
  remove(node: string, domain = 'site'): void {
    const id = domainId(domain);
    this.domains.get(id)?.delete(node);
    this.gone.add(keyOf(node, id));
    this.changed();
  }

  private breakStreams(which: (pair: string) => boolean): void {
    for (const [stream, pair] of this.streams) if (which(pair)) stream.destroy(lost());
  }

  private changed(): void {
    for (const node of this.nodes.values()) for (const listener of node.listeners) listener();
  }
}
