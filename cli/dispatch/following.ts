/**
 * Follows an execution to its end, over as many connections as that takes. Guarantees that each view is shown every byte of output once: it
 * comes back with the offsets that it had reached, and drops what it knows already. An execution is started by one request, which is never sent a second time.
 */
import { DtkdError } from '../../protocol/errors.ts';
import type { ExecutionPhase } from '../../protocol/orders/words.ts';
import type { ApiClient } from '../client/api.ts';
import { isCut, type Pause, rest, Search } from '../client/search.ts';
import { type ExecutionView, executionOf, onlyQueuedLeft, type ShownParts } from './execution.ts';
import { type FollowEvent, followEventOf, type OutputEvent } from './follow-event.ts';
import type { Ending } from './summary.ts';
import type { FollowView } from './view.types.ts';

/** Between two looks at orders that wait for absent targets, in milliseconds: they come back in minutes, or hours. */
const QUEUED_PAUSE_MS = 5_000;
/** Offsets longer than this go into a body: servers refuse longer addresses. */
const MAX_QUERY = 8_192;

export interface FollowOptions {
  view: FollowView;
  signal: AbortSignal;
  /** Follows until orders for absent targets have been delivered or have run out, too. */
  waitForQueued: boolean;
  /** Told when the connection is lost, and when it is there again. */
  onContact(event: 'lost' | 'found'): void;
  /** Waits so many milliseconds, or until `signal`. Default: real time. */
  pause?: Pause;
}

export class Following {
  readonly #client: Pick<ApiClient, 'daemonLines'>;
  readonly #options: FollowOptions;
  readonly #offsets: Map<number, number>;
  readonly #shown: ReadonlySet<number>;
  #execution: ExecutionView;
  #missing = 0;

  /** `id`: of an execution that is there, or its beginning; absent for one that is about to be started. `shown`: what is not to be shown again. */
  constructor(client: Pick<ApiClient, 'daemonLines'>, options: FollowOptions, id = '', shown: ShownParts = new Map()) {
    this.#client = client;
    this.#options = options;
    this.#execution = { ...executionOf({}), id };
    this.#offsets = new Map(shown);
    this.#shown = new Set(shown.keys());
  }

  /** What is known of it; the id is empty until the daemon told it. */
  get execution(): ExecutionView {
    return this.#execution;
  }

  /** Parts of which no node could tell. */
  get missing(): number {
    return this.#missing;
  }

  /** `first`: the answer of the request that starts it; absent: it is there. Errors: of the request, DAEMON_UNREACHABLE, UNAVAILABLE. */
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

  /** Brings what is known up to date. False if there was nothing new in it. */
  #apply(event: FollowEvent): boolean {
    if (event.type === 'execution') this.#execution = event.execution;
    else if (event.type === 'output') return this.#isNew(event);
    else if (event.type === 'part') {
      this.#execution.parts.set(event.part.index, event.part);
      return !this.#shown.has(event.part.index);
    } else if (event.type === 'end') {
      this.#execution.phase = event.phase;
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
  return new DtkdError('UNAVAILABLE', 'the connection to the daemon broke before it told whether anything was started', {
    next: 'See "dtkd executions ls" before you start it again.',
    cause,
  });
}
