/** Derives the end of a part from the end of its work. Pure. */
import type { CommandResult } from '../commands/commands.types.ts';
import type { Ending } from './state.ts';
import type { WorkResult } from './work/work.types.ts';

/** Work that ran and whose end is not known is unknown; everything else that did not end with 0 has failed. */
export function endingOf(result: WorkResult, endedAt: number): Ending {
  const { ok, exitStatus, signal, error, reason, unknown, file } = result;
  if (ok) return { outcome: 'succeeded', endedAt, exitStatus: exitStatus ?? 0, ...(file === undefined ? {} : { file }) };
  return {
    outcome: unknown === true ? 'unknown' : 'failed',
    endedAt,
    exitStatus,
    signal,
    reason: reason ?? error?.message ?? (signal === undefined ? undefined : `ended by ${signal}`),
    code: error?.code,
  };
}

/**
 * The end of a part whose daemon was restarted meanwhile, from how its processes have ended since: the one process of a plain part, else
 * all that were found.
 */
export function settledEnding(ends: readonly CommandResult[], plain: boolean, node: string, endedAt: number): Ending {
  const [only] = ends;
  if (only === undefined) {
    return {
      outcome: 'unknown',
      endedAt,
      reason: `the daemon of ${node} ended as this was about to start: it is not known whether it did`,
    };
  }
  if (plain && ends.length === 1) return endingOf(only, endedAt);
  const last = ends.at(-1) ?? only;
  if (ends.some(({ unknown }) => unknown === true)) {
    return {
      outcome: 'unknown',
      endedAt,
      reason: `the daemon of ${node} was restarted while this ran: it is not known how its running step ended; later steps were not started`,
    };
  }
  const how = last.ok ? 'ended well' : `ended badly (${last.reason ?? 'no reason'})`;
  return {
    outcome: 'failed',
    endedAt,
    exitStatus: last.exitStatus,
    signal: last.signal,
    code: last.error?.code,
    reason: `the daemon of ${node} was restarted while this ran: the step that was running ${how}; later steps were not started`,
  };
}
