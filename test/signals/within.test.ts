import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { within } from '../../daemon/src/signals/within.ts';
import { waitFor } from '../wait.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Looks at it now and then, while all is collected that nobody holds. */
async function aborts(signal: AbortSignal): Promise<void> {
  await waitFor(
    () => {
      collect();
      return signal.aborted;
    },
    { what: 'it to abort' },
  );
}

describe('a limit of time', () => {
  it('holds when nobody listens', async () => {
    await aborts(within(100, new AbortController().signal));
  });

  it('holds within another, and when somebody listens late', async () => {
    const other = new AbortController().signal;
    await aborts(within(60_000, within(100, other)));
    const limit = within(100, other);
    await delay(1);
    collect();
    const { promise, resolve } = Promise.withResolvers<void>();
    limit.addEventListener('abort', () => resolve(), { once: true });
    await promise;
  });

  it('is over when another signal is given', () => {
    const controller = new AbortController();
    const limit = within(60_000, controller.signal);
    controller.abort(new Error('given up'));
    expect(limit.reason).toMatchObject({ message: 'given up' });
    expect(within(60_000, controller.signal).aborted).toBe(true);
  });

  it('leaves nothing behind, also if it was part of another', async () => {
    const other = new AbortController().signal;
    const left = Array.from({ length: 8 }, () => {
      const limit = within(1, other);
      AbortSignal.any([limit, new AbortController().signal]).addEventListener('abort', () => undefined, { once: true });
      return new WeakRef(limit);
    });
    await waitFor(
      async () => {
        // in a turn of its own, since what was looked at is kept to the end of one
        await delay(1);
        collect();
        return left.every((limit) => limit.deref() === undefined);
      },
      { what: 'them to be collected' },
    );
  });
});
