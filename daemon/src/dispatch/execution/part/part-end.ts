/** How a part ends. Pure. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import { type Evidence, verdictOf } from './verdict.ts';

/** The most characters that a part's reason may have. */
const MAX_REASON = 1_024;

/**
 * The ended part; undefined if it had ended before and the evidence adds nothing: only `unknown` is ever replaced. `word`: the target's
 * last report, whose facts are taken over. `offset`: bytes of output collected; `printed`: how many of them the command wrote.
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

/** The facts that a target reports. */
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

/** Evidence of a target that could not be reached. */
export function away(error: unknown): Extract<Evidence, { is: 'never-told'; why: 'away' }> {
  const [code, message] = error instanceof DtkdError ? [error.code, error.message] : ['PEER_AWAY', 'it could not be reached'];
  return { is: 'never-told', why: 'away', code, message: code === 'TIMEOUT' ? `it could not be reached in time: ${message}` : message };
}
