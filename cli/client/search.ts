/**
 * Retries a daemon whose connection broke, until it is back or has been gone for too long. What was started goes on without this command.
 */
import { setTimeout } from 'node:timers/promises';
import { DtkdError } from '../../protocol/errors.ts';
import { textAt } from '../json.ts';

/** The first and the longest pause between attempts to reach the daemon, in milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
const PAUSE_GROWTH = 1.6;
/** How long to try, in milliseconds. Covers a restart with much to load. */
const LOOK_FOR_MS = 60_000;

/** Waits this many milliseconds, or until `signal` fires. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<unknown>;

export interface SearchOptions {
  signal: AbortSignal;
  /** Called when the connection is lost, and when it is back. */
  onContact(event: 'lost' | 'found'): void;
  /** Default: a real timer. */
  pause?: Pause;
}

export class Search {
  readonly #options: SearchOptions;
  #pause = FIRST_PAUSE_MS;
  #lostAt: number | undefined;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  /** Records that the daemon was heard. */
  found(): void {
    if (this.#lostAt !== undefined) this.#options.onContact('found');
    this.#lostAt = undefined;
    this.#pause = FIRST_PAUSE_MS;
  }

  /** Waits before the next attempt. Errors: DAEMON_UNREACHABLE if it has been gone for too long. */
  async lost(failure: unknown): Promise<void> {
    if (this.#lostAt === undefined) this.#options.onContact('lost');
    this.#lostAt ??= performance.now();
    if (performance.now() - this.#lostAt > LOOK_FOR_MS) {
      throw new DtkdError('DAEMON_UNREACHABLE', 'the daemon cannot be reached any more; what was started goes on without it', {
        cause: failure,
      });
    }
    await (this.#options.pause ?? rest)(this.#pause, this.#options.signal);
    this.#pause = Math.min(this.#pause * PAUSE_GROWTH, LONGEST_PAUSE_MS);
  }
}

export function rest(ms: number, signal: AbortSignal): Promise<unknown> {
  return setTimeout(ms, undefined, { signal }).catch(() => undefined);
}

/** True for failures of the connection, and for a daemon that is starting or stopping; any other error is an answer. */
export function isCut(error: unknown): boolean {
  if (error instanceof DtkdError) return error.code === 'DAEMON_UNREACHABLE' || error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT';
  return textAt(error, 'code') !== undefined;
}
