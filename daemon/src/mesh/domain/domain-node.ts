/**
 * One domain on this node: joins its host, membership and log together. Owns the admission of connections, who is present, what is pushed
 * to whom, and what a change of membership means for connections and replicas. Guarantees that a removed key is cut off as soon as its
 * removal is known here, and that everything new here is offered to every connected member. Does not decide who is a member, what an
 * entry means, or how bytes travel.
 */
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Address, formatAddress } from '../../../../protocol/address.ts';
import { COMPARE_PROTOCOL, type Digests } from '../../../../protocol/compare.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { HELLO_PROTOCOL, type HelloAbout, MAX_ADDRESSES, MAX_PEER_ADDRESSES, MAX_PEER_HINTS } from '../../../../protocol/hello.ts';
import { type PeerKey, peerIdOf } from '../../../../protocol/ids.ts';
import { FACTS_PROTOCOL, headsDigest, SYNC_PROTOCOL } from '../../../../protocol/sync.ts';
import type { Logger } from '../../logger.ts';
import type { Host, Link, StreamHandler, Verdict } from '../host/host.types.ts';
import { MAX_LINKS_PER_MEMBER } from '../host/limits.ts';
import type { DomainLog } from '../log/log.types.ts';
import type { Membership, MembershipState } from '../membership/membership.types.ts';
import { type AddressBook, parseAddresses } from './address-book.ts';
import { answerDigests, askDigests, Comparisons } from './comparisons.ts';
import { FULL_MESH_BELOW } from './connection-choice.ts';
import { Connector } from './connector.ts';
import { Heartbeat } from './heartbeat.ts';
import { answerHello, greet } from './hello.ts';
import { ownAddresses } from './own-addresses.ts';
import { PeerTable } from './peer-table.ts';
import { Round } from './round.ts';
import { removedIds, SyncService } from './sync-service.ts';
import { Telling } from './telling.ts';

/** With one neighbour after the other, whatever comparisons say, besides on every connection: repairs what a lost message left. */
const SYNC_INTERVAL_MS = 30_000;
/**
 * In a domain too large for everybody to be connected with everybody, what a pull brought is offered to so many neighbours, after a
 * while, so that a burst of pulls makes one offer.
 */
const OFFER_DELAY_MS = 200;
const OFFERED_NEIGHBOURS = 6;
/** The second of two connections, or the relayed beside a direct one, is closed once nothing runs on it. */
const SURPLUS_CHECK_MS = 5_000;
/**
 * A member missed for so long is looked for, beyond where it was. Searching costs every member work for each other one, so in a large
 * domain it must not begin merely because many start at once on a busy machine.
 */
const SEARCH_AFTER_MS = 10_000;
const LARGE_SEARCH_AFTER_MS = 30_000;
/** Asking the system for its interfaces costs milliseconds, and every view of the domain shows an address. */
const ADDRESSES_KEPT_MS = 2_000;
/** How often it is considered whether to begin or end searching. */
const SEARCH_CHECK_MS = 5_000;
/** By then gossip runs on a new connection. */
const LOGS_RECHECK_MS = 2_000;
/** Streams of hello on one connection: one, and one that was just given up. */
const MAX_HELLO_STREAMS = 2;
const MAX_MEMBER_STREAMS = 16;
/** A member asks one comparison at a time. */
const MAX_COMPARE_STREAMS = 4;
/** Of each protocol that other parts of the daemon serve: every tunnelled connection is one stream. */
const MAX_APPLICATION_STREAMS = 2_048;
const HELLO_OPEN_TIMEOUT_MS = 5_000;

export interface DomainNodeOptions {
  host: Host;
  membership: Membership;
  log: DomainLog;
  book: AddressBook;
  logger: Logger;
  now(): number;
  hosts: readonly string[];
  port: number;
  announce: readonly string[];
  mdns: boolean;
  /** Members, presence or addresses changed. */
  onChange(): void;
  /** This node's own key was removed (or has left, by its own word elsewhere). */
  onRemoved(): void;
}

export class DomainNode {
  readonly host: Host;
  readonly membership: Membership;
  readonly log: DomainLog;
  readonly port: number;
  readonly peers: PeerTable;
  readonly #options: DomainNodeOptions;
  readonly #telling: Telling;
  readonly #sync: SyncService;
  readonly #connector: Connector;
  readonly #heartbeat: Heartbeat;
  readonly #comparisons: Comparisons;
  readonly #syncRound = new Round<PeerKey>();
  readonly #greeting = new WeakSet<Link>();
  readonly #unsubscribe: (() => void)[] = [];
  /** Addresses at which others see us, with who said so: hints for nodes behind NAT. */
  readonly #observed = new Map<string, Set<PeerKey>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #counters = { hellosRefused: 0 };
  #state: MembershipState;
  #offer: NodeJS.Timeout | undefined;
  #searching = false;
  #own: { at: number; addresses: readonly Address[] } = { at: Number.NEGATIVE_INFINITY, addresses: [] };
  #stopped = false;

  constructor(options: DomainNodeOptions) {
    this.#options = options;
    this.host = options.host;
    this.membership = options.membership;
    this.log = options.log;
    this.port = options.port;
    this.peers = new PeerTable(options.membership.self, options.now);
    this.#state = options.membership.state();
    this.#telling = new Telling({
      host: options.host,
      membership: options.membership,
      log: options.log,
      logger: options.logger,
      connected: () => this.peers.connected(),
      pull: (peer) => this.#sync.pull(peer),
      pushFacts: (peer, items) => this.#sync.pushFacts(peer, items),
    });
    this.#sync = new SyncService({
      membership: this.#telling.received,
      log: options.log,
      logger: options.logger,
      link: (peer) => this.peers.best(peer),
      heard: (peer, removals) => {
        if (this.peers.heard(peer, removals)) options.onChange();
      },
      gained: (from) => this.#scheduleOffer(from),
    });
    this.#connector = new Connector({
      host: options.host,
      book: options.book,
      peers: this.peers,
      logger: options.logger,
      now: options.now,
      members: () => this.#state.members.keys(),
      greet: (link) => this.greet(link),
    });
    this.#heartbeat = new Heartbeat(() => this.host.links().filter((link) => link.admitted));
    this.#comparisons = new Comparisons({
      neighbours: () => this.peers.connected().filter((peer) => this.#speaks(peer, COMPARE_PROTOCOL)),
      exchange: (peer) => this.#exchangeDigests(peer),
      sync: (peer) => this.#sync.pull(peer),
      logger: options.logger,
    });
  }

  /** Serves the domain's protocols, opens the port and begins to connect. Errors: PORT_IN_USE. */
  async start(): Promise<void> {
    const { host, log, membership } = this;
    host.onLink((link) => this.#onLink(link));
    host.onUnlink((link) => this.#onUnlink(link));
    await host.serve(HELLO_PROTOCOL, (stream, link) => void this.#answer(stream, link), { strangers: true, maxStreams: MAX_HELLO_STREAMS });
    await host.serve(SYNC_PROTOCOL, (stream, link) => void this.#sync.serveSync(stream, link), { maxStreams: MAX_MEMBER_STREAMS });
    await host.serve(FACTS_PROTOCOL, (stream, link) => void this.#sync.serveFacts(stream, link), { maxStreams: MAX_MEMBER_STREAMS });
    await host.serve(COMPARE_PROTOCOL, (stream) => void answerDigests(stream, () => this.#digests()), { maxStreams: MAX_COMPARE_STREAMS });
    this.#unsubscribe.push(
      membership.onChange((state) => this.#onMembership(state)),
      log.onOwnEntry((entry) => this.#telling.gossip('entry', entry)),
    );
    // Had the process died between a removal and its consequences, they would be drawn now.
    for (const { author } of await log.heads()) {
      if (author !== membership.self && !this.#state.members.has(author)) await log.dropAuthor(author);
    }
    await host.listen(this.#options.hosts, this.port);
    this.#heartbeat.start();
    this.#comparisons.start();
    this.#connector.wake();
    this.#later(() => this.#syncWithNext(), SYNC_INTERVAL_MS);
    this.#later(() => this.#search(), SEARCH_CHECK_MS);
  }

  /** Serves a protocol of another part of the daemon. A suspended member's streams are refused: its grants fail closed. */
  async serve(protocol: string, handler: StreamHandler): Promise<void> {
    await this.host.serve(
      protocol,
      (stream, link) => {
        if (this.#state.suspended.has(link.peer)) stream.destroy(new DtkdError('SUSPENDED', 'the member is suspended'));
        else handler(stream, link);
      },
      { maxStreams: MAX_APPLICATION_STREAMS },
    );
  }

  /** Errors: PEER_AWAY. */
  async openStream(peer: PeerKey, protocol: string, signal: AbortSignal): Promise<Duplex> {
    if (!this.#state.members.has(peer)) throw new DtkdError('PEER_AWAY', 'that node is not a member of the domain');
    const link = await this.#connector.ensure(peer, signal);
    try {
      return await link.open(protocol, signal);
    } catch (error) {
      // The connection ended just then; there may be another one, or one can be made.
      if (!link.closed || signal.aborted) throw error;
      return (await this.#connector.ensure(peer, signal)).open(protocol, signal);
    }
  }

  /** Runs hello on a link that we dialled. Rejects, and cuts the link, if it was not admitted. */
  async greet(link: Link): Promise<void> {
    this.#greeting.add(link);
    try {
      const stream = await link.open(HELLO_PROTOCOL, AbortSignal.timeout(HELLO_OPEN_TIMEOUT_MS));
      await this.#admitted(link, await greet(stream, link, { membership: this.#telling.received, about: (to) => this.#about(to) }));
    } catch (error) {
      this.#counters.hellosRefused += 1;
      link.abort('hello failed');
      throw error;
    }
  }

  /** Judges what is gossiped. */
  validate(from: PeerKey, message: Uint8Array): Promise<Verdict> {
    return this.#telling.judge(from, message);
  }

  /** Tells all connected members each by itself what is new, and resolves when all have answered or the time is up. */
  async tellAll(timeoutMs: number): Promise<void> {
    const timeUp = new Promise<void>((resolve) => this.#later(resolve, timeoutMs));
    await Promise.race([this.#telling.pushFresh(), timeUp]);
  }

  /** Where this node may be dialled, the best first. */
  addresses(): Address[] {
    const now = this.#options.now();
    if (Math.abs(now - this.#own.at) > ADDRESSES_KEPT_MS) {
      this.#own = { at: now, addresses: ownAddresses(this.#options.announce, this.#options.hosts, this.port) };
    }
    const own = this.#own.addresses;
    const seen = [...this.#observed.keys()].map((host) => ({ host, port: this.port }));
    return [...own, ...seen.filter(({ host }) => !own.some((other) => other.host === host))].slice(0, MAX_ADDRESSES);
  }

  counters(): Record<string, number> {
    return {
      ...this.#counters,
      ...this.#telling.counters,
      ...this.#sync.counters,
      ...this.#comparisons.counters,
      ...this.host.counters(),
      ...this.log.counters(),
    };
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const timer of this.#timers) clearTimeout(timer);
    clearTimeout(this.#offer);
    this.#connector.stop();
    this.#heartbeat.stop();
    this.#comparisons.stop();
    this.#sync.stop();
    this.#telling.stop();
    await this.host.stop();
  }

  #onLink(link: Link): void {
    if (link.inbound) return;
    // A dial by libp2p's routing table: ours are greeted by whoever dialled.
    this.#later(() => {
      if (!link.closed && !link.admitted && !this.#greeting.has(link)) this.greet(link).catch(() => {});
    }, HELLO_OPEN_TIMEOUT_MS / 5);
  }

  #onUnlink(link: Link): void {
    if (!this.peers.remove(link) || this.#stopped) return;
    const other = this.peers.best(link.peer);
    if (other !== undefined) {
      // Gossip ran on the connection that is gone; the next turn of the event loop has its streams closed.
      setImmediate(() => void other.announce(this.peers.protocols(other), this.#options.book.of(link.peer)).catch(() => {}));
    }
    this.#connector.hurry(link.peer);
    this.#options.onChange();
  }

  async #answer(stream: Duplex, link: Link): Promise<void> {
    if (link.admitted) {
      stream.destroy();
      return;
    }
    try {
      await this.#admitted(link, await answerHello(stream, link, { membership: this.#telling.received, about: (to) => this.#about(to) }));
    } catch (error) {
      this.#counters.hellosRefused += 1;
      this.#options.logger.debug({ err: error, from: link.remote?.host, peer: peerIdOf(link.peer) }, 'A hello was refused');
      // The refusal has to get through before the connection goes.
      if (link.admitted) link.abort('hello failed');
      else stream.once('close', () => void link.close());
    }
  }

  async #admitted(link: Link, about: HelloAbout): Promise<void> {
    const { book, onChange, logger } = this.#options;
    if (link.closed || this.#stopped) throw new DtkdError('PEER_AWAY', 'the connection closed during hello');
    const address = dialableAddress(link, about.port);
    book.announced(link.peer, [...parseAddresses(about.addresses), ...(address === undefined ? [] : [address])]);
    for (const hint of about.peers) this.#hinted(hint.key, parseAddresses(hint.addresses));
    this.#observedBy(link.peer, about.observed);
    const returned = this.peers.add(link, address, about.protocols);
    // The room for connections is everybody's: no member may fill it.
    for (const surplus of this.peers.links(link.peer).slice(MAX_LINKS_PER_MEMBER)) surplus.abort('too many connections of one member');
    if (link.closed) return;
    this.peers.heard(link.peer, about.removed);
    await link.announce(about.protocols, book.of(link.peer));
    if (returned)
      logger.info({ peer: peerIdOf(link.peer), relayed: link.via !== undefined, inbound: link.inbound }, 'A member is connected');
    this.#later(() => this.#closeSurplus(link.peer), SURPLUS_CHECK_MS);
    this.#compareLogs(link.peer, about.logs).catch((err: unknown) => logger.debug({ err }, 'Logs could not be compared'));
    this.#connector.connected(link);
    onChange();
  }

  /**
   * Pulls unless both have the same. Most members that connect have: fifty that start together would else make thousands of pulls that
   * bring nothing. What is written while they greet is not in what they told, so it is looked at once more.
   */
  async #compareLogs(peer: PeerKey, theirs: string | undefined): Promise<void> {
    const ours = await this.#logsDigest();
    if (theirs !== ours) await this.#sync.pull(peer);
    else this.#later(() => void this.#pullIfChanged(peer, ours).catch(() => {}), LOGS_RECHECK_MS);
  }

  async #pullIfChanged(peer: PeerKey, before: string): Promise<void> {
    if ((await this.#logsDigest()) !== before) await this.#sync.pull(peer);
  }

  /** Of a suspended author everybody keeps what came first: that never becomes equal, and need not. */
  async #logsDigest(): Promise<string> {
    const heads = await this.log.heads();
    return headsDigest(heads.filter(({ author }) => !this.#state.suspended.has(author)));
  }

  async #digests(): Promise<Digests> {
    return { logs: await this.#logsDigest(), facts: this.membership.digest() };
  }

  async #exchangeDigests(peer: PeerKey): ReturnType<typeof askDigests> {
    const link = this.peers.best(peer);
    if (link === undefined) throw new DtkdError('PEER_AWAY', 'the member is not connected');
    return askDigests(link, () => this.#digests());
  }

  /** True if the member has said that it serves the protocol. */
  #speaks(peer: PeerKey, protocol: string): boolean {
    const link = this.peers.best(peer);
    return link !== undefined && this.peers.protocols(link).includes(protocol);
  }

  /** Each member's word counts for one address, which strangers are then given as a hint: so it must be one. */
  #observedBy(peer: PeerKey, host: string | undefined): void {
    for (const [known, sayers] of this.#observed) if (sayers.delete(peer) && sayers.size === 0) this.#observed.delete(known);
    if (host === undefined || isIP(host) === 0) return;
    const sayers = this.#observed.get(host) ?? new Set();
    if (this.#observed.size < MAX_ADDRESSES || sayers.size > 0) this.#observed.set(host, sayers.add(peer));
  }

  /** Somebody tells where a member may be. */
  #hinted(key: PeerKey, addresses: readonly Address[]): void {
    if (key === this.membership.self || !this.#state.members.has(key)) return;
    if (this.#options.book.hinted(key, addresses) && !this.peers.hasDirect(key)) this.#connector.hurry(key);
  }

  /** One of the two sides closes what is left over, in the order that both agree on. */
  #closeSurplus(peer: PeerKey): void {
    if (this.membership.self > peer) return;
    const surplus = this.peers.links(peer).slice(1);
    for (const link of surplus) if (!link.busy) void link.close();
    if (surplus.some(({ busy }) => busy)) this.#later(() => this.#closeSurplus(peer), SURPLUS_CHECK_MS);
  }

  async #about(to: Link): Promise<HelloAbout> {
    const others = this.peers.connected().filter((key) => key !== to.peer);
    return {
      type: 'about',
      addresses: this.addresses().map((address) => formatAddress(address, -1)),
      port: this.port,
      observed: to.remote?.host ?? '',
      protocols: this.host.protocols(),
      peers: others.slice(0, MAX_PEER_HINTS).map((key) => ({
        key,
        addresses: this.#options.book
          .of(key)
          .slice(0, MAX_PEER_ADDRESSES)
          .map((address) => formatAddress(address, -1)),
      })),
      removed: removedIds(this.membership),
      logs: await this.#logsDigest(),
    };
  }

  #onMembership(state: MembershipState): void {
    const before = this.#state;
    this.#state = state;
    // Removed, or not listed by a new root.
    if (!state.members.has(this.membership.self)) {
      this.#options.onRemoved();
      return;
    }
    for (const link of this.host.links()) {
      if (link.admitted && !state.members.has(link.peer)) link.abort('no longer a member');
    }
    for (const key of before.members.keys()) if (!state.members.has(key)) this.#forget(key);
    for (const key of new Set([...before.suspended.keys(), ...state.suspended.keys()])) {
      if (before.suspended.has(key) !== state.suspended.has(key)) this.#try(this.log.refreshAuthor(key));
    }
    this.#telling.tell({ urgent: state.removed.size > before.removed.size });
    this.#connector.wake();
    this.#options.onChange();
  }

  #forget(key: PeerKey): void {
    this.#options.book.forget(key);
    this.#observedBy(key, undefined);
    this.peers.forget(key);
    this.#try(this.log.dropAuthor(key));
    this.#options.logger.info({ peer: peerIdOf(key) }, 'A member is gone for good; its objects were dropped');
  }

  #try(work: Promise<void>): void {
    work.catch((err: unknown) => this.#options.logger.error({ err }, 'A change of membership could not be carried into the store'));
  }

  #syncWithNext(): void {
    const peer = this.#syncRound.next(this.peers.connected());
    if (peer !== undefined) void this.#sync.pull(peer);
    // Between half and one and a half times the interval, so that the members do not keep step.
    this.#later(() => this.#syncWithNext(), SYNC_INTERVAL_MS * (0.5 + Math.random()));
  }

  #scheduleOffer(from: PeerKey): void {
    if (this.#offer !== undefined || this.#stopped || this.#state.members.size < FULL_MESH_BELOW) return;
    this.#offer = setTimeout(() => {
      this.#offer = undefined;
      // A pull tells our heads, and whoever lacks something pulls in turn.
      const others = this.peers.connected().filter((peer) => peer !== from);
      for (const peer of others.sort(() => Math.random() - 0.5).slice(0, OFFERED_NEIGHBOURS)) void this.#sync.pull(peer);
    }, OFFER_DELAY_MS);
  }

  /** Discovery runs while somebody is missed. */
  #search(): void {
    const small = this.#state.members.size < FULL_MESH_BELOW;
    const missing = this.#connector.misses(small ? SEARCH_AFTER_MS : LARGE_SEARCH_AFTER_MS);
    if (missing !== this.#searching) {
      this.#searching = missing;
      const change = missing ? this.#startSearching() : this.host.stopDiscovery();
      change.catch((err: unknown) => this.#options.logger.warn({ err }, 'Discovery failed; members are found by what others tell'));
    }
    this.#later(() => this.#search(), SEARCH_CHECK_MS);
  }

  async #startSearching(): Promise<void> {
    await this.host.startDiscovery({ mdns: this.#options.mdns }, (key, addresses) => this.#hinted(key, addresses));
    // The routing table has to be told of those who are there already.
    for (const peer of this.peers.connected()) {
      const link = this.peers.best(peer);
      await link?.announce(this.peers.protocols(link), this.#options.book.of(peer));
    }
  }

  #later(run: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#stopped) run();
    }, ms);
    this.#timers.add(timer);
  }
}

function dialableAddress(link: Link, port: number): Address | undefined {
  if (link.remote === undefined) return undefined;
  if (!link.inbound) return link.remote;
  return port === 0 ? undefined : { host: link.remote.host, port };
}
