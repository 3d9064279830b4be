/** The result of an execution, for people and for programs. Pure. */
import { OUTCOMES, type Outcome } from '../../protocol/orders/words.ts';
import { humanDuration } from '../../protocol/text/age.ts';
import { alignColumns } from '../output/columns.ts';
import { type ExecutionView, type PartView, partsOf } from './execution.ts';

/** How following ended: the execution finished or is paused, only orders for absent targets are left, or it is still running. */
export type Ending = 'finished' | 'paused' | 'queued' | 'running';

/** Exit status by the outcomes of the targets; all others are those of errors. Documented in the help of each command that dispatches. */
export const EXIT = {
  succeeded: 0,
  /** A target failed or refused. */
  failed: 20,
  /** All targets that were told succeeded; some were unreachable or skipped. */
  untold: 21,
  /** The outcome of a target is not known. */
  unknown: 22,
  /** It waits for resume or abort. */
  paused: 23,
  /** All others succeeded; orders wait for absent targets. */
  queued: 24,
} as const;

export const EXIT_HELP = `Exit status: 0 if every target succeeded; ${EXIT.failed} if one failed or refused; ${EXIT.unknown} if it is not known what became
of one; ${EXIT.untold} if some were unreachable or skipped; ${EXIT.paused} if it is paused; ${EXIT.queued} if orders still wait for absent targets;
130 after Ctrl-C, 141 if nobody read its output any more; others if nothing was started (2: not understood, 4: not allowed, 5: not found, 7, 9: no answer).`;

/** Targets that have ended without success. */
export function unsuccessful(execution: ExecutionView): PartView[] {
  return partsOf(execution).filter(({ state, outcome }) => state === 'ended' && outcome !== 'succeeded');
}

/** `missing`: parts about which no node could answer. */
export function exitStatusOf(execution: ExecutionView, ending: Ending, missing: number): number {
  const outcomes = new Set<Outcome | undefined>([...execution.parts.values()].map(({ outcome }) => outcome));
  if (ending === 'paused') return EXIT.paused;
  if (outcomes.has('failed') || outcomes.has('refused')) return EXIT.failed;
  if (outcomes.has('unknown') || missing > 0) return EXIT.unknown;
  if (outcomes.has('unreachable') || outcomes.has('skipped')) return EXIT.untold;
  if (ending === 'queued') return EXIT.queued;
  // a part that has not ended is not known to have succeeded
  return ending === 'running' || outcomes.has(undefined) ? EXIT.unknown : EXIT.succeeded;
}

/** `3 targets: 2 succeeded, 1 failed`. */
export function countsLine(execution: ExecutionView): string {
  const total = execution.parts.size;
  if (total === 0) return 'no targets';
  return `${total} ${total === 1 ? 'target' : 'targets'}: ${countsOf(execution.parts.values(), [...OUTCOMES, ...OPEN_STATES])}`;
}

/** States of parts that have not ended, in the order in which counts list them. */
export const OPEN_STATES = ['running', 'accepted', 'queued', 'waiting'] as const;

/** `2 succeeded, 1 failed`: the number of parts with each of these outcomes and states. */
export function countsOf(parts: Iterable<PartView>, words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const { outcome, state } of parts) counts.set(outcome ?? state, (counts.get(outcome ?? state) ?? 0) + 1);
  return words.flatMap((word) => (counts.has(word) ? [`${counts.get(word)} ${word}`] : [])).join(', ');
}

/** One line for each target that did not succeed, with the reason. */
export function failureLines(parts: readonly PartView[]): string[] {
  const several = new Set(parts.map(({ what }) => what)).size > 1;
  return alignColumns(parts.map((part) => [`  ${part.node}`, ...(several ? [part.what] : []), part.outcome ?? part.state, whyOf(part)]));
}

/** Why a part did not succeed, or who holds its order. */
export function whyOf({ exitStatus, signal, reason, holders, state }: PartView): string {
  if (state === 'queued') return holders.length === 0 ? 'held by no member yet' : `held by ${holders.join(', ')}`;
  const ended =
    signal !== undefined ? `ended by ${signal}` : exitStatus === undefined || exitStatus === 0 ? undefined : `exit status ${exitStatus}`;
  return [ended, reason === ended ? undefined : reason].filter(Boolean).join(': ');
}

/** Nodes of parts, each once. */
export function nodesOf(parts: readonly PartView[]): string[] {
  return [...new Set(parts.map(({ node }) => node))];
}

/** The line of ControlTier's `ctl`. Skipped parts have not failed; undefined if there are no others. */
export function failedNodesLine(parts: readonly PartView[]): string | undefined {
  const failed = parts.filter(({ outcome }) => outcome !== 'skipped');
  return failed.length === 0 ? undefined : `Execution failed on the following nodes: [${nodesOf(failed).join(',')}]`;
}

/** How long a part has run so far, or ran. */
export function durationOf({ startedAt, endedAt }: PartView, now: number): string {
  if (startedAt === undefined) return '';
  return tenths((endedAt ?? now) - startedAt);
}

/** A duration; in tenths of a second if it is short, as most are. */
export function tenths(lasted: number): string {
  const ms = Math.max(0, lasted);
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)}s` : humanDuration(ms);
}
