/** Turns to install a resource, one at a time for each. A wait ends early if it is aborted or its time is over. */

import type { CommandResult, RunLimits } from '../../commands/commands.types.ts';
import { abortedBy, expiredBy, resultOf } from '../../commands/ended.ts';

export class ResourceTurns {
  /** By resource: settles when all earlier turns are over. */
  readonly #last = new Map<string, Promise<void>>();

  /**
   * Runs `work` when the earlier turns are over, with the time that is left then. Returns its result, or one that says why it did not
   * begin.
   */
  async inTurn<T extends CommandResult>(
    resource: string,
    limits: RunLimits,
    work: (left: RunLimits) => Promise<T>,
  ): Promise<T | CommandResult> {
    const before = this.#last.get(resource);
    const { promise: mine, resolve: over } = Promise.withResolvers<void>();
    const last = Promise.all([before, mine]).then(() => {
      if (this.#last.get(resource) === last) this.#last.delete(resource);
    });
    this.#last.set(resource, last);
    const since = performance.now();
    try {
      const ended = before === undefined ? undefined : await waitFor(before, limits);
      const { timeoutMs } = limits;
      return ended ?? (await work(timeoutMs === undefined ? limits : { ...limits, timeoutMs: timeoutMs - (performance.now() - since) }));
    } finally {
      over();
    }
  }
}

/** Undefined when `before` is over; otherwise a result that says why the wait ended. */
async function waitFor(before: Promise<void>, { signal, timeoutMs }: RunLimits): Promise<CommandResult | undefined> {
  const { promise, resolve } = Promise.withResolvers<CommandResult | undefined>();
  const late = () => resolve(resultOf(expiredBy({ at: 0, what: 'it' })));
  const aborted = () => resolve(resultOf(abortedBy(signal)));
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, timeoutMs);
  if (signal.aborted) aborted();
  else signal.addEventListener('abort', aborted, { once: true });
  void before.then(() => resolve(undefined));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
  }
}
