/**
 * The parts of this target, by id and index: those that have not ended, the last ones that have, and out of the journal all others. Makes their output and processes.
 * Guarantees that there is one part in memory for each that has not ended.
 */
import { join } from 'node:path';
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import type { DispatchLogger, SecretValues } from '../dispatch.types.ts';
import type { Runner, Spools } from '../runner/runner.types.ts';
import type { Journal } from './journal.ts';
import { type JournalRow, rowKey } from './journal-row.ts';
import { MAX_REFUSED_PER_STARTER, REMEMBERED_PARTS } from './limits.ts';
import { LivePart } from './live-part.ts';
import { readOrder } from './order-check.ts';
import { PartOutput } from './output.ts';
import type { NodeLimits } from './target.types.ts';
import { allowedEnvironment } from './work/argv.ts';
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
  /** As policy has them now. */
  limits(): NodeLimits;
  logger: DispatchLogger;
  now(): number;
}

export class Parts {
  readonly #options: PartsOptions;
  readonly #passage: Passage;
  readonly #live = new Map<string, LivePart>();
  /** Parts that are being written down. */
  readonly #coming = new Map<string, LivePart>();
  readonly #recent = new Map<string, LivePart>();
  /** Refused orders that are remembered, by starter. */
  readonly #refused = new Map<string, number>();

  constructor(options: PartsOptions) {
    this.#options = options;
    this.#passage = new Passage(options.directory);
  }

  /** Those that have not ended. */
  get unended(): number {
    return this.#live.size;
  }

  /** All that are in memory. */
  inMemory(): LivePart[] {
    return [...this.#live.values(), ...this.#recent.values()];
  }

  /** One that has not ended. */
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

  /** The part of a row of the journal. One that is not in memory has ended. */
  ofRow(row: JournalRow): LivePart {
    const { id, index } = readOrder(row.order);
    return this.known(id, index) ?? this.#coming.get(rowKey(id, index)) ?? this.ended(this.make(row, false));
  }

  /** Makes a part, which nobody knows yet. `writing`: it has not ended. */
  make(row: JournalRow, writing: boolean, checked = readOrder(row.order)): LivePart {
    const { spools, runner, secrets, directory, node, environment, logger, now } = this.#options;
    const { id, index } = checked;
    const limits = this.#options.limits();
    const output = new PartOutput(
      {
        spools,
        path: this.spoolPath(id, index),
        capBytes: limits.outputBytes,
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
      directory: join(directory, 'dispatch', 'runs', `${id}-${index}`),
      node: node.name,
      users: limits.users,
      environment: allowedEnvironment(environment, limits.environment),
      passage: this.#passage,
    });
    return new LivePart(row, checked, { output, processes });
  }

  /** A part is about to be written down: whoever finds its row before it is added gets this one. Returns what takes that back. */
  announce(part: LivePart): () => void {
    const key = rowKey(part.id, part.index);
    this.#coming.set(key, part);
    return () => this.#coming.delete(key);
  }

  add(part: LivePart): void {
    this.#live.set(rowKey(part.id, part.index), part);
  }

  /** It has ended; the last ones are kept for those who come back for them at once. */
  ended(part: LivePart): LivePart {
    const key = rowKey(part.id, part.index);
    this.#live.delete(key);
    this.#recent.delete(key);
    this.#recent.set(key, part);
    const [oldest] = this.#recent.keys();
    if (oldest !== undefined && this.#recent.size > REMEMBERED_PARTS) this.#recent.delete(oldest);
    return part;
  }

  /** A part is no longer in the journal. */
  forget(id: ExecutionId, index: number, row: JournalRow): void {
    this.#recent.delete(rowKey(id, index));
    if (row.part.outcome !== 'refused') return;
    const starter = starterOf(row);
    const left = (this.#refused.get(starter) ?? 1) - 1;
    if (left > 0) this.#refused.set(starter, left);
    else this.#refused.delete(starter);
  }

  /** Counts one more refused order of a starter; false if there are too many to remember it. */
  countRefused(row: JournalRow): boolean {
    const starter = starterOf(row);
    const count = this.#refused.get(starter) ?? 0;
    if (row.from !== undefined && count >= MAX_REFUSED_PER_STARTER) return false;
    this.#refused.set(starter, count + 1);
    return true;
  }

  /** In as many directories as two digits make: none gets too large. */
  spoolPath(id: ExecutionId, index: number): string {
    return join(this.#options.directory, 'dispatch', 'spools', id.slice(0, 2), `${id}-${index}`);
  }
}

function starterOf({ from }: JournalRow): string {
  return from?.key ?? '';
}
