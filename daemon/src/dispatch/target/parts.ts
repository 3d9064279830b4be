/**
 * The parts of this target, by id and index: in memory those that have not ended and the last ones that have; all others from the
 * journal. Creates their output and processes. Guarantees that there is one object in memory for each part that has not ended.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { SecretValues } from '../dispatch.types.ts';
import type { Runner, Spools } from '../runner/runner.types.ts';
import type { Journal, JournalFacts } from './journal.ts';
import { type JournalRow, type RowFacts, rowKey } from './journal-row.ts';
import { MAX_UNSTARTED_BYTES_PER_STARTER, MAX_UNSTARTED_PER_STARTER, REMEMBERED_PARTS } from './limits.ts';
import { LivePart } from './live-part.ts';
import { readOrder } from './order-check.ts';
import { PartOutput } from './output.ts';
import type { NodeLimits } from './target.types.ts';
import { Passage } from './work/passage.ts';
import { Processes } from './work/processes.ts';

export interface PartsOptions {
  journal: Journal;
  node: { name: string };
  /** The data directory. */
  directory: string;
  spools: Spools;
  runner: Runner;
  secrets: SecretValues;
  environment: Readonly<Record<string, string | undefined>>;
  /** The present limits of the policy. */
  limits(): NodeLimits;
  logger: Logger;
  now(): number;
}

/** Orders of one starter, and their bytes. */
interface Sum {
  orders: number;
  bytes: number;
}

const NONE: Readonly<Sum> = { orders: 0, bytes: 0 };

export class Parts {
  readonly #options: PartsOptions;
  readonly #passage: Passage;
  readonly #live = new Map<string, LivePart>();
  /** Parts that are being recorded for the first time. */
  readonly #coming = new Map<string, LivePart>();
  readonly #recent = new Map<string, LivePart>();
  /** Remembered orders that ended without having been started, by starter. */
  readonly #unstarted = new Map<string, Sum>();
  /** Orders whose parts have not ended, by starter. */
  readonly #taken = new Map<string, Sum>();

  constructor(options: PartsOptions) {
    this.#options = options;
    this.#passage = new Passage(options.directory);
  }

  /** Gives other users of this machine the access that an earlier daemon had given them. */
  async letPassAgain(): Promise<void> {
    await this.#passage
      .again()
      .catch((error: unknown) => this.#options.logger.warn({ err: error }, 'Commands of other users cannot get to their directories'));
  }

  /**
   * Removes the directories of commands whose parts have ended: an earlier daemon may have died before it did. To be called before there
   * are new parts.
   */
  async removeLeft(): Promise<void> {
    const { logger } = this.#options;
    const live = new Set([...this.#live.values()].map(({ id, index }) => this.#runsOf(id, index)));
    for (const name of await readdir(this.#runs).catch(() => [])) {
      const path = join(this.#runs, name);
      if (live.has(path)) continue;
      await rm(path, { recursive: true, force: true }).catch((err: unknown) =>
        logger.warn({ err, path }, 'What a command left cannot be removed'),
      );
    }
  }

  get #runs(): string {
    return join(this.#options.directory, 'dispatch', 'runs');
  }

  #runsOf(id: ExecutionId, index: number): string {
    return join(this.#runs, `${id}-${index}`);
  }

  /** Number of parts that have not ended. */
  get unended(): number {
    return this.#live.size;
  }

  /** True if a part that has not ended is about a resource of that name, of whatever owner. */
  isBusyWith(object: string): boolean {
    const isAbout = ({ row: { about } }: LivePart) => about.resource !== undefined && about.name === object;
    return [...this.#coming.values(), ...this.#live.values()].some(isAbout);
  }

  /** All parts in memory. */
  inMemory(): LivePart[] {
    return [...this.#live.values(), ...this.#recent.values()];
  }

  /** A part that has not ended. */
  live(id: ExecutionId, index: number): LivePart | undefined {
    return this.#live.get(rowKey(id, index));
  }

  known(id: ExecutionId, index: number): LivePart | undefined {
    const key = rowKey(id, index);
    return this.#live.get(key) ?? this.#recent.get(key);
  }

  async lookUp(id: ExecutionId, index: number): Promise<LivePart | undefined> {
    const known = this.known(id, index);
    if (known !== undefined) return known;
    const row = await this.#options.journal.get(id, index);
    return row === undefined ? undefined : this.ofRow(row);
  }

  /** The part of a row of the journal. If it is not in memory, it has ended. */
  ofRow(row: JournalRow): LivePart {
    const checked = readOrder(row.order);
    const { id, index } = checked;
    return this.known(id, index) ?? this.#coming.get(rowKey(id, index)) ?? this.ended(this.make(row, false, checked));
  }

  /** Makes a part without registering it. `writing`: it has not ended. */
  make(row: JournalRow, writing: boolean, checked = readOrder(row.order)): LivePart {
    const { spools, runner, secrets, node, environment, logger, now } = this.#options;
    const { id, index } = checked;
    const output = new PartOutput(
      {
        spools,
        path: this.spoolPath(id, index),
        capBytes: this.#options.limits().outputBytes,
        now,
        onError: (error) => logger.warn({ err: error, id, index }, 'Output of a command could not be kept'),
      },
      writing,
      { offset: row.part.offset ?? 0, dropped: row.part.dropped ?? 0 },
    );
    const processes = new Processes({
      runner,
      secrets,
      output,
      directory: this.#runsOf(id, index),
      node: node.name,
      environment,
      passage: this.#passage,
    });
    return new LivePart(row, checked, { output, processes });
  }

  /**
   * Announces a part that is about to be recorded, so that readers who find its row before it is added get this object. Returns a
   * function that withdraws it.
   */
  announce(part: LivePart): () => void {
    const key = rowKey(part.id, part.index);
    this.#coming.set(key, part);
    return () => this.#coming.delete(key);
  }

  add(part: LivePart): void {
    const key = rowKey(part.id, part.index);
    if (!this.#live.has(key)) count(this.#taken, starterOf(part.row), 1, part.order.length);
    this.#live.set(key, part);
  }

  /** What a row's starter has waiting or running here. */
  takenOf(row: RowFacts): Readonly<Sum> {
    return this.#taken.get(starterOf(row)) ?? NONE;
  }

  /** Moves a part to those that have ended, the last of which are kept for followers that come back at once. */
  ended(part: LivePart): LivePart {
    const key = rowKey(part.id, part.index);
    if (this.#live.delete(key)) {
      count(this.#taken, starterOf(part.row), -1, part.order.length);
      if (isUnstarted(part.row)) count(this.#unstarted, starterOf(part.row), 1, part.order.length);
    }
    this.#recent.delete(key);
    this.#recent.set(key, part);
    const [oldest] = this.#recent.keys();
    if (oldest !== undefined && this.#recent.size > REMEMBERED_PARTS) this.#recent.delete(oldest);
    return part;
  }

  /** Forgets a part that was removed from the journal. */
  forget({ id, index, row, bytes }: JournalFacts): void {
    this.#recent.delete(rowKey(id, index));
    if (isUnstarted(row)) count(this.#unstarted, starterOf(row), -1, bytes);
  }

  /** Counts one more order that ended without having been started; false if there are too many of its starter to remember it. */
  countUnstarted(row: RowFacts, bytes: number): boolean {
    if (!isUnstarted(row)) return true;
    const sum = this.#unstarted.get(starterOf(row)) ?? NONE;
    const tooMuch = sum.orders >= MAX_UNSTARTED_PER_STARTER || sum.bytes + bytes > MAX_UNSTARTED_BYTES_PER_STARTER;
    if (row.from !== undefined && tooMuch) return false;
    count(this.#unstarted, starterOf(row), 1, bytes);
    return true;
  }

  /** The path of a part's spool. Spread over 256 directories by the first two digits, so that none gets too large. */
  spoolPath(id: ExecutionId, index: number): string {
    return join(this.#options.directory, 'dispatch', 'spools', id.slice(0, 2), `${id}-${index}`);
  }
}

function starterOf({ from }: RowFacts): string {
  return from?.key ?? '';
}

function isUnstarted({ part }: RowFacts): boolean {
  return part.state === 'ended' && part.startedAt === undefined;
}

function count(sums: Map<string, Sum>, starter: string, orders: 1 | -1, bytes: number): void {
  const before = sums.get(starter) ?? NONE;
  const now = { orders: before.orders + orders, bytes: before.bytes + orders * bytes };
  if (now.orders > 0) sums.set(starter, now);
  else sums.delete(starter);
}
