/**
 * One domain on this node: connects its host, membership and log. Owns the admission of connections, who is present, what is pushed to
 * whom, and what a change of membership means for connections and replicas. Guarantees that a removed key is cut off as soon as its
 * removal is known here, and that everything new here is offered to every connected member. Does not decide who is a member, what an entry
 * means, or how bytes travel.
 */
import type { Duplex } from 'node:stream';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type PeerId, type PeerKey, peerIdOf } from '../../../../protocol/ids.ts';
import { COMPARE_PROTOCOL, type Digests } from '../../../../protocol/log/compare.ts';
import { FACTS_PROTOCOL, SYNC_PROTOCOL } from '../../../../protocol/log/sync.ts';
import type { Address } from '../../../../protocol/peers/address.ts';
import { HELLO_PROTOCOL, type HelloAbout } from '../../../../protocol/peers/hello.ts';
import { REACH_PROTOCOL } from '../../../../protocol/peers/reach.ts';
import { WHERE_PROTOCOL } from '../../../../protocol/peers/whereabouts.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Host, Link, StreamHandler, Verdict } from '../host/host.types.ts';
import { MAX_LINKS_PER_MEMBER } from '../host/limits.ts';
import { isUnserved, otherVersion } from '../host/other-version.ts';
import type { DomainLog } from '../log/log.types.ts';
import type { Membership, MembershipState } from '../membership/membership.types.ts';
import type { Probe, Reach } from '../mesh.types.ts';
import { type AddressBook, parseAddresses } from './address-book.ts';
import { Admission } from './admission.ts';
import { CatchingUp } from './catching-up.ts';
import { answerDigests, askDigests, Comparisons } from './comparisons.ts';
import { FULL_MESH_BELOW } from './connection-choice.ts';
import { Connector } from './connector.ts';
import { Heartbeat } from './heartbeat.ts';
import { IdleLinks } from './idle-links.ts';
import { introduce } from './introduction.ts';
import { Losses, type OftenLost } from './losses.ts';
import { PeerTable, type Presence } from './peer-table.ts';
import { askReach, ReachAnswers } from './reach.ts';
import { SEARCH_CHECK_MS, Search } from './search.ts';
import { removedIds, SyncService } from './sync-service.ts';
import { Telling } from './telling.ts';
import { Timers } from './timers.ts';
import { answerWhere } from './where.ts';
import { Whereabouts } from './whereabouts.ts';

/** How often a surplus connection (the second of two, or a relayed one beside a direct one) is checked; it is closed once idle. */
const SURPLUS_CHECK_MS = 5_000;
/** How often connections that nothing needs are looked for. */
const IDLE_CHECK_MS = 15_000;
/** Streams of hello on one connection: one, and one just given up. */
const MAX_HELLO_STREAMS = 2;
const MAX_MEMBER_STREAMS = 16;
/** A member runs one comparison at a time. */
const MAX_COMPARE_STREAMS = 4;
/** A member asks once, and perhaps again after giving up. */
const MAX_REACH_STREAMS = 2;
/** Streams of each protocol that other parts of the daemon serve: every tunnelled connection is one. */
const MAX_APPLICATION_STREAMS = 2_048;

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
  /** Protocols that this node will serve once the daemon has started. */
  later: readonly string[];
  /** Called when members, presence or addresses changed. */
  onChange(): void;
  /** Called when this node's own key was removed, or has left according to a fact it made elsewhere. */
  onRemoved(): void;
}

/** A member as seen from here. */
export type MemberPresence = Presence & { reach: Reach; failure?: DtkdError | undefined; lost?: OftenLost | undefined };

export class DomainNode {
  readonly host: Host;
  readonly membership: Membership;
  readonly log: DomainLog;
  readonly port: number;
  readonly peers: PeerTable;
  readonly #options: DomainNodeOptions;
  readonly #telling: Telling;
  readonly #sync: SyncService;
  readonly #admission: Admission;
  readonly #connector: Connector;
  readonly #heartbeat: Heartbeat;
  readonly #comparisons: Comparisons;
  readonly #idleLinks: IdleLinks;
  readonly #catchingUp: CatchingUp;
  readonly #search: Search;
  readonly #whereabouts: Whereabouts;
  readonly #timers = new Timers();
  readonly #losses = new Losses(() => performance.now());
  #linksLost = 0;
  readonly #unsubscribe: (() => void)[] = [];
  #state: MembershipState;
  #stopped = false;

  constructor(options: DomainNodeOptions) {
    this.#options = options;
    this.host = options.host;
    this.membership = options.membership;
    this.log = options.log;
    this.port = options.port;
    this.peers = new PeerTable(options.membership.self, options.now);
    this.#state = options.membership.state();
    this.#whereabouts = new Whereabouts(options);
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
      heard: (peer, removals) => this.#heard(peer, removals),
      pulled: (from) => this.log.heard(from, () => this.#others()),
      gained: (from) => this.#catchingUp.gained(from),
    });
    const members = (): MembershipState['members'] => this.#state.members;
    const { host, book, logger, now, mdns } = options;
    const { peers } = this;
    const ticks = (): number => performance.now();
    this.#admission = new Admission({
      membership: this.#telling.received,
      logger,
      timers: this.#timers,
      about: (to) => this.#about(to),
      admitted: (link, about) => this.#admitted(link, about),
    });
    this.#connector = new Connector({
      host,
      book,
      peers,
      logger,
      now,
      ticks,
      members,
      greet: (link) => this.greet(link),
      onAway: () => options.onChange(),
    });
    const { requests } = this.#connector;
    const isNeighbour = (peer: PeerKey): boolean => this.#connector.isNeighbour(peer);
    this.#idleLinks = new IdleLinks({ links: () => host.links(), isNeighbour, requests, ticks });
    this.#catchingUp = new CatchingUp({
      log: options.log,
      logger,
      timers: this.#timers,
      members,
      isSuspended: (author) => this.#state.suspended.has(author),
      connected: () => peers.connected(),
      pull: (peer) => this.#sync.pull(peer),
    });
    this.#search = new Search({
      host,
      peers,
      book,
      logger,
      mdns,
      members,
      misses: (forMs) => this.#connector.misses(forMs),
      onFound: (key, addresses) => this.#hinted(key, addresses),
    });
    this.#heartbeat = new Heartbeat(() => this.host.links().filter((link) => link.admitted));
    this.#comparisons = new Comparisons({
      neighbours: () => this.peers.connected().filter((peer) => this.#speaks(peer, COMPARE_PROTOCOL)),
      own: () => this.#digests(),
      exchange: (peer) => this.#exchangeDigests(peer),
      sync: {
        facts: (peer) => this.#sync.pushFacts(peer, []),
        logs: async (peer) => {
          if (!(await this.#sync.pull(peer))) throw new DtkdError('UNAVAILABLE', 'the synchronisation failed');
        },
      },
      logger: options.logger,
    });
  }

  /** Serves the domain's protocols, opens the port and begins to connect. Errors: PORT_IN_USE. */
  async start(): Promise<void> {
    const { host, log, membership } = this;
    host.onLink((link) => this.#admission.opened(link));
    host.onUnlink((link) => this.#onUnlink(link));
    await host.serve(HELLO_PROTOCOL, (stream, link) => void this.#admission.answer(stream, link), {
      strangers: true,
      maxStreams: MAX_HELLO_STREAMS,
    });
    await host.serve(SYNC_PROTOCOL, (stream, link) => void this.#sync.serveSync(stream, link), { maxStreams: MAX_MEMBER_STREAMS });
    await host.serve(FACTS_PROTOCOL, (stream, link) => void this.#sync.serveFacts(stream, link), { maxStreams: MAX_MEMBER_STREAMS });
    const whereabouts = { book: this.#options.book, isMember: (key: PeerKey) => this.#state.members.has(key) };
    await host.serve(WHERE_PROTOCOL, (stream) => void answerWhere(stream, whereabouts), { maxStreams: MAX_MEMBER_STREAMS });
    const reach = new ReachAnswers({ host, announced: (link) => this.peers.announced(link), now: this.#options.now });
    await host.serve(REACH_PROTOCOL, (stream, link) => void reach.serve(stream, link), { maxStreams: MAX_REACH_STREAMS });
    await host.serve(COMPARE_PROTOCOL, (stream) => void answerDigests(stream, () => this.#digests()), { maxStreams: MAX_COMPARE_STREAMS });
    this.#unsubscribe.push(
      membership.onChange((state) => this.#onMembership(state)),
      log.onOwnEntry((entry) => this.#telling.gossip('entry', entry)),
    );
    // The state may have changed while the protocols were being registered, for example by a fork that an earlier process had found.
    if (membership.state() !== this.#state) this.#onMembership(membership.state());
    // An earlier process may have died between a removal and its consequences.
    for (const { author } of await log.heads()) {
      if (author !== membership.self && !this.#state.members.has(author)) await log.dropAuthor(author);
    }
    await host.listen(this.#options.hosts, this.port);
    this.#hearIfAlone();
    this.#heartbeat.start();
    this.#comparisons.start();
    this.#connector.wake();
    this.#catchingUp.start();
    this.#timers.repeat(
      () => this.#search.check(),
      () => SEARCH_CHECK_MS,
    );
    this.#timers.repeat(
      () => this.#idleLinks.sweep(),
      () => IDLE_CHECK_MS,
    );
  }

  /**
   * Serves a protocol of another part of the daemon. Refuses streams of a suspended member, so that its grants fail closed, and
   * everybody's while this node, restored from a backup, does not know what it has revoked since.
   */
  async serve(protocol: string, handler: StreamHandler): Promise<void> {
    await this.host.serve(
      protocol,
      (stream, link) => {
        if (this.#state.suspended.has(link.peer)) stream.destroy(new DtkdError('SUSPENDED', 'the member is suspended'));
        else if (this.log.isAwaiting())
          stream.destroy(new DtkdError('UNAVAILABLE', 'this node was restored and waits to hear from members'));
        else handler(stream, link);
      },
      { maxStreams: MAX_APPLICATION_STREAMS },
    );
  }

  /** All other members that count. */
  #others(): PeerKey[] {
    const { members, suspended } = this.#state;
    return [...members.keys()].filter((key) => key !== this.membership.self && !suspended.has(key));
  }

  /** After a restore, with no other members there is nothing to wait for. */
  #hearIfAlone(): void {
    if (this.log.isAwaiting() && this.#others().length === 0) this.log.heard(this.membership.self, () => this.#others());
  }

  /** Opens a stream; connects with the member if needed. Errors: PEER_AWAY, VERSION_TOO_OLD (it does not serve that protocol). */
  async openStream(peer: PeerKey, protocol: string, signal: AbortSignal): Promise<Duplex> {
    if (!this.#state.members.has(peer)) throw new DtkdError('PEER_AWAY', 'that node is not a member of the domain');
    const link = await this.#connector.ensure(peer, signal);
    try {
      return await link.open(protocol, signal);
    } catch (error) {
      // A member that announced the protocol and no longer serves it is stopping; it is not of another version.
      if (isUnserved(error) && !this.peers.protocols(link).includes(protocol)) throw otherVersion(protocol, error);
      // The connection ended just now; there may be another one, or one can be made.
      if (!link.closed || signal.aborted) throw error;
      return (await this.#connector.ensure(peer, signal)).open(protocol, signal);
    }
  }

  /** Asks a connected member for its clock, and whether it reaches this node. Errors: PEER_AWAY, TIMEOUT, VERSION_TOO_OLD. */
  async probe(peer: PeerKey, { reach, signal }: { reach: boolean; signal: AbortSignal }): Promise<Probe> {
    const link = this.peers.best(peer);
    if (link === undefined) throw new DtkdError('PEER_AWAY', 'the member is not connected');
    if (!this.peers.protocols(link).includes(REACH_PROTOCOL))
      throw new DtkdError('VERSION_TOO_OLD', 'the member does not serve such questions');
    return askReach(await link.open(REACH_PROTOCOL, signal), { reach, now: this.#options.now });
  }

  /** Reports that something is wanted of an absent member. */
  want(peer: PeerKey): void {
    this.#connector.want(peer);
  }

  /** Keeps a member's connection even when no stream runs on it, until the returned function is called. */
  hold(peer: PeerKey): () => void {
    return this.#connector.requests.hold(peer);
  }

  presence(peer: PeerKey): MemberPresence {
    const presence = this.peers.presence(peer);
    const { reach, awaySince } = this.#connector.reach(peer, presence.connected);
    const failure = presence.path === 'direct' ? undefined : this.#connector.failure(peer);
    // In a large domain a connection may close because it is idle, which does not mean that the member was away from then on.
    return {
      ...presence,
      reach,
      failure,
      lost: this.#losses.often(peer),
      since: this.#state.members.size < FULL_MESH_BELOW ? presence.since : (awaySince ?? presence.since),
    };
  }

  /** Runs hello on a link that we dialled. Rejects, and cuts the link, if it was not admitted. */
  greet(link: Link): Promise<void> {
    return this.#admission.greet(link);
  }

  /** Judges a gossiped message. */
  validate(from: PeerKey, message: Uint8Array): Promise<Verdict> {
    return this.#telling.judge(from, message);
  }

  /** The membership for everything that receives items from elsewhere: what is added through it is passed on. */
  get received(): Membership {
    return this.#telling.received;
  }

  /** Reports entries that came by another way than a connection: neighbours may lack them. */
  gained(): void {
    this.#catchingUp.gained(this.membership.self);
  }

  /** Sends what is new to every connected member directly. Resolves when all have answered or the time is up. */
  async tellAll(timeoutMs: number): Promise<void> {
    const timeUp = new Promise<void>((resolve) => this.#timers.later(resolve, timeoutMs));
    await Promise.race([this.#telling.pushFresh(), timeUp]);
  }

  /** Addresses at which this node may be dialled, the best first. */
  addresses(): Address[] {
    return this.#whereabouts.addresses();
  }

  /** Refused hellos by code. */
  hellosRefused(): Record<string, number> {
    return this.#admission.refusals.all();
  }

  /** How far the logs are here, and what is missing according to other members. */
  logStanding(): ReturnType<SyncService['standing']> {
    return this.#sync.standing();
  }

  counters(): Record<string, number> {
    return {
      ...this.#admission.counters,
      ...this.#telling.counters,
      ...this.#sync.counters,
      ...this.#comparisons.counters,
      ...this.host.counters(),
      ...this.log.counters(),
      linksLost: this.#linksLost,
    };
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#timers.stop();
    this.#connector.stop();
    this.#heartbeat.stop();
    this.#comparisons.stop();
    this.#sync.stop();
    this.#telling.stop();
    await this.host.stop();
  }

  #onUnlink(link: Link): void {
    if (!this.peers.remove(link) || this.#stopped) return;
    const other = this.peers.best(link.peer);
    // The end of a surplus connection changes nothing.
    if (!this.peers.hasDirect(link.peer)) this.#lost(link.peer);
    if (other === undefined) this.#tellPresence(link.peer, {}, 'A member is no longer connected');
    else {
      // Gossip ran on the connection that is gone. Its streams are closed by the next turn of the event loop.
      setImmediate(() => void other.announce(this.peers.protocols(other), this.#options.book.of(link.peer)).catch(() => {}));
    }
    this.#connector.hurry(link.peer);
    this.#options.onChange();
  }

  #lost(peer: PeerKey): void {
    this.#linksLost += 1;
    if (!this.#losses.add(peer)) return;
    this.#options.logger.warn(
      { peer: peerIdOf(peer), ...this.#losses.often(peer) },
      'The connection with a member is lost again and again; see "dtkd doctor". Until that ends, it is not logged each time',
    );
  }

  /** Logs that a member has come or gone; at a lower level while that happens all the time. */
  #tellPresence(peer: PeerKey, fields: object, message: string): void {
    const { logger } = this.#options;
    const line = { peer: peerIdOf(peer), ...fields };
    if (this.#losses.often(peer) === undefined) logger.info(line, message);
    else logger.debug(line, message);
  }

  async #admitted(link: Link, about: HelloAbout): Promise<void> {
    const { book, onChange } = this.#options;
    if (link.closed || this.#stopped) throw new DtkdError('PEER_AWAY', 'the connection closed during hello');
    const address = dialableAddress(link, about.port);
    const announced = parseAddresses(about.addresses);
    book.announced(link.peer, [...announced, ...(address === undefined ? [] : [address])]);
    for (const hint of about.peers) this.#hinted(hint.key, parseAddresses(hint.addresses));
    this.#whereabouts.observedBy(link.peer, about.observed);
    const returned = this.peers.add(link, address, about.protocols, announced);
    // All members share the room for connections, so none may fill it.
    for (const surplus of this.peers.links(link.peer).slice(MAX_LINKS_PER_MEMBER)) surplus.abort('too many connections of one member');
    if (link.closed) return;
    this.peers.heard(link.peer, about.removed);
    await link.announce(about.protocols, book.of(link.peer));
    if (returned) this.#tellPresence(link.peer, { relayed: link.via !== undefined, inbound: link.inbound }, 'A member is connected');
    this.#timers.later(() => this.#closeSurplus(link.peer), SURPLUS_CHECK_MS);
    this.#catchingUp.greeted(link.peer, about.logs);
    this.#connector.connected(link);
    onChange();
  }

  #heard(peer: PeerKey, removals: readonly PeerId[]): void {
    if (this.peers.heard(peer, removals)) this.#options.onChange();
  }

  async #digests(): Promise<Digests> {
    return { logs: await this.#catchingUp.digest(), facts: this.membership.digest() };
  }

  async #exchangeDigests(peer: PeerKey): ReturnType<typeof askDigests> {
    const link = this.peers.best(peer);
    if (link === undefined) throw new DtkdError('PEER_AWAY', 'the member is not connected');
    const compared = await askDigests(link, () => this.#digests());
    // A member that has all facts known here knows of all removals.
    if (compared.theirs.facts === this.membership.digest()) this.#heard(peer, removedIds(this.membership));
    return compared;
  }

  /** True if the member announced the protocol. */
  #speaks(peer: PeerKey, protocol: string): boolean {
    const link = this.peers.best(peer);
    return link !== undefined && this.peers.protocols(link).includes(protocol);
  }

  /** Takes a hint where a member may be. */
  #hinted(key: PeerKey, addresses: readonly Address[]): void {
    if (key === this.membership.self || !this.#state.members.has(key)) return;
    if (this.#options.book.hinted(key, addresses) && !this.peers.hasDirect(key)) this.#connector.hurry(key);
  }

  /** The side with the lower key closes surplus connections; both sides rank them in the same order. */
  #closeSurplus(peer: PeerKey): void {
    if (this.membership.self > peer) return;
    const surplus = this.peers.links(peer).slice(1);
    for (const link of surplus) if (!link.busy) void link.close();
    if (surplus.some(({ busy }) => busy)) this.#timers.later(() => this.#closeSurplus(peer), SURPLUS_CHECK_MS);
  }

  #about(to: Link): Promise<HelloAbout> {
    const { host, port, membership, peers } = this;
    const logs = (): Promise<string> => this.#catchingUp.digest();
    const { book, later } = this.#options;
    return introduce(to, { host, port, membership, book, peers, whereabouts: this.#whereabouts, later, logs });
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
    this.#hearIfAlone();
    this.#connector.wake();
    this.#options.onChange();
  }

  #forget(key: PeerKey): void {
    this.#options.book.forget(key);
    this.#whereabouts.observedBy(key, undefined);
    this.peers.forget(key);
    this.#losses.forget(key);
    this.#try(this.log.dropAuthor(key));
    this.#options.logger.info({ peer: peerIdOf(key) }, 'A member is gone for good; its objects were removed');
  }

  #try(work: Promise<void>): void {
    work.catch((err: unknown) => this.#options.logger.error({ err }, 'A change of membership could not be stored'));
  }
}

function dialableAddress(link: Link, port: number): Address | undefined {
  if (link.remote === undefined) return undefined;
  if (!link.inbound) return link.remote;
  return port === 0 ? undefined : { host: link.remote.host, port };
}
