/**
 * The logs of one domain: a facade over this node's own log, the replicas of the others, and what others have of ours. Work on one author
 * runs in turn; different authors do not wait for each other. Calls resolve only after their result is durable. Knows nothing of the
 * network.
 */
import { DtkdError, type ErrorCode } from '../../../../protocol/errors.ts';
import { type DomainId, type PeerKey, parsePeerKey } from '../../../../protocol/ids.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import { compareEpochs, parseEntry } from '../../../../protocol/log/log-entry.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import { Counters } from '../../counting/counters.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { prefixEnd } from '../../store/kv.ts';
import type { Change, ObjectStore, Transaction } from '../../store/object-store.types.ts';
import { adopt } from './adoption.ts';
import type { WorkLimits } from './allowances.ts';
import { asksOf, headsOf, isAhead, ownHeads, readMissing } from './catch-up.ts';
import type { DocCache } from './doc-cache.ts';
import { Elsewhere } from './elsewhere.ts';
import { COLLISION_RETRY_MAX_MS, COLLISION_RETRY_MS, MAX_PENDING_ENTRIES, REUNION_CHECK_MS } from './limits.ts';
import type { Authors, DomainLog, Head, ReceiveResult } from './log.types.ts';
import { mergeStates, type Side } from './merge.ts';
import { keyOfOwn, refOfKey } from './object-place.ts';
import { OwnLog, type Pending } from './own-log.ts';
import { ownShared, publishedOf } from './own-objects.ts';
import type { Difference } from './own-state.ts';
import { parseKey, parsePublished } from './published-object.ts';
import { Replicas } from './replicas.ts';
import { Retries } from './retries.ts';
import { Reunion } from './reunion.ts';
import { type AuthorState, authorPrefix, domainPrefix, forkRow, NOTHING, readAuthors, type Track } from './rows.ts';
import { Serial } from './serial.ts';

export interface DomainLogOptions {
  domain: DomainId;
  name: string;
  /** Version of dtkd. */
  version: string;
  self: SigningKey;
  authors: Authors;
  store: ObjectStore;
  cache: DocCache;
  logger: Logger;
  now: () => number;
  /** Work that one author may cause. Default: see `Allowances`. */
  work?: WorkLimits | undefined;
  /** Called when the log stops taking anything. */
  onClosed: () => void;
  /** True if this node was restored from a backup and has yet to hear from members: it publishes nothing until then. */
  awaiting: boolean;
  /** Called once it has heard. */
  onReunited: () => Promise<void>;
  /** Called in the transaction that takes in what this node had published and its disk did not have. */
  onRestored: (tx: Transaction) => void;
}

export class StoredDomainLog implements DomainLog {
  readonly domain: DomainId;
  readonly own: OwnLog;
  readonly #options: DomainLogOptions;
  readonly #self: PeerKey;
  readonly #replicas: Replicas;
  readonly #elsewhere: Elsewhere;
  readonly #counters = new Counters();
  readonly #serial = new Serial();
  readonly #unshown: Retries;
  readonly #entryListeners = new Set<(entry: Uint8Array) => void>();
  readonly #forkListeners = new Set<(author: PeerKey, proof: Uint8Array) => void>();
  readonly #conditionListeners = new Set<() => void>();
  /** Fork proofs that an earlier process found and perhaps did not report. */
  readonly #proofs = new Map<PeerKey, Uint8Array>();
  #reunion: Reunion | undefined;
  #others: () => Iterable<PeerKey> = () => [];
  #reuniting: NodeJS.Timeout | undefined;
  #unreadable = false;
  #wasSuspended = false;
  #closed = false;

  constructor(options: DomainLogOptions) {
    const { domain, name, self, store, logger, now } = options;
    const counters = this.#counters;
    this.#options = options;
    this.domain = domain;
    this.#self = self.publicKey;
    this.#reunion = options.awaiting ? new Reunion() : undefined;
    this.own = new OwnLog({ domain, key: self, now, onEntry: (entry) => this.#tellEntry(entry.bytes) });
    this.#unshown = new Retries({
      run: (author) => this.refreshAuthor(parsePeerKey(author)),
      firstMs: COLLISION_RETRY_MS,
      maxMs: COLLISION_RETRY_MAX_MS,
    });
    this.#replicas = new Replicas({
      ...options,
      counters,
      onFork: (author, proof) => this.#tellFork(author, proof),
      onCollision: (author) => this.#unshown.schedule(author),
    });
    this.#elsewhere = new Elsewhere({
      own: this.own,
      name,
      store,
      logger,
      counters,
      onFork: (proof) => this.#tellFork(this.#self, proof),
      onCondition: () => {
        for (const listener of this.#conditionListeners) this.#guard(listener);
      },
      takeOver: (theirs) => this.#takeOver(theirs),
      run: (task) => this.#serial.run(this.#self, task),
    });
  }

  /** Reads what earlier processes stored. Call it once, before anything else. */
  async load(): Promise<void> {
    const { store } = this.#options;
    for (const [author, state] of await readAuthors(store.kv, this.domain)) {
      const prefix = authorPrefix(this.domain, author);
      if (state === undefined) await store.transact(async (tx) => tx.clearRows(`${prefix}e/`, `${prefix}e0`));
      if (author !== this.#self) this.#replicas.states.set(author, state ?? NOTHING);
      else if (state?.shown !== undefined) await this.#loadOwn(state.shown);
      const proof = await store.kv.get(forkRow(prefix));
      if (proof !== undefined) this.#proofs.set(author, proof);
    }
  }

  /** Loads the own log. One that cannot be read is marked, so that it is written anew from the store. */
  async #loadOwn(track: Track): Promise<void> {
    const { store, logger } = this.#options;
    try {
      await this.own.load(store.kv, track);
    } catch (error) {
      if (!(error instanceof DtkdError) || error.code !== 'ENTRY_INVALID') throw error;
      this.own.follow(track);
      this.#unreadable = true;
      logger.error({ err: error }, "This node's own log cannot be read, and is written again");
    }
  }

  /**
   * Makes what is shown here agree with the membership, in case an earlier process did not get to it, or another version read the logs
   * differently.
   */
  async settleAuthors(): Promise<void> {
    const { authors, logger } = this.#options;
    for (const author of [...this.#replicas.states.keys()]) {
      if (!authors.isMember(author)) await this.dropAuthor(author);
      else if (await this.#replicas.isMisplaced(author)) await this.refreshAuthor(author);
      else if (this.#replicas.isOutdated(author)) {
        // An upgrade may rewrite much; a lack of disk space for that must not keep the domain closed.
        await this.refreshAuthor(author).catch((err: unknown) => {
          logger.warn({ err, author }, 'The objects of a member could not be read again yet after an upgrade');
          this.#unshown.schedule(author);
        });
      }
    }
  }

  /** Publishes what the store holds for this domain and the log lacks, and retracts what the store no longer holds. */
  async publishPresent(): Promise<void> {
    if (this.isAwaiting()) return;
    const refs = await this.#ownRefs();
    await this.#append(async (tx) => {
      const changes = await this.#unpublished(tx, refs);
      const spoilt = this.#unreadable || this.#isSpoilt();
      if (changes.size === 0 && !spoilt) return undefined;
      this.own.state.assertFits(changes);
      if (spoilt) this.own.closeEpoch();
      return this.own.append(tx, changes);
    });
    this.#unreadable = false;
  }

  #ownRefs(): Promise<Map<string, ObjectRef>> {
    const { store, authors } = this.#options;
    return ownShared(store, authors.namespaceOf(this.#self));
  }

  /** The differences between our objects in the store and in the log. */
  async #unpublished(tx: Transaction, refs: ReadonlyMap<string, ObjectRef>): Promise<Difference> {
    const { name, authors, logger } = this.#options;
    const self = authors.namespaceOf(this.#self);
    const wanted = new Map<string, ApiObject | undefined>();
    for (const key of [...refs.keys(), ...this.own.state.keys()]) {
      const parsed = parseKey(key);
      // Objects that only a later version knows or can read stay as they were published.
      if (parsed === undefined || kindByPlural(parsed.group, parsed.plural)?.shared !== true) continue;
      const ref = refs.get(key) ?? refOfKey(parsed, self);
      try {
        const published = this.own.state.all().get(key)?.value;
        if (!refs.has(key) && published !== undefined && parsePublished(key, published, name) === undefined) continue;
        wanted.set(key, (await tx.originOf(ref)) === 'own' ? publishedOf(parsed, await tx.get(ref), name) : undefined);
      } catch (error) {
        logger.warn({ err: error, object: key }, 'An object cannot be shared into the domain');
      }
    }
    return this.own.state.difference(wanted);
  }

  /** True if our present epoch is void for everybody, because we were suspended for a fork in it. */
  #isSpoilt(): boolean {
    const forked = this.#options.authors.forkedEpoch?.(this.#self);
    const head = this.own.history.head;
    if (forked !== undefined) this.own.noteEpoch(forked);
    return forked !== undefined && head !== undefined && compareEpochs(head.epoch, forked) <= 0;
  }

  /** What a transaction changes in the objects published here. Throws to refuse the transaction. */
  plan(changes: readonly Change[]): Difference {
    const { name, authors } = this.#options;
    // Published with everything else once this node knows what it had published before.
    if (this.isAwaiting()) return new Map();
    const self = authors.namespaceOf(this.#self);
    const wanted = new Map<string, ApiObject | undefined>();
    for (const { ref, type, object, origin } of changes) {
      if (origin !== 'own' || kindByPlural(ref.group, ref.plural)?.shared !== true) continue;
      const key = keyOfOwn(ref, self);
      if (key !== undefined) wanted.set(key, publishedOf(ref, type === 'DELETED' ? undefined : object, name));
    }
    const difference = this.own.state.difference(wanted);
    if (difference.size === 0) return difference;
    if (this.#elsewhere.condition() !== undefined) {
      throw new DtkdError('KEY_IN_USE_ELSEWHERE', `Another process writes into the domain "${name}" with this node's key`, {
        next: 'Stop the copy of this data directory, then restart this daemon; or leave the domain and join it again.',
      });
    }
    this.own.state.assertFits(difference);
    return difference;
  }

  /** Runs a transaction that appends to the own log. */
  async #append(run: (tx: Transaction) => Promise<Pending | undefined>): Promise<void> {
    let pending: Pending | undefined;
    const settle = (durable: boolean): void => {
      if (pending !== undefined) this.own.settle(pending, durable);
    };
    const written = this.#options.store.transact(async (tx) => {
      pending = await run(tx);
    });
    await written.then(
      () => settle(true),
      (error: unknown) => {
        settle(false);
        throw error;
      },
    );
  }

  async #takeOver(theirs: Side): Promise<void> {
    const { name, authors } = this.#options;
    const refs = this.isAwaiting() ? await this.#ownRefs() : undefined;
    await this.#append(async (tx) => {
      // Changes made here since the restore are not published yet.
      const held = refs === undefined ? new Map() : this.own.state.contentOf(await this.#unpublished(tx, refs));
      const ours = { objects: this.own.state.copy().apply(held).published(), history: this.own.history };
      const merged = mergeStates(ours, theirs);
      const state = await adopt(tx, { ours: ours.objects, merged, domain: name, namespace: authors.namespaceOf(this.#self) });
      const changes = this.own.state.differenceTo(state);
      this.own.state.assertFits(changes);
      this.#options.onRestored(tx);
      return this.own.append(tx, changes, theirs.history);
    });
  }

  isAwaiting(): boolean {
    return this.#reunion !== undefined;
  }

  heard(from: PeerKey, others: () => Iterable<PeerKey>): void {
    if (this.#reunion === undefined || this.#closed) return;
    this.#others = others;
    this.#reunion.heard(from, performance.now());
    this.#reuniting ??= setInterval(() => this.#reunite(), REUNION_CHECK_MS).unref();
    this.#reunite();
  }

  #reunite(): void {
    if (this.#reunion === undefined || !this.#reunion.isOver(this.#others(), performance.now(), this.#elsewhere)) return;
    clearInterval(this.#reuniting);
    const { logger, onReunited } = this.#options;
    logger.info({ members: this.#reunion.size }, 'After the restore this node knows what it did since the backup, as far as members told');
    this.#reunion = undefined;
    for (const listener of this.#conditionListeners) this.#guard(listener);
    onReunited().catch((err: unknown) => logger.error({ err }, 'It could not be stored that this node has heard from members'));
  }

  async receive(bytes: Uint8Array): Promise<ReceiveResult> {
    if (this.#closed) return 'known';
    try {
      const entry = parseEntry(bytes);
      if (entry.domain !== this.domain) throw new DtkdError('ENTRY_INVALID', 'a log entry is refused: it belongs to another domain');
      // Refused entries come again by sync. So a flood waits in its author's log, not in our memory or ahead of other authors.
      const full = this.#serial.waiting(entry.author) >= MAX_PENDING_ENTRIES || !this.#replicas.mayCome(entry.author);
      const take = (): Promise<ReceiveResult> =>
        entry.author === this.#self ? this.#elsewhere.receive(entry) : this.#replicas.receive(entry);
      const result = full ? 'gap' : await this.#serial.run(entry.author, take);
      this.#counters.add(full ? 'delayed' : result);
      return result;
    } catch (error) {
      this.#counters.add('refused');
      throw error;
    }
  }

  async heads(): Promise<Head[]> {
    return this.#headsBy(headsOf);
  }

  async asks(): Promise<Head[]> {
    return this.#headsBy(asksOf);
  }

  #headsBy(of: (author: PeerKey, state: AuthorState) => Head[]): Head[] {
    const { collected, wanted } = this.#elsewhere;
    const heads = ownHeads(this.#self, this.own.durableHead?.track, collected, wanted);
    for (const author of this.#replicas.states.keys()) heads.push(...of(author, this.#replicas.stateOf(author)));
    return heads;
  }

  async missing(theirs: readonly Head[], maxBytes: number): Promise<Uint8Array[]> {
    for (const head of theirs) if (head.author === this.#self) this.#elsewhere.lacks(head);
    const authors = [...this.#served()].map(([author, state]) => ({ author, state, prefix: authorPrefix(this.domain, author) }));
    return readMissing(this.#options.store.kv, authors, theirs, maxBytes);
  }

  *#served(): Iterable<[PeerKey, AuthorState]> {
    const own = this.own.durableHead?.track;
    if (own !== undefined) yield [this.#self, { ...NOTHING, shown: own }];
    const { authors } = this.#options;
    for (const author of this.#replicas.states.keys()) {
      if (authors.isMember(author) && !authors.isSuspended(author)) yield [author, this.#replicas.stateOf(author)];
    }
  }

  async isBehind(theirs: readonly Head[]): Promise<boolean> {
    const { authors } = this.#options;
    let behind = false;
    for (const head of theirs) {
      if (head.author === this.#self) behind = this.#elsewhere.lacks(head) || behind;
      else if (authors.isMember(head.author) && !authors.isSuspended(head.author)) {
        const state = this.#replicas.stateOf(head.author);
        behind ||= isAhead(head, state, state.barrier);
      }
    }
    return behind;
  }

  onOwnEntry(listener: (entry: Uint8Array) => void): () => void {
    this.#entryListeners.add(listener);
    return () => this.#entryListeners.delete(listener);
  }

  onFork(listener: (author: PeerKey, proof: Uint8Array) => void): () => void {
    this.#forkListeners.add(listener);
    queueMicrotask(() => {
      for (const [author, proof] of this.#proofs) if (this.#forkListeners.has(listener)) listener(author, proof);
    });
    return () => this.#forkListeners.delete(listener);
  }

  onCondition(listener: () => void): () => void {
    this.#conditionListeners.add(listener);
    return () => this.#conditionListeners.delete(listener);
  }

  #tellEntry(entry: Uint8Array): void {
    this.#counters.add('written');
    for (const listener of this.#entryListeners) this.#guard(() => listener(entry));
  }

  #tellFork(author: PeerKey, proof: Uint8Array): void {
    this.#options.logger.warn({ author }, 'An author signed two different histories');
    for (const listener of this.#forkListeners) this.#guard(() => listener(author, proof));
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.logger.error({ err: error }, 'A listener of a log failed');
    }
  }

  dropAuthor(key: PeerKey): Promise<void> {
    if (key === this.#self) return Promise.resolve();
    return this.#serial.run(key, () => this.#replicas.drop(key));
  }

  refreshAuthor(key: PeerKey): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return this.#serial.run(key, () => (key === this.#self ? this.#refreshOwn() : this.#replicas.refresh(key)));
  }

  /** After a clearance, publishes everything again in an epoch above the forked one. */
  async #refreshOwn(): Promise<void> {
    const suspended = this.#options.authors.isSuspended(this.#self);
    if (!suspended && !this.isAwaiting() && (this.#wasSuspended || this.#isSpoilt())) {
      this.own.closeEpoch();
      await this.#append(async (tx) => this.own.append(tx, new Map()));
    }
    this.#wasSuspended = suspended;
  }

  async drop(): Promise<void> {
    await this.close();
    for (const author of [...this.#replicas.states.keys()]) await this.#replicas.drop(author);
    const prefix = domainPrefix(this.domain);
    await this.#options.store.transact(async (tx) => tx.clearRows(prefix, prefixEnd(prefix)));
  }

  /** Stops taking anything, and waits for what is under way. */
  async close(): Promise<void> {
    if (!this.#closed) this.#options.onClosed();
    this.#closed = true;
    clearInterval(this.#reuniting);
    this.#elsewhere.stop();
    this.#unshown.stop();
    await this.#serial.idle();
  }

  condition(): ErrorCode | undefined {
    return this.#elsewhere.condition();
  }

  counters(): Record<string, number> {
    return this.#counters.all();
  }
}
