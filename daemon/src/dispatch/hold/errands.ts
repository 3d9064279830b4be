/**
 * Schedules what this node has to tell members: one run at a time per member, as soon as it can be reached, with growing pauses after
 * failures. Does not know what is told.
 */
import type { Logger } from '../../logging/logger.types.ts';
import type { Members } from '../dispatch.types.ts';
import { FIRST_REST_MS, MAX_ERRANDS, MAX_REST_MS } from './limits.ts';

export interface ErrandOptions {
  members: Pick<Members, 'byKey' | 'onChange'>;
  logger: Logger;
  /** Tells a member everything there is to tell. Returns true if nothing is left. After an error it runs again. */
  run(to: { domain: string; key: string }): Promise<boolean>;
}

interface Errand {
  to: { domain: string; key: string };
  running: boolean;
  /** Requested again while it ran. */
  again: boolean;
  restMs: number;
  timer: NodeJS.Timeout | undefined;
  /** Whether the member was connected at the last look. */
  near: boolean;
}

export class Errands {
  readonly #options: ErrandOptions;
  readonly #errands = new Map<string, Errand>();
  #unsubscribe: (() => void) | undefined;
  #running = 0;
  #pulse: NodeJS.Immediate | undefined;
  #idle = Promise.withResolvers<void>();
  #closed = false;

  constructor(options: ErrandOptions) {
    this.#options = options;
  }

  start(): void {
    this.#unsubscribe = this.#options.members.onChange(() => this.#soon());
    this.#soon();
  }

  /** Requests that this member be told something. */
  want(to: { domain: string; key: string }): void {
    const name = `${to.domain} ${to.key}`;
    const errand = this.#errands.get(name) ?? { to, running: false, again: false, restMs: 0, timer: undefined, near: false };
    errand.again = errand.running;
    this.#errands.set(name, errand);
    this.#soon();
  }

  /** Starts nothing more, and resolves when all runs have ended. */
  async stop(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe?.();
    if (this.#pulse !== undefined) clearImmediate(this.#pulse);
    for (const { timer } of this.#errands.values()) clearTimeout(timer);
    if (this.#running > 0) await this.#idle.promise;
  }

  #soon(): void {
    if (this.#closed || this.#errands.size === 0) return;
    this.#pulse ??= setImmediate(() => {
      this.#pulse = undefined;
      this.#look();
    });
  }

  #look(): void {
    for (const [name, errand] of this.#errands) {
      const reach = this.#options.members.byKey(errand.to.domain, errand.to.key)?.reach ?? 'away';
      // A member that has just connected is told at once.
      if (reach === 'connected' && !errand.near) this.#wake(errand);
      errand.near = reach === 'connected';
      if (reach === 'away' || errand.running || errand.timer !== undefined || this.#running >= MAX_ERRANDS) continue;
      void this.#run(name, errand);
    }
  }

  #wake(errand: Errand): void {
    clearTimeout(errand.timer);
    errand.timer = undefined;
    errand.restMs = 0;
  }

  async #run(name: string, errand: Errand): Promise<void> {
    errand.running = true;
    errand.again = false;
    this.#running += 1;
    const done = await this.#options.run(errand.to).catch((error: unknown) => {
      this.#options.logger.warn({ err: error, key: errand.to.key }, 'A member could not be told all; trying again');
      return false;
    });
    errand.running = false;
    this.#running -= 1;
    if (this.#closed) {
      if (this.#running === 0) this.#idle.resolve();
      return;
    }
    if (done && !errand.again) this.#errands.delete(name);
    else if (done) errand.restMs = 0;
    else this.#rest(errand);
    this.#soon();
  }

  #rest(errand: Errand): void {
    errand.restMs = Math.min(MAX_REST_MS, Math.max(FIRST_REST_MS, errand.restMs * 2));
    errand.timer = setTimeout(
      () => {
        errand.timer = undefined;
        this.#soon();
      },
      errand.restMs * (0.75 + Math.random() / 2),
    );
    errand.timer.unref();
  }
}
