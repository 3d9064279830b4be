/** How a part ends: pure. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import { type Evidence, verdictOf } from './verdict.ts';

/** Characters of a reason: as a part may have. */
const MAX_REASON = 1_024;

/**
 * The part as it has ended, or undefined if it had and this says nothing new: once it is known how it ended, it is known. `word`: the target's, whose facts count. `offset`:
 * bytes of output that were collected; `printed`: those of them that the command wrote.
 */
export function endedPart(
  before: Part,
  evidence: Evidence,
  { word, offset, printed, now }: { word: Part | undefined; offset: number; printed: number | undefined; now: number },
): Part | undefined {
  const verdict = verdictOf(evidence);
  if (before.state === 'ended' && (before.outcome !== 'unknown' || verdict.outcome === 'unknown')) return undefined;
  const { holders, reason: _reason, code: _code, paused: _paused, ...part } = before;
  return {
    ...part,
    ...(verdict.outcome === 'unknown' && holders !== undefined ? { holders } : {}),
    ...factsOf(word),
    state: 'ended',
    ...verdict,
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason.slice(0, MAX_REASON) }),
    endedAt: word?.endedAt ?? now,
    ...(offset > 0 ? { offset, ...(printed === undefined ? {} : { printed }) } : {}),
  };
}

/** What a target says of how it went. */
function factsOf(word: Part | undefined): Partial<Part> {
  if (word === undefined) return {};
  const { startedAt, exitStatus, signal, dropped, file } = word;
  return {
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(exitStatus === undefined ? {} : { exitStatus }),
    ...(signal === undefined ? {} : { signal }),
    ...(dropped === undefined ? {} : { dropped }),
    ...(file === undefined ? {} : { file }),
  };
}

/** A target that could not be reached. */
export function away(error: unknown): Extract<Evidence, { is: 'never-told'; why: 'away' }> {
  const [code, message] = error instanceof DtkdError ? [error.code, error.message] : ['PEER_AWAY', 'it could not be reached'];
  return { is: 'never-told', why: 'away', code, message: code === 'TIMEOUT' ? `it could not be reached in time: ${message}` : message };
}
