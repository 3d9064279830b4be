/**
 * Follows an execution to its end, over as many connections as that takes. Guarantees that a view is shown every byte of output once: each
 * new connection asks from the offsets that were reached, and known data is dropped. An execution is started by one request, which is never
 * sent twice.
 */
import { DtkdError } from '../../protocol/errors.ts';
import type { ExecutionPhase } from '../../protocol/orders/words.ts';
import type { ApiClient } from '../client/api.ts';
import { isCut, type Pause, rest, Search } from '../client/search.ts';
import { type ExecutionView, executionOf, onlyQueuedLeft, type ShownParts } from './execution.ts';
import { type FollowEvent, followEventOf, type OutputEvent } from './follow-event.ts';
import type { Ending } from './summary.ts';
import type { FollowView } from './view.types.ts';

/** Pause between checks of orders that wait for absent targets, in milliseconds. These come back after minutes or hours. */
const QUEUED_PAUSE_MS = 5_000;
/** A longer query is sent as a body, since servers refuse longer URLs. */
const MAX_QUERY = 8_192;

export interface FollowOptions {
  view: FollowView;
  signal: AbortSignal;
  /** Also follows until orders for absent targets have been delivered or have expired. */
  waitForQueued: boolean;
  /** Called when the connection is lost, and when it is back. */
  onContact(event: 'lost' | 'found'): void;
  /** Waits this many milliseconds, or until `signal` fires. Default: a real timer. */
  pause?: Pause;
}

export class Following {
  readonly #client: Pick<ApiClient, 'daemonLines'>;
  readonly #options: FollowOptions;
  readonly #offsets: Map<number, number>;
  readonly #shown: ReadonlySet<number>;
  #execution: ExecutionView;
  #missing = 0;

  /** `id`: of an existing execution, or a prefix of it; empty for one about to be started. `shown`: what is not to be shown again. */
  constructor(client: Pick<ApiClient, 'daemonLines'>, options: FollowOptions, id = '', shown: ShownParts = new Map()) {
    this.#client = client;
    this.#options = options;
    this.#execution = { ...executionOf({}), id };
    this.#offsets = new Map(shown);
    this.#shown = new Set(shown.keys());
  }

  /** What is known of it; its id is empty until the daemon reports it. */
  get execution(): ExecutionView {
    return this.#execution;
  }

  /** The number of parts about which no node could answer. */
  get missing(): number {
    return this.#missing;
  }

  /**
   * `first`: the answer of the request that starts it; undefined if it exists. Errors: those of the request, DAEMON_UNREACHABLE,
   * UNAVAILABLE.
   */
  async run(first?: AsyncIterable<unknown>): Promise<Ending> {
    const { signal } = this.#options;
    const search = new Search(this.#options);
    let lines = first;
    for (;;) {
      let failure: unknown;
      try {
        const ending = await this.#read(lines ?? this.#again(), () => search.found());
        if (ending !== undefined && !(ending === 'queued' && this.#options.waitForQueued)) return ending;
        if (ending === 'queued') {
          await (this.#options.pause ?? rest)(QUEUED_PAUSE_MS, signal);
          lines = undefined;
          continue;
        }
      } catch (error) {
        if (signal.aborted || !isCut(error)) throw error;
        failure = error;
      }
      if (signal.aborted) return 'running';
      if (this.#execution.id === '') throw neverTold(failure);
      await search.lost(failure);
      lines = undefined;
    }
  }

  /** Reads one answer. Undefined if it broke off. */
  async #read(lines: AsyncIterable<unknown>, onLine: () => void): Promise<Ending | undefined> {
    for await (const line of lines) {
      onLine();
      const event = followEventOf(line);
      if (event === undefined || !this.#apply(event)) continue;
      this.#options.view.show(event, this.#execution);
      if (event.type === 'end') return this.#endingOf(event.phase);
      if (!this.#options.waitForQueued && event.type !== 'output' && onlyQueuedLeft(this.#execution)) return 'queued';
    }
    return undefined;
  }

  #endingOf(phase: ExecutionPhase): Ending {
    if (phase === 'Finished') return 'finished';
    if (phase === 'Paused') return 'paused';
    return onlyQueuedLeft(this.#execution) ? 'queued' : 'running';
  }

  /** Applies an event to what is known. False if it contained nothing new to show. */
  #apply(event: FollowEvent): boolean {
    if (event.type === 'execution') this.#execution = event.execution;
    else if (event.type === 'output') return this.#isNew(event);
    else if (event.type === 'part') {
      this.#execution.parts.set(event.part.index, event.part);
      return !this.#shown.has(event.part.index);
    } else if (event.type === 'end') {
      this.#execution.phase = event.phase;
      this.#execution.pauses = event.pause;
      this.#missing = event.missing;
    }
    return true;
  }

  #isNew({ index, offset, next }: OutputEvent): boolean {
    const known = this.#offsets.get(index) ?? 0;
    if (next <= known || offset < known) return false;
    this.#offsets.set(index, next);
    return true;
  }

  #again(): AsyncGenerator<unknown> {
    const { signal } = this.#options;
    const from = JSON.stringify(Object.fromEntries(this.#offsets));
    const path = `executions/${encodeURIComponent(this.#execution.id)}/follow`;
    if (this.#offsets.size === 0) return this.#client.daemonLines(path, undefined, signal);
    const query = `${path}?from=${encodeURIComponent(from)}`;
    if (query.length <= MAX_QUERY) return this.#client.daemonLines(query, undefined, signal);
    return this.#client.daemonLines(path, { from: Object.fromEntries(this.#offsets) }, signal);
  }
}

function neverTold(cause: unknown): Error {
  if (cause instanceof DtkdError) return cause;
  return new DtkdError('UNAVAILABLE', 'the connection to the daemon broke before it said whether anything was started', {
    next: 'See "dtkd executions ls" before you start it again.',
    cause,
  });
}
