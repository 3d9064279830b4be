/**
 * Lists and watches over all nodes of this node's domains, on behalf of its own users. Owns what other nodes last answered to each user
 * (rows `f/…` in the database) and the remote watches that keep this current. Guarantees that a list concatenates the nodes' rows in
 * namespace order, with a statement about each node, and that absence deletes nothing. Makes no access decisions: each owner answers under
 * the asker's own rights.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { NodeStatement } from '../../../../protocol/objects/completeness.ts';
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';
import { askerOf, viewText } from './cache/cache-keys.ts';
import { dropUnheld, goneFrom, goneParts } from './cache/gone.ts';
import { Journal, unknownVersion } from './cache/journal.ts';
import { type HeldView, Kept } from './cache/kept.ts';
import type {
  FederatedEvent,
  FederatedList,
  FederatedListRequest,
  FederatedWatchRequest,
  Federation,
  FederationOptions,
  Selectors,
  Tunables,
} from './federation.types.ts';
import { decodeContinue } from './list/continue-token.ts';
import { pagedList } from './list/paged-list.ts';
import { type ListRecord, recordedPage, Walks } from './list/recorder.ts';
import { StatementCounts } from './list/statement-counts.ts';
import { BEGINNING, LocalTurn, type Place } from './list/turn.ts';
import { type Asking, askAll, canShowWhole, wholeList } from './list/whole-list.ts';
import type { PeerNode } from './peer-api.types.ts';
import { federatedSelection } from './selection.ts';
import { Feed } from './watch/feed.ts';
import { follow } from './watch/follow.ts';

const TUNABLES: Tunables = {
  retryMs: 250,
  maxRetryMs: 2_000,
  maxAwayRetryMs: 30_000,
  deniedRetryMs: 15_000,
  lingerMs: 10_000,
  bookmarkMs: 10_000,
};

/** Watches that one user can have open at once. */
const MAX_WATCHES_PER_USER = 64;

interface OpenFeed {
  feed: Feed;
  held: HeldView;
  asker: string;
  linger: NodeJS.Timeout | undefined;
}

/** Opens what earlier runs kept. */
export async function createFederation(options: FederationOptions): Promise<Federation> {
  const { kv, now = Date.now } = options;
  const journal = await Journal.open(kv);
  return new NodesFederation({ ...options, now }, journal, await Kept.open(kv, journal, now));
}

class NodesFederation implements Federation {
  readonly #options: FederationOptions & { now: () => number };
  readonly #journal: Journal;
  readonly #kept: Kept;
  readonly #tunables: Tunables;
  readonly #feeds = new Map<string, Promise<OpenFeed>>();
  readonly #walks = new Map<string, Walks>();
  readonly #watching = new Map<string, number>();
  readonly #stated = new StatementCounts();
  #closed = false;

  constructor(options: FederationOptions & { now: () => number }, journal: Journal, kept: Kept) {
    this.#options = options;
    this.#journal = journal;
    this.#kept = kept;
    this.#tunables = { ...TUNABLES, ...options.tunables };
  }

  isPeer(namespace: string): boolean {
    return namespace !== this.#options.node && this.#options.peers.peerNamed(namespace) !== undefined;
  }

  version(): number {
    return this.#journal.last;
  }

  unasked(namespace: string | undefined, reason: string): NodeStatement[] {
    return this.#peers()
      .filter((peer) => namespace === undefined || peer.namespace === namespace)
      .map((peer) => ({ node: peer.namespace, state: 'unasked', reason }));
  }

  check(kind: Kind, selectors: Selectors): void {
    federatedSelection(kind, selectors);
  }

  async list(request: FederatedListRequest): Promise<FederatedList> {
    const { kind, user, limit, signal } = request;
    const selection = federatedSelection(kind, request, request.namespace);
    const resumed = request.continue === undefined || request.continue === '' ? undefined : decodeContinue(kind, request.continue);
    const held = await this.#kept.hold(user, kind);
    try {
      const { kept } = held;
      const { node, local, peers, logger, now, standing } = this.#options;
      await dropUnheld(kept, goneFrom(peers.peers(), standing));
      const version = this.#ownVersion(resumed?.resourceVersion);
      const record: ListRecord = { entries: 0, untraceable: false };
      const query = { ...selection.forPeers, group: kind.group, plural: kind.plural };
      const ownTurn = (place: Place, at: number) => new LocalTurn(node, place, local, user, { ...query, version: at });
      const asking = this.#asking(request, selection, held, record);
      const isWhole = limit === 0 && request.stale && resumed === undefined;
      if (isWhole && canShowWhole({ leases: kept.leases, parts: kept.parts() }, asking.peers)) {
        const list = await wholeList({
          ...asking,
          own: selection.covers(node) ? { namespace: node, turn: (at) => ownTurn(BEGINNING, at) } : undefined,
          localVersion: () => local.version(),
          record,
        });
        const done = () => {
          for (const statement of list.end().completeness) this.#stated.add(statement);
          held.release();
        };
        return { ...list, batches: released(list.batches, done) };
      }
      const all = this.#peers();
      const ports = { peers, kept, walks: this.#walksOf(kept.view), own: record, logger, now };
      const list = await pagedList({
        kind,
        selection,
        kept,
        resumed,
        peers: all,
        gone: goneParts(kept, goneFrom(all, standing)).map(({ peer }) => peer),
        record,
        fetch: (peer, { continue: next, before }, rows, maxBytes) =>
          // a page that is fetched ahead may arrive after the list has ended
          held.during(
            recordedPage(
              ports,
              peer,
              { ...selection.forPeers, user, kind, limit: rows, continue: next, after: before },
              { timeoutMs: request.timeoutMs, maxBytes, signal },
              { everything: selection.everything, before },
            ),
          ),
        own: selection.covers(node) ? { namespace: node, turn: (place) => ownTurn(place, version) } : undefined,
        version,
        limit,
        stale: request.stale,
        onStatement: (statement) => this.#stated.add(statement),
        now,
      });
      return { ...list, batches: released(list.batches, held.release) };
    } catch (error) {
      held.release();
      throw error;
    }
  }

  async watch(request: FederatedWatchRequest): Promise<AsyncIterable<FederatedEvent>> {
    const { kind, user, signal, resourceVersion = '' } = request;
    const selection = federatedSelection(kind, request, request.namespace);
    const version = resourceVersion === '' || resourceVersion === '0' ? undefined : readVersion(resourceVersion);
    const asker = askerOf(user);
    const watching = this.#watching.get(asker) ?? 0;
    if (watching >= MAX_WATCHES_PER_USER) {
      throw new DtkdError('TOO_MANY_REQUESTS', `${user.display} has ${watching} watches over nodes open here already`, {
        next: 'Close some.',
      });
    }
    this.#watching.set(asker, watching + 1);
    const leave = () => {
      const rest = (this.#watching.get(asker) ?? 1) - 1;
      if (rest === 0) this.#watching.delete(asker);
      else this.#watching.set(asker, rest);
    };
    try {
      const open = await this.#feed(user, kind);
      const from =
        version === undefined ? undefined : { version, note: open.feed.kept.listNote(version), local: this.#journal.localAt(version) };
      const { local, node } = this.#options;
      const { bookmarks, timeoutMs } = request;
      const query = { ...selection.forPeers, group: kind.group, plural: kind.plural };
      const { bookmarkMs } = this.#tunables;
      const refresh = async () => void (await askAll(this.#asking(request, selection, open.held, { entries: 0, untraceable: false })));
      const events = follow({
        feed: open.feed,
        refresh,
        local,
        user,
        node,
        query,
        selection,
        from,
        bookmarks,
        bookmarkMs,
        timeoutMs,
        signal,
      });
      return released(events, () => {
        leave();
        this.#linger(open);
      });
    } catch (error) {
      leave();
      throw error;
    }
  }

  statements(): ReturnType<StatementCounts['of']> {
    return this.#stated.of(this.#options.peers.peers().map((peer) => peer.namespace));
  }

  rightsChanged(namespace: string | undefined): void {
    for (const opening of this.#feeds.values()) void opening.then(({ feed }) => feed.rightsChanged(namespace)).catch(() => undefined);
  }

  async forgetUser(user: Pick<UserPrincipal, 'home' | 'name' | 'uid'>): Promise<void> {
    const asker = askerOf(user);
    for (const [key, opening] of this.#feeds) {
      const open = await opening.catch(() => undefined);
      if (open?.asker === asker) await this.#end(key, open);
    }
    await this.#kept.forget(asker);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const [key, opening] of this.#feeds) {
      const open = await opening.catch(() => undefined);
      if (open !== undefined) await this.#end(key, open);
    }
    await this.#kept.close();
    // without this, the next start takes all versions given so far as lost
    await this.#journal.close().catch(() => undefined);
  }

  /** How to ask the selected peers for everything that is selected. */
  #asking(
    { kind, user, timeoutMs, signal }: FederatedWatchRequest | FederatedListRequest,
    selection: ReturnType<typeof federatedSelection>,
    { kept, during }: HeldView,
    own: ListRecord,
  ): Asking {
    const { peers, logger, now } = this.#options;
    const ports = { peers, kept, walks: this.#walksOf(kept.view), own, logger, now };
    return {
      peers: this.#peers().filter((peer) => selection.covers(peer.namespace)),
      selection,
      kept,
      timeoutMs,
      fetch: (peer, { everything, limit, maxBytes, before, continue: next }) =>
        during(
          recordedPage(
            ports,
            peer,
            { ...(everything ? {} : selection.forPeers), user, kind, limit, continue: next, after: before },
            { timeoutMs, maxBytes, signal },
            { everything, before, keptInstead: (object) => everything || selection.matches(object) },
          ),
        ),
      now,
      signal,
    };
  }

  /** The version of the own store that belongs to a list's version: all pages show the same one, as long as it is known. */
  #ownVersion(listed: string | undefined): number {
    const version = Number(listed ?? Number.NaN);
    return (Number.isSafeInteger(version) ? this.#journal.ownAt(version) : undefined) ?? this.#options.local.version();
  }

  /** In namespace order. */
  #peers(): PeerNode[] {
    return [...this.#options.peers.peers()].sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
  }

  #walksOf(view: { asker: string; group: string; plural: string }): Walks {
    const key = viewText(view);
    const known = this.#walks.get(key) ?? new Walks();
    this.#walks.delete(key);
    this.#walks.set(key, known);
    const [oldest] = this.#walks.keys();
    if (this.#walks.size > MAX_WALKING && oldest !== undefined) this.#walks.delete(oldest);
    return known;
  }

  async #feed(user: UserPrincipal, kind: Kind): Promise<OpenFeed> {
    if (this.#closed) throw new DtkdError('UNAVAILABLE', 'the daemon is stopping', { next: 'Try again later.' });
    const key = viewText({ asker: askerOf(user), group: kind.group, plural: kind.plural });
    let opening = this.#feeds.get(key);
    if (opening === undefined) {
      opening = this.#open(user, kind);
      this.#feeds.set(key, opening);
      opening.catch(() => this.#feeds.delete(key));
    }
    const open = await opening;
    clearTimeout(open.linger);
    // covers the time until the new watch has joined
    this.#linger(open);
    return open;
  }

  async #open(user: UserPrincipal, kind: Kind): Promise<OpenFeed> {
    const held = await this.#kept.hold(user, kind);
    const { peers, logger, standing, now } = this.#options;
    const feed = new Feed({ peers, kept: held.kept, user, kind, logger, tunables: this.#tunables, now, standing });
    return { feed, held, asker: askerOf(user), linger: undefined };
  }

  /** Closes the feed if nobody follows it for a while, so that clients that reconnect find it still running. */
  #linger(open: OpenFeed): void {
    clearTimeout(open.linger);
    open.linger = setTimeout(() => {
      if (open.feed.followers > 0) return;
      for (const [key, opening] of this.#feeds) {
        void opening.then((one) => (one === open && open.feed.followers === 0 ? this.#end(key, open) : undefined)).catch(() => undefined);
      }
    }, this.#tunables.lingerMs);
    open.linger.unref();
  }

  async #end(key: string, open: OpenFeed): Promise<void> {
    clearTimeout(open.linger);
    this.#feeds.delete(key);
    await open.feed.close();
    open.held.release();
  }
}

/** Views for which the progress of lists is remembered. */
const MAX_WALKING = 256;

/** Calls back once when reading ends, for whatever reason. A generator that was never started would not run its `finally`. */
async function* release<T>(source: AsyncIterable<T>, done: () => void): AsyncGenerator<T> {
  try {
    yield* source;
  } finally {
    done();
  }
}

function released<T>(source: AsyncIterable<T>, done: () => void): AsyncIterable<T> {
  let begun = false;
  let over = false;
  const once = () => {
    if (!over) done();
    over = true;
  };
  const inner = release(source, once);
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        begun = true;
        return inner.next();
      },
      return: async () => {
        if (!begun) once();
        return inner.return(undefined);
      },
    }),
  };
}

function readVersion(text: string): number {
  if (!/^\d{1,20}$/.test(text)) {
    throw new DtkdError('BAD_REQUEST', `resourceVersion "${text.slice(0, 80)}" is not a decimal number`, {
      next: 'Use the resourceVersion of a list, unchanged.',
    });
  }
  const version = Number(text);
  if (!Number.isSafeInteger(version)) throw unknownVersion(text);
  return version;
}
