/**
 * This node's own log as others have it: entries signed with our key that our present state lacks, because our disk was restored from a
 * backup or copied. Collects them from the peers, merges that state with ours, writes the result into the object store as own objects and
 * opens a new epoch above both. An epoch that this process did not open, but that builds on one that it did, proves that another process
 * writes with our key. It is merged too, so that the other process gets the same proof; then this node reports it and publishes nothing
 * more. Collected entries stay in memory: the peers have them until our new epoch contains them.
 */
import { DtkdError, type ErrorCode } from '../../../../protocol/errors.ts';
import {
  compareEpochs,
  type Epoch,
  forkProof,
  type LogEntry,
  MAX_LINEAGE,
  NO_ENTRY,
  type Point,
  parseEntry,
  verifyEntry,
} from '../../../../protocol/log/log-entry.ts';
import type { Counters } from '../../counting/counters.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import { AuthorDoc } from './author-doc.ts';
import { MAX_EPOCH_BYTES, TAKE_OVER_QUIET_MS, TAKE_OVER_RETRY_MS, WANTED_MS } from './limits.ts';
import { contains } from './lineage.ts';
import type { Head, ReceiveResult } from './log.types.ts';
import type { Side } from './merge.ts';
import type { OwnLog } from './own-log.ts';
import { parsePublished, readPublished } from './published-object.ts';
import { readDoc } from './replicas.ts';
import { entryRow, pointOf, type Track } from './rows.ts';

export interface ElsewhereOptions {
  own: OwnLog;
  /** The domain's name in the selectors of objects. */
  name: string;
  store: ObjectStore;
  logger: Logger;
  counters: Counters;
  onFork: (proof: Uint8Array) => void;
  onCondition: () => void;
  /** Merges the collected state with ours, durably. */
  takeOver: (theirs: Side) => Promise<void>;
  /** Runs a task after all that is under way for our own log. */
  run: (task: () => Promise<void>) => Promise<void>;
}

/** The part of an epoch written elsewhere with our key that is here. */
interface Collected {
  track: Track;
  lineage: readonly Point[];
  doc: AuthorDoc;
}

export class Elsewhere {
  readonly #options: ElsewhereOptions;
  #collected: Collected | undefined;
  /** The furthest point of our own log that a peer has and we lack, and until when we wait for it. */
  #wanted: { point: Point; until: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #condition: ErrorCode | undefined;
  /** How far each epoch has ever been collected, including abandoned ones: what comes again is not new. */
  readonly #furthest = new Map<string, number>();
  #gainedAt = 0;

  constructor(options: ElsewhereOptions) {
    this.#options = options;
  }

  condition(): ErrorCode | undefined {
    return this.#condition;
  }

  /** True if no state of our own log is known that we have not taken in. */
  get isQuiet(): boolean {
    const { own } = this.#options;
    if (this.#collected !== undefined) return false;
    const wanted = this.#wanted;
    return wanted === undefined || performance.now() > wanted.until || contains(own.durableHistory, wanted.point);
  }

  /** True if all of such a state is here and only needs to be stored. */
  get isWhole(): boolean {
    return this.#collected?.track.opened === true;
  }

  /** When an own entry last arrived that had never arrived before. Milliseconds on a monotonic clock. */
  get gainedAt(): number {
    return this.#gainedAt;
  }

  /** How far the epoch being collected has come. */
  get collected(): Track | undefined {
    return this.#collected?.track;
  }

  /** The epoch we wait for, if it is below our present one: peers send it only when asked. */
  get wanted(): Epoch | undefined {
    const { own } = this.#options;
    const head = own.durableHead;
    if (this.#wanted === undefined || head === undefined || performance.now() > this.#wanted.until) return undefined;
    const { epoch } = this.#wanted.point;
    return compareEpochs(epoch, head.track.epoch) < 0 ? epoch : undefined;
  }

  /** Takes note of an own head that a peer has. Returns true if we lack something of it. */
  lacks(head: Head): boolean {
    const { own } = this.#options;
    const point = { epoch: head.epoch, seq: head.seq };
    if (this.#condition !== undefined || contains(own.durableHistory, point)) return false;
    this.#wanted = { point, until: performance.now() + WANTED_MS };
    const track = this.#collected?.track;
    return track === undefined || compareEpochs(track.epoch, point.epoch) !== 0 || track.seq < point.seq;
  }

  /** Takes an entry signed with our key. Calls must not overlap. */
  async receive(entry: LogEntry): Promise<ReceiveResult> {
    const { own, store } = this.#options;
    const point = { epoch: entry.epoch, seq: entry.seq };
    const { head } = own.history;
    if (head !== undefined && compareEpochs(head.epoch, entry.epoch) === 0 && entry.seq <= head.seq) {
      const bytes = await store.kv.get(entryRow(own.prefix, point));
      return bytes === undefined ? 'known' : this.#compare(parseEntry(bytes), entry);
    }
    if (!this.#lacksEntry(entry)) return 'known';
    verifyEntry(entry, entry.domain);
    own.noteEpoch(entry.epoch);
    if (!this.#collects(entry.epoch) && this.#collected?.track.opened) {
      // A complete state is taken in before it is forgotten.
      await this.#finish();
      if (!this.#lacksEntry(entry)) return 'known';
    }
    if (!this.#collects(entry.epoch) && !(await this.#begin(entry))) return 'gap';
    return this.#add(entry);
  }

  #collects(epoch: Epoch): boolean {
    return this.#collected !== undefined && compareEpochs(this.#collected.track.epoch, epoch) === 0;
  }

  #lacksEntry(entry: LogEntry): boolean {
    const known = contains(this.#options.own.history, { epoch: entry.epoch, seq: entry.seq });
    return this.#condition === undefined && (!known || this.#needs(entry));
  }

  /** True if the entry is of an epoch of which we have only a part: what we lack of it builds on what we have. */
  #needs(entry: LogEntry): boolean {
    const wanted = this.#wanted?.point;
    return wanted !== undefined && compareEpochs(wanted.epoch, entry.epoch) === 0 && !contains(this.#options.own.history, wanted);
  }

  #compare(ours: LogEntry, theirs: LogEntry): ReceiveResult {
    if (ours.hash === theirs.hash) return 'known';
    verifyEntry(theirs, theirs.domain);
    this.#options.counters.add('forks');
    this.#options.onFork(forkProof(ours, theirs));
    return 'forked';
  }

  /** Starts to collect the epoch of `entry`, if `entry` can be the first entry of it that we lack. */
  async #begin(entry: LogEntry): Promise<boolean> {
    const { own, store } = this.#options;
    if (entry.seq === 0) {
      const track = { epoch: entry.epoch, seq: -1, hash: NO_ENTRY, opened: false, bytes: 0 };
      this.#collected = { track, lineage: entry.lineage, doc: new AuthorDoc(entry.epoch) };
      return true;
    }
    // Our own last epoch continues: the disk is older than what the peers have.
    const head = own.durableHead;
    if (head === undefined || compareEpochs(head.track.epoch, entry.epoch) !== 0 || entry.seq !== head.track.seq + 1) return false;
    own.closeEpoch();
    this.#collected = { track: head.track, lineage: head.lineage, doc: await readDoc(store.kv, own.prefix, head.track) };
    return true;
  }

  #add(entry: LogEntry): ReceiveResult {
    const collected = this.#collected;
    if (collected === undefined) return 'gap';
    const { track, doc } = collected;
    if (entry.seq <= track.seq) return 'known';
    if (entry.seq > track.seq + 1 || entry.prev !== track.hash) return 'gap';
    if (entry.open === track.opened) throw refuse('its opening is not where it should be');
    const bytes = track.bytes + entry.bytes.length;
    if (bytes > MAX_EPOCH_BYTES) throw new DtkdError('QUOTA_EXCEEDED', `an epoch of more than ${MAX_EPOCH_BYTES} bytes`);
    const judged = doc.judge(entry.update);
    for (const [key, value] of judged.values) if (value !== undefined) parsePublished(key, value, this.#options.name);
    doc.integrate(judged);
    collected.track = { epoch: track.epoch, seq: entry.seq, hash: entry.hash, opened: track.opened || entry.openEnd, bytes };
    this.#noteGain(entry);
    this.#finishSoon(collected.track);
    return 'applied';
  }

  #noteGain({ epoch, seq }: Point): void {
    const key = `${epoch.ms}/${epoch.random}`;
    const before = this.#furthest.get(key);
    if (before === undefined ? this.#furthest.size >= MAX_LINEAGE : before >= seq) return;
    this.#furthest.set(key, seq);
    this.#gainedAt = performance.now();
  }

  /** Takes the state in at once if it is all that was seen elsewhere; otherwise once nothing more has come for a while. */
  #finishSoon(track: Track): void {
    if (!track.opened) return;
    const wanted = this.#wanted?.point;
    const whole = wanted !== undefined && compareEpochs(wanted.epoch, track.epoch) === 0 && track.seq >= wanted.seq;
    this.#finishIn(whole ? 0 : TAKE_OVER_QUIET_MS);
  }

  #finishIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const { run, logger } = this.#options;
    this.#timer = setTimeout(() => {
      run(() => this.#finish()).catch((error: unknown) => {
        logger.warn({ err: error }, "This node's own objects that a peer still has could not be taken over yet");
        this.#finishIn(TAKE_OVER_RETRY_MS);
      });
    }, ms);
    this.#timer.unref();
  }

  async #finish(): Promise<void> {
    clearTimeout(this.#timer);
    const collected = this.#collected;
    if (collected === undefined || !collected.track.opened || this.#condition !== undefined) return;
    const { track, lineage, doc } = collected;
    const { counters, logger, own, takeOver } = this.#options;
    // A state that is merely old never builds on an epoch that this process opened, however late or in however many pieces it comes.
    const isFollowed = !own.opened(track.epoch) && lineage.some(({ epoch }) => own.opened(epoch));
    try {
      await takeOver({ objects: objectsOf(doc), history: { head: pointOf(track), lineage } });
    } finally {
      if (isFollowed) this.#stopPublishing();
    }
    counters.add('takeOvers');
    logger.warn({ epoch: track.epoch }, 'This node took over a state of its own that a peer still had: was the disk restored or copied?');
    this.#forget();
  }

  #stopPublishing(): void {
    this.#condition = 'KEY_IN_USE_ELSEWHERE';
    this.#forget();
    this.#options.logger.error({}, "Another process writes with this node's key; nothing more is published into this domain");
    this.#options.onCondition();
  }

  #forget(): void {
    this.#collected = undefined;
    this.#wanted = undefined;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

function objectsOf(doc: AuthorDoc): Side['objects'] {
  return new Map(
    [...doc.entries()].flatMap(([key, value]) => {
      const published = readPublished(value);
      return published === undefined ? [] : [[key, published]];
    }),
  );
}

function refuse(why: string): DtkdError {
  return new DtkdError('ENTRY_INVALID', `a log entry is refused: ${why}`);
}
