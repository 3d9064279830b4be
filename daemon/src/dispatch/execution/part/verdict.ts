/**
 * Derives the outcome of a part from what is known of it. Pure, and the only place that decides it. `unreachable` and `skipped` mean that
 * the part cannot have run, `unknown` that it may have; neither is given in place of the other.
 */
import type { Outcome, Part } from '../../../../../protocol/orders/outcome.ts';

export type Evidence =
  /** The plan already says that the part is to be skipped. */
  | { is: 'planned'; code: string; reason: string }
  /** No byte of the order was sent. */
  | { is: 'never-told'; why: 'away'; message: string; code: string }
  | { is: 'never-told'; why: 'aborted' | 'stopped' | 'restarted' | 'late' }
  /** The target said how it ended. */
  | { is: 'told-ended'; part: Part }
  /** The target said that it does not take the order, so it has not journaled it. */
  | { is: 'not-taken'; code: string; message: string }
  /** The order was or may have been sent, and nothing definite was heard. */
  | { is: 'silent'; why: 'lost' | 'deadline' | 'gone'; heard: boolean }
  /** The target broke the protocol. */
  | { is: 'untrue'; message: string }
  /** The target knows nothing of the part. `heard`: it had known it before. `over`: nobody may start it any more. */
  | { is: 'not-known-there'; heard: boolean; over: boolean }
  /** The order expired while it was held. `others`: nodes that may have delivered it: its holders, and this one if it tried. */
  | { is: 'held-too-long'; others: readonly string[] }
  /** The order was taken back while it was held. `notReached`: holders that may still deliver it. */
  | { is: 'taken-back'; notReached: readonly string[] };

export interface Verdict {
  outcome: Outcome;
  code?: string;
  reason?: string;
}

export function verdictOf(evidence: Evidence): Verdict {
  switch (evidence.is) {
    case 'planned':
      return { outcome: 'skipped', code: evidence.code, reason: evidence.reason };
    case 'never-told':
      return neverTold(evidence);
    case 'told-ended':
      return toldEnded(evidence.part);
    case 'not-taken':
      return { outcome: 'refused', code: evidence.code, reason: evidence.message };
    case 'silent':
      return silent(evidence);
    case 'untrue':
      return { outcome: 'unknown', code: 'FRAME_INVALID', reason: `it gave an answer that is not allowed: ${evidence.message}` };
    case 'not-known-there':
      return notKnownThere(evidence);
    case 'held-too-long':
      return heldTooLong(evidence.others);
    case 'taken-back':
      return takenBack(evidence.notReached);
  }
}

const UNTOLD = {
  aborted: { code: 'ABORTED', reason: 'aborted before its turn' },
  stopped: { reason: 'not started because another target did not succeed' },
  restarted: { reason: 'the node that started it was restarted before it told the target' },
  late: { code: 'ORDER_EXPIRED', reason: 'its turn came after the time in which it could start' },
} as const;

function neverTold(evidence: Extract<Evidence, { is: 'never-told' }>): Verdict {
  if (evidence.why === 'away') return { outcome: 'unreachable', code: evidence.code, reason: evidence.message };
  return { outcome: 'skipped', ...UNTOLD[evidence.why] };
}

/** A target's own report of the end, unless it is one that a target cannot give. */
function toldEnded({ outcome, code, reason }: Part): Verdict {
  const more = { ...(code === undefined ? {} : { code }), ...(reason === undefined ? {} : { reason }) };
  if (outcome === undefined) return { outcome: 'unknown', reason: 'it says that it has ended, but not how' };
  if (outcome === 'unreachable') return { outcome: 'unknown', reason: 'it says that it could not be reached, although it was' };
  return { outcome, ...more };
}

function silent({ why, heard }: Extract<Evidence, { is: 'silent' }>): Verdict {
  const what = heard ? 'it had taken the order' : 'the order was sent';
  if (why === 'deadline')
    return { outcome: 'unknown', code: 'DEADLINE', reason: `${what}, but the target did not say in time how it ended` };
  if (why === 'gone')
    return { outcome: 'unknown', code: 'REMOVED', reason: `${what}, then the target was removed from the domain or left it` };
  return { outcome: 'unknown', code: 'PEER_AWAY', reason: `${what}, then contact was lost; dtkd keeps trying` };
}

function notKnownThere({ heard, over }: Extract<Evidence, { is: 'not-known-there' }>): Verdict {
  if (heard) return { outcome: 'unknown', reason: 'it had taken the order, and no longer knows it' };
  if (!over) return { outcome: 'unknown', reason: 'the order was sent, but the target has not taken it so far' };
  return { outcome: 'unreachable', code: 'PEER_AWAY', reason: 'it never got the order, and cannot get it any more' };
}

function heldTooLong(others: readonly string[]): Verdict {
  if (others.length === 0)
    return { outcome: 'unreachable', code: 'ORDER_EXPIRED', reason: 'never delivered: it was away for as long as the order was valid' };
  return {
    outcome: 'unknown',
    code: 'ORDER_EXPIRED',
    reason: `the order has expired; whether ${others.join(', ')} had delivered it cannot be found out now`,
  };
}

function takenBack(notReached: readonly string[]): Verdict {
  if (notReached.length === 0) return { outcome: 'skipped', code: 'ABORTED', reason: 'aborted before it was delivered' };
  return {
    outcome: 'unknown',
    code: 'ABORTED',
    reason: `aborted, but ${notReached.join(', ')} could not be told and may still deliver it`,
  };
}

/** Outcomes after which the rest is not started by default. A skipped target is no failure. */
export function isFailure(outcome: Outcome): boolean {
  return outcome !== 'succeeded' && outcome !== 'skipped';
}
