/** How pieces of a command ended, and what that makes of the whole. Pure. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { CommandResult, ScriptResult } from './commands.types.ts';

/** Characters of the reason that goes out: those of `Part.reason`, with room for what is put before it. */
const MAX_REASON = 900;
/** Failures that a reason names one by one. */
const MAX_NAMED = 5;

/** A time by which something has to be over; `what` it is that may take no longer. */
export interface Limit {
  at: number;
  what: string;
}

export interface Ended {
  ok: boolean;
  result: ScriptResult;
  /** Why it did not go well; empty if it did. */
  reason: string;
  /** The limit that was over, while what it limits is still being left: nothing within may handle that. */
  expired?: Limit | undefined;
  /** Nothing may handle it: it was aborted. */
  aborted?: boolean;
}

export const WELL: Ended = { ok: true, result: { exitStatus: 0 }, reason: '' };

/** How a script ended: well only with status 0, and nothing that speaks against it. */
export function ofScript(result: ScriptResult): Ended {
  const { exitStatus, signal, error, unknown } = result;
  const ok = exitStatus === 0 && signal === undefined && error === undefined && unknown !== true;
  return ok ? { ok, result, reason: '' } : { ok, result, reason: reasonOf(result) };
}

function reasonOf({ exitStatus, signal, error, unknown }: ScriptResult): string {
  if (error !== undefined) return error.message;
  if (unknown === true) return 'it is not known how it ended';
  if (signal !== undefined) return `ended by ${signal}`;
  return exitStatus === undefined ? 'it ended without a status' : `exit status ${exitStatus}`;
}

export function failed(code: string, message: string): Ended {
  return { ok: false, result: { error: { code, message } }, reason: message };
}

export function expiredBy(limit: Limit): Ended {
  return { ...failed('DEADLINE', `${limit.what} took longer than it may`), expired: limit };
}

/** As the signal says why, where it does. */
export function abortedBy(signal: AbortSignal): Ended {
  const why: unknown = signal.reason;
  const ended = why instanceof DtkdError ? failed(why.code, why.message) : failed('ABORTED', 'it was aborted');
  return { ...ended, aborted: true };
}

/** The nearer of two limits: the outer one where both are over at once. */
export function nearer(outer: Limit | undefined, inner: Limit | undefined): Limit | undefined {
  if (inner === undefined) return outer;
  return outer === undefined || inner.at < outer.at ? inner : outer;
}

/** On the way out of what `own` limits, its end is a failure as any other; that of an outer limit still is not. */
export function leaving(ended: Ended, own: Limit | undefined, outer: Limit | undefined): Ended {
  return ended.expired !== undefined && ended.expired === own && own !== outer ? { ...ended, expired: undefined } : ended;
}

/** No handler, retry or further step may follow. */
export function isFinal({ ok, expired, aborted }: Ended): boolean {
  return !ok && (expired !== undefined || aborted === true);
}

/** True if it may be running still, for all that is known: it is not started again. */
export function isUnknown({ result }: Ended): boolean {
  return result.unknown === true;
}

/** The whole of several pieces; those that were not started are undefined. It ended as the first that failed for certain, else as the first that is not known. */
export function summary(pieces: readonly (Ended | undefined)[], nameOf: (index: number) => string): Ended {
  const bad = pieces.flatMap((ended, index) => (ended === undefined || ended.ok ? [] : [{ ended, index }]));
  const first = bad.find(({ ended }) => isFinal(ended)) ?? bad.find(({ ended }) => !isUnknown(ended)) ?? bad[0];
  if (first === undefined) return WELL;
  const ordered = [first, ...bad.filter((one) => one !== first)];
  const named = ordered.slice(0, MAX_NAMED).map(({ ended, index }) => `${nameOf(index)}: ${ended.reason}`);
  if (ordered.length > MAX_NAMED) named.push(`and ${ordered.length - MAX_NAMED} more`);
  return { ...first.ended, reason: named.join('; ') };
}

export function resultOf({ ok, result, reason }: Ended): CommandResult {
  if (ok) return { ...result, ok };
  return { ...result, ok, reason: reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON - 1)}…` : reason };
}
