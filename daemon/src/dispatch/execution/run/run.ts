/**
 * One running execution that this node started: gives its targets their turns, collects their outcomes, keeps its Execution object up to
 * date, and informs followers. Guarantees that a target is told only once it is durable that it may be, and that a finished object
 * changes only if something unknown is found out.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { ExecutionPhase } from '../../../../../protocol/orders/words.ts';
import type { Logger } from '../../../logging/logger.types.ts';
import { inBatches } from '../../plan/batches.ts';
import type { Batch, Stage } from '../../plan/plan.types.ts';
import { Bell } from '../bell.ts';
import { statusOf, withStatus } from '../execution-object.ts';
import type { AbortAnswer } from '../executions.types.ts';
import { MAX_NOTES, type Timing } from '../limits.ts';
import type { Collected } from '../output/collected.ts';
import type { CarriedAnswer } from '../part/carried-conversation.ts';
import type { PartDriver } from '../part/part-driver.ts';
import { isFailure } from '../part/verdict.ts';
import { Notes } from '../views/notes.ts';
import type { Note, View } from '../views/view.types.ts';
import { Saving } from './saving.ts';
import { runSequence } from './sequence.ts';
import { Tally } from './tally.ts';

export interface RunOptions {
  id: string;
  object: ApiObject;
  startedAt: number;
  finishedAt?: number;
  message?: string;
  stages: readonly Stage[];
  batch: Batch | undefined;
  pauseOnFailure: boolean;
  /** Makes the driver of a part; `on` is told of its changes. */
  parts: readonly {
    stage: number;
    collected: Collected;
    driver(on: { change(what: 'state' | 'output'): void; note(note: Note): void }): PartDriver;
  }[];
  /** Makes durable that parts with an index below `upTo` may have been told. */
  mark(upTo: number): Promise<void>;
  /** Stores the object. `open`: there is still something to be done for it. */
  save(object: ApiObject, open: boolean): Promise<void>;
  /** Called once, when all parts have ended. */
  finished(parts: readonly Part[]): void;
  /** Milliseconds since the epoch: a part that is `unknown` then stays so. */
  settleUntil: number;
  timing: Timing;
  now(): number;
  logger: Logger;
}

export class Run implements View {
  readonly id: string;
  readonly #options: RunOptions;
  readonly #drivers: PartDriver[];
  #startedAt: number;
  #object: ApiObject;
  readonly #notes = new Notes(MAX_NOTES);
  readonly #listeners = new Set<(index?: number) => void>();
  #phase: ExecutionPhase = 'Running';
  #finishedAt: number | undefined;
  #message: string | undefined;
  #marked = 0;
  #aborted = false;
  #closed = false;
  /** All targets have had their turns. */
  #started = false;
  /** The pause or the end is durable, or storing it was tried. */
  #stored = false;
  readonly #states = new Bell();
  readonly #tally = new Tally();
  #resume: ((go: boolean) => void) | undefined;
  /** How often it has paused. */
  #pauses = 0;
  #lostTimer: NodeJS.Timeout | undefined;
  readonly #saving: Saving;

  constructor(options: RunOptions) {
    this.id = options.id;
    this.#options = options;
    this.#object = options.object;
    this.#startedAt = options.startedAt;
    this.#finishedAt = options.finishedAt;
    this.#message = options.message;
    if (options.finishedAt !== undefined) this.#phase = 'Finished';
    this.#saving = new Saving({
      id: options.id,
      save: () => options.save(this.object(), this.#phase !== 'Finished' || this.#isUnsettled()),
      timing: options.timing,
      logger: options.logger,
    });
    this.#drivers = options.parts.map(({ driver }, index) =>
      driver({ change: (what) => this.#partChanged(index, what), note: (note) => this.#note(note) }),
    );
    for (const [index, { part }] of this.#drivers.entries()) this.#tally.set(index, part.state);
  }

  /** Sets the start of an execution that may have been made ahead. Returns the object to be stored first. */
  begins(at: number): ApiObject {
    this.#startedAt = at;
    return this.object();
  }

  /** Takes the object with what the store has added. */
  isStored(object: ApiObject): void {
    this.#object = object;
  }

  /** Runs everything. `marked` is as of `mark`, already durable. Resolves when nothing is left to be found out; never rejects. */
  async run(marked: number): Promise<void> {
    this.#marked = marked;
    try {
      await runSequence({
        stages: this.#options.stages.map((stage, at) => ({ stage, indexes: this.#indexesOf(at) })),
        batch: this.#options.batch,
        pauseOnFailure: this.#options.pauseOnFailure,
        mark: (indexes) => this.#mark(indexes),
        turn: (index) => this.#turn(index),
        leaveOut: (indexes) => this.#dismiss(indexes, 'stopped'),
        pause: () => this.#pause(),
        stopped: () => this.#aborted || this.#closed,
        note: (event, text) => this.#note({ event, text }),
      });
    } catch (error) {
      this.#options.logger.warn({ err: error, id: this.id }, 'An execution could not go on');
      this.#message = error instanceof DtkdError ? `it could not go on: ${error.message}` : 'it could not go on';
      this.#dismiss(this.#drivers.keys(), 'stopped');
    }
    if (this.#aborted) this.#dismiss(this.#drivers.keys(), 'aborted');
    await this.#toTheEnd();
  }

  /** How many parts may be told at once: those of the first batch. To be made durable before `run`. */
  firstWave(): number {
    const [first] = inBatches(this.#indexesOf(0), this.#options.batch);
    return Math.max(-1, ...(first ?? [])) + 1;
  }

  /**
   * Connects to the targets whose turn comes as soon as `run` is called. Nothing starts until then. If `ready`, they make their orders
   * ready.
   */
  approach(ready = false): void {
    const [stage] = this.#options.stages;
    const [first] = inBatches(this.#indexesOf(0), this.#options.batch);
    for (const index of first?.slice(0, stage?.threads) ?? []) this.#drivers[index]?.approach(ready);
  }

  /** False if nothing more can be found out. */
  worthTakingUp(now: number): boolean {
    return this.#phase !== 'Finished' || (this.#isUnsettled() && now < this.#options.settleUntil);
  }

  /** Goes on with parts whose targets an earlier daemon may have told; the others are not told any more. */
  async takeUp(marked: number): Promise<void> {
    for (const [index, driver] of this.#drivers.entries()) {
      if (driver.part.state === 'waiting' && index >= marked) driver.dismiss('restarted');
      else driver.resume();
    }
    await this.#toTheEnd();
  }

  object(): ApiObject {
    const status = statusOf({
      phase: this.#phase,
      parts: this.#drivers.map((driver) => withOffset(driver)),
      startedAt: this.#startedAt,
      finishedAt: this.#finishedAt,
      message: this.#message,
      pauses: this.#pauses,
    });
    return withStatus(this.#object, status);
  }

  indexes(): Iterable<number> {
    return this.#drivers.keys();
  }

  part(index: number): Part | undefined {
    return this.#drivers[index]?.part;
  }

  phase(): ExecutionPhase {
    return this.#phase;
  }

  resting(): boolean {
    if (this.#phase !== 'Running') return this.#stored;
    // queued parts may wait for days; without any, the execution is over soon
    const queued = this.#tally.count('queued');
    return this.#started && queued > 0 && queued + this.#tally.count('ended') === this.#drivers.length;
  }

  async read(index: number, offset: number, maxBytes: number): Promise<Uint8Array> {
    return (await this.#options.parts[index]?.collected.read(offset, maxBytes)) ?? new Uint8Array();
  }

  notes(since: number): { items: readonly Note[]; next: number } {
    return this.#notes.since(since);
  }

  onChange(listener: (index?: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  missing(): number {
    return 0;
  }

  pause(): number | undefined {
    return this.#phase === 'Paused' ? this.#pauses : undefined;
  }

  /** Parts that have not ended. */
  openParts(): number {
    return this.#drivers.length - this.#tally.count('ended');
  }

  /** Every part has succeeded, as its target said. */
  hasSucceeded(): boolean {
    return this.openParts() === 0 && this.#drivers.every(({ part }) => part.outcome === 'succeeded');
  }

  /** Parts whose orders are held for their targets. */
  queuedParts(): number {
    return this.#tally.count('queued');
  }

  /** The target has answered about this part's held order: asks it now. */
  look(index: number): void {
    this.#drivers[index]?.look();
  }

  /**
   * Takes a target's report that came in a file. Resolves once the result is durable, or after `waitMs` if the driver is still busy with
   * something else; it then takes the report when that is done. False if nothing was left to find out.
   */
  async answered(index: number, answer: CarriedAnswer, waitMs: number): Promise<boolean> {
    const driver = this.#drivers[index];
    if (driver?.answered(answer) !== true) return false;
    const timeUp = AbortSignal.timeout(waitMs);
    const { promise, resolve } = Promise.withResolvers<void>();
    timeUp.addEventListener('abort', () => resolve(), { once: true });
    while (!isSettled(driver.part) && !timeUp.aborted && !this.#closed) await Promise.race([this.#states.next(), promise]);
    await this.#saving.now();
    return true;
  }

  /** Goes on after a pause: after this one only, if it is given. Errors: CONFLICT if it is not paused, or was resumed and paused again. */
  resume(pause = this.#pauses): void {
    const id = this.id.slice(0, 12);
    if (this.#resume === undefined) {
      throw new DtkdError('CONFLICT', `the execution ${id} is not paused: it is ${this.#phase.toLowerCase()}`);
    }
    if (pause !== this.#pauses) {
      throw new DtkdError('CONFLICT', `the execution ${id} is in pause ${this.#pauses}, not ${pause}: it was resumed, and paused again`, {
        next: `See why with "dtkd executions show ${id}", then resume it again.`,
      });
    }
    this.#resume(true);
  }

  /** Ends one part, or all. */
  async abort(index?: number): Promise<AbortAnswer> {
    const told: AbortAnswer['told'] = [];
    const notTold: AbortAnswer['notTold'] = [];
    if (index === undefined) {
      this.#aborted = true;
      this.#message ??= 'aborted';
      this.#resume?.(false);
      // parts that have not had their turn end first, so that none starts meanwhile
      this.#dismiss(this.#drivers.keys(), 'aborted');
    }
    const drivers = index === undefined ? this.#drivers : this.#drivers.slice(index, index + 1);
    await Promise.all(
      drivers.map(async (driver) => {
        if (driver.part.state === 'ended') return;
        const { index: at, node } = driver.part;
        const result = await driver.abort();
        if (result.told) told.push({ index: at, node });
        else notTold.push({ index: at, node, reason: result.reason });
      }),
    );
    return { id: this.id, told, notTold };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#resume?.(false);
    clearTimeout(this.#lostTimer);
    for (const driver of this.#drivers) driver.close();
    this.#states.ring();
    await this.#saving.close();
  }

  #indexesOf(stage: number): number[] {
    return this.#options.parts.flatMap(({ stage: of }, index) => (of === stage ? [index] : []));
  }

  async #mark(indexes: readonly number[]): Promise<void> {
    const upTo = Math.max(0, ...indexes) + 1;
    if (upTo <= this.#marked) return;
    await this.#options.mark(upTo);
    this.#marked = upTo;
  }

  async #turn(index: number): Promise<boolean> {
    const driver = this.#drivers[index];
    if (driver === undefined) return false;
    await driver.tell();
    const { part, lost } = driver;
    return lost || (part.outcome !== undefined && isFailure(part.outcome));
  }

  #dismiss(indexes: Iterable<number>, why: 'aborted' | 'stopped'): void {
    for (const index of indexes) this.#drivers[index]?.dismiss(why);
  }

  async #pause(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#resume = resolve;
    this.#phase = 'Paused';
    this.#pauses += 1;
    this.#note({ event: 'paused', text: 'Paused because a target did not succeed: resume or abort it' });
    await this.#saving.surely();
    this.#stored = true;
    this.#tell();
    const go = await promise;
    this.#resume = undefined;
    if (!this.#closed) {
      this.#phase = 'Running';
      this.#stored = false;
    }
    this.#changed();
    return go;
  }

  /** Waits until all parts have ended, stores that, then waits for what is still unknown. */
  async #toTheEnd(): Promise<void> {
    this.#started = true;
    this.#changed();
    await this.#allEnded();
    if (this.#closed) return;
    if (this.#phase !== 'Finished') {
      this.#finishedAt = this.#options.now();
      this.#phase = 'Finished';
      this.#options.finished(this.#drivers.map(({ part }) => part));
    }
    const unsettled = this.#isUnsettled();
    await this.#saving.surely();
    this.#stored = true;
    this.#tell();
    await Promise.all(this.#drivers.map((driver) => driver.over));
    if (!this.#closed && unsettled) await this.#saving.surely();
  }

  async #allEnded(): Promise<void> {
    for (;;) {
      const changed = this.#states.next();
      if (this.#closed || this.openParts() === 0) break;
      this.#minutesOfGrace();
      await changed;
    }
    clearTimeout(this.#lostTimer);
  }

  /**
   * When contact to all parts that have not ended is lost, gives them up after a while. Parts whose orders are held do not count either
   * way.
   */
  #minutesOfGrace(): void {
    const hopeless = this.#started && this.#allLost();
    if (!hopeless) {
      clearTimeout(this.#lostTimer);
      this.#lostTimer = undefined;
    } else if (this.#lostTimer === undefined) {
      this.#lostTimer = setTimeout(() => {
        this.#lostTimer = undefined;
        for (const driver of this.#drivers) if (driver.lost) driver.giveUp('lost');
      }, this.#options.timing.lostMs);
    }
  }

  #allLost(): boolean {
    let lost = 0;
    for (const driver of this.#drivers) {
      const { state } = driver.part;
      if (state === 'ended' || state === 'queued') continue;
      // usually the first part already decides
      if (!driver.lost) return false;
      lost += 1;
    }
    return lost > 0;
  }

  #partChanged(index: number, what: 'state' | 'output'): void {
    if (what === 'state') {
      this.#tally.set(index, this.#drivers[index]?.part.state ?? 'waiting');
      this.#changed();
    }
    this.#tell(index);
  }

  #changed(): void {
    this.#states.ring();
    this.#tell();
    if (!this.#closed) this.#saving.soon();
  }

  #tell(index?: number): void {
    for (const listener of this.#listeners) listener(index);
  }

  #note(note: Note): void {
    this.#notes.add(note);
    this.#tell();
  }

  /** Something may still be found out. */
  #isUnsettled(): boolean {
    return this.#drivers.some(({ part }) => part.outcome === 'unknown') && this.#options.now() < this.#options.settleUntil;
  }
}

function isSettled({ state, outcome }: Part): boolean {
  return state === 'ended' && outcome !== 'unknown';
}

function withOffset({ part, offset, printed }: PartDriver): Part {
  return offset > 0 && part.offset !== offset ? { ...part, offset, ...(printed === undefined ? {} : { printed }) } : part;
}
