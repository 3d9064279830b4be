/** How the pieces of a command ended, and what follows for the whole. Pure. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { CommandResult, ScriptResult } from './commands.types.ts';

/** Characters of the returned reason: fewer than `Part.reason` allows, to leave room for a prefix. */
const MAX_REASON = 900;
/** How many failures a reason lists. */
const MAX_NAMED = 5;

/** A deadline. `what` names the command or step that it limits, for the message. */
export interface Limit {
  at: number;
  what: string;
}

export interface Ended {
  ok: boolean;
  result: ScriptResult;
  /** Why it failed; empty if it did not. */
  reason: string;
  /** The limit that expired. It stays set until the piece that it limits has been left: until then, no handler or retry may run. */
  expired?: Limit | undefined;
  /** It was aborted, so no handler or retry may run. */
  aborted?: boolean;
}

export const WELL: Ended = { ok: true, result: { exitStatus: 0 }, reason: '' };

/** Judges the result of a script: it succeeded only with exit status 0, no signal, no error, and a known end. */
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
  return { ...failed('DEADLINE', `${limit.what} took longer than allowed`), expired: limit };
}

/** Takes code and message from the signal's reason, if that is a DtkdError. */
export function abortedBy(signal: AbortSignal): Ended {
  const why: unknown = signal.reason;
  const ended = why instanceof DtkdError ? failed(why.code, why.message) : failed('ABORTED', 'it was aborted');
  return { ...ended, aborted: true };
}

/** Returns the earlier of two limits; of equal ones, the outer. */
export function nearer(outer: Limit | undefined, inner: Limit | undefined): Limit | undefined {
  if (inner === undefined) return outer;
  return outer === undefined || inner.at < outer.at ? inner : outer;
}

/**
 * Leaves the piece that `own` limits: its expiry becomes an ordinary failure that can be handled. The expiry of an outer limit stays
 * final.
 */
export function leaving(ended: Ended, own: Limit | undefined, outer: Limit | undefined): Ended {
  return ended.expired !== undefined && ended.expired === own && own !== outer ? { ...ended, expired: undefined } : ended;
}

/** True if no handler, retry or further step may follow. */
export function isFinal({ ok, expired, aborted }: Ended): boolean {
  return !ok && (expired !== undefined || aborted === true);
}

/** True if it may still be running for all we know. It must not be started again. */
export function isUnknown({ result }: Ended): boolean {
  return result.unknown === true;
}

/**
 * Sums up several pieces; an undefined one was not started. The whole ends as the first aborted or expired piece did, else as the first
 * known failure, else as the first piece whose end is unknown. The reason lists that one first.
 */
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
