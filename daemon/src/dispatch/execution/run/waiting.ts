/** Waiting for executions to end, until a signal stops the wait. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Run } from './run.ts';

/**
 * The object of a running execution, once all has ended and that is stored. Calls `succeeded` as soon as all targets have reported
 * success, before that is stored. Errors: as `unless`.
 */
export function endOf(
  run: Pick<Run, 'object' | 'onChange' | 'phase' | 'resting' | 'hasSucceeded'>,
  signals: readonly AbortSignal[],
  succeeded?: () => void,
): Promise<ApiObject> {
  const { promise, resolve } = Promise.withResolvers<ApiObject>();
  let tell = succeeded;
  const look = () => {
    if (tell !== undefined && run.hasSucceeded()) {
      tell();
      tell = undefined;
    }
    if (run.phase() === 'Finished' && run.resting()) resolve(run.object());
  };
  const forget = run.onChange(look);
  look();
  return unless(signals, promise).finally(forget);
}

/** Resolves as `promised`, unless a signal aborts first. Errors: the signal's reason if it is a DtkdError, else ABORTED. */
export async function unless<T>(signals: readonly AbortSignal[], promised: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => {
    const reason: unknown = signals.find(({ aborted }) => aborted)?.reason;
    reject(reason instanceof DtkdError ? reason : new DtkdError('ABORTED', 'it is no longer waited for'));
  };
  for (const signal of signals) signal.addEventListener('abort', stop, { once: true });
  if (signals.some(({ aborted }) => aborted)) stop();
  try {
    return await Promise.race([promised, promise]);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', stop);
  }
}
