/**
 * One part in memory: its row in the journal, its output, and its listeners. Shows only what is durable. Does nothing by itself;
 * `target.ts` and what that calls move it from state to state.
 */
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import type { Part } from '../../../../protocol/orders/outcome.ts';
import type { JournalRow } from './journal-row.ts';
import type { CheckedOrder } from './order-check.ts';
import type { PartOutput } from './output.ts';
import type { PartHandle } from './target.types.ts';
import type { Processes } from './work/processes.ts';

export class LivePart implements PartHandle {
  readonly id: ExecutionId;
  readonly index: number;
  readonly checked: CheckedOrder;
  readonly output: PartOutput;
  readonly processes: Processes;
  /** Aborts when the part is to end early, with a DtkdError that says why. */
  readonly ending = new AbortController();
  readonly ended: Promise<Part>;
  readonly #resolve: (part: Part) => void;
  readonly #listeners = new Set<() => void>();
  #row: JournalRow;

  constructor(row: JournalRow, checked: CheckedOrder, { output, processes }: { output: PartOutput; processes: Processes }) {
    this.checked = checked;
    this.id = this.checked.id;
    this.index = this.checked.index;
    this.output = output;
    this.processes = processes;
    this.#row = row;
    const { promise, resolve } = Promise.withResolvers<Part>();
    this.ended = promise;
    this.#resolve = resolve;
    output.onGrowth(() => this.#tell());
    if (row.part.state === 'ended') resolve(row.part);
  }

  get order(): Uint8Array {
    return this.#row.order;
  }

  get row(): JournalRow {
    return this.#row;
  }

  /** The starter's key, by which turns are shared out. */
  get starter(): string {
    return this.checked.entry.starter;
  }

  /** Takes a row that is now on disk, and tells the listeners. */
  set(row: JournalRow): void {
    this.#row = row;
    this.#tell();
    if (row.part.state === 'ended') this.#resolve(row.part);
  }

  part(): Part {
    const { part } = this.#row;
    if (part.state !== 'running') return part;
    const { offset, dropped } = this.output;
    return { ...part, offset, ...(dropped === 0 ? {} : { dropped }) };
  }

  read(offset: number, maxBytes: number): Promise<Uint8Array> {
    return this.output.read(offset, maxBytes);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
