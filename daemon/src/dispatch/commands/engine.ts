/**
 * Runs a command at its target: scripts, workflows and local dispatches, through a ScriptRunner. Reports truthfully which step failed and
 * why, and starts nothing after an abort or an expired limit. Knows nothing of processes, journals or files.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, CommandResult, RunLimits, ScriptRunner } from './commands.types.ts';
import type { Prepared } from './prepare.ts';
import { Run } from './run.ts';

/** Monotonic: unaffected by changes of the time of day. */
const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  wait: (ms, signal) => delay(ms, undefined, { signal }).catch(() => undefined),
};

/** Runs exactly what was prepared, and decided about, before. Never rejects. */
export function runPrepared({ work }: Prepared, runner: ScriptRunner, limits: RunLimits): Promise<CommandResult> {
  const { signal, timeoutMs, clock = SYSTEM_CLOCK } = limits;
  return new Run(runner, signal, clock).start(work, timeoutMs);
}
