import { describe, expect, test } from 'vitest';
import { type Evidence, isFailure, verdictOf } from '../../../../daemon/src/dispatch/execution/part/verdict.ts';
import { OUTCOMES, type Part } from '../../../../protocol/orders/outcome.ts';

const part = (more: Partial<Part>): Part => ({ index: 0, node: 'web1', what: 'exec', state: 'ended', ...more });

describe('what became of a part', () => {
  const table: [string, Evidence, string, string?][] = [
    ['maintenance', { is: 'planned', code: 'MAINTENANCE', reason: 'disks' }, 'skipped', 'MAINTENANCE'],
    ['no connection', { is: 'never-told', why: 'away', code: 'PEER_AWAY', message: 'away' }, 'unreachable', 'PEER_AWAY'],
    ['no connection in time', { is: 'never-told', why: 'away', code: 'TIMEOUT', message: 'late' }, 'unreachable', 'TIMEOUT'],
    ['aborted before its turn', { is: 'never-told', why: 'aborted' }, 'skipped', 'ABORTED'],
    ['a failure before its turn', { is: 'never-told', why: 'stopped' }, 'skipped'],
    ['a restart before its turn', { is: 'never-told', why: 'restarted' }, 'skipped'],
    ['its turn too late', { is: 'never-told', why: 'late' }, 'skipped', 'ORDER_EXPIRED'],
    ['success', { is: 'told-ended', part: part({ outcome: 'succeeded' }) }, 'succeeded'],
    ['failure', { is: 'told-ended', part: part({ outcome: 'failed', code: 'DEADLINE' }) }, 'failed', 'DEADLINE'],
    ['refusal', { is: 'told-ended', part: part({ outcome: 'refused', code: 'FORBIDDEN' }) }, 'refused', 'FORBIDDEN'],
    [
      'the target’s own maintenance',
      { is: 'told-ended', part: part({ outcome: 'skipped', code: 'MAINTENANCE' }) },
      'skipped',
      'MAINTENANCE',
    ],
    ['the target does not know either', { is: 'told-ended', part: part({ outcome: 'unknown' }) }, 'unknown'],
    ['a target that says it was unreachable', { is: 'told-ended', part: part({ outcome: 'unreachable' }) }, 'unknown'],
    ['an end without an outcome', { is: 'told-ended', part: part({}) }, 'unknown'],
    ['not taken', { is: 'not-taken', code: 'DISK_FULL', message: 'full' }, 'refused', 'DISK_FULL'],
    ['lost after the order', { is: 'silent', why: 'lost', heard: false }, 'unknown', 'PEER_AWAY'],
    ['lost while it ran', { is: 'silent', why: 'lost', heard: true }, 'unknown', 'PEER_AWAY'],
    ['removed while it ran', { is: 'silent', why: 'gone', heard: true }, 'unknown', 'REMOVED'],
    ['no end in its time', { is: 'silent', why: 'deadline', heard: true }, 'unknown', 'DEADLINE'],
    ['lies', { is: 'untrue', message: 'wrong' }, 'unknown', 'FRAME_INVALID'],
    ['forgotten there', { is: 'not-known-there', heard: true, over: true }, 'unknown'],
    ['not there so far', { is: 'not-known-there', heard: false, over: false }, 'unknown'],
    ['not there, and it cannot come any more', { is: 'not-known-there', heard: false, over: true }, 'unreachable', 'PEER_AWAY'],
    ['held here alone for too long', { is: 'held-too-long', others: [] }, 'unreachable', 'ORDER_EXPIRED'],
    ['held by others for too long', { is: 'held-too-long', others: ['web2'] }, 'unknown', 'ORDER_EXPIRED'],
    ['taken back', { is: 'taken-back', notReached: [] }, 'skipped', 'ABORTED'],
    ['not taken back everywhere', { is: 'taken-back', notReached: ['web2'] }, 'unknown', 'ABORTED'],
  ];
  test.each(table)('%s', (_name, evidence, outcome, code) => {
    const verdict = verdictOf(evidence);
    expect(verdict.outcome).toBe(outcome);
    expect(verdict.code).toBe(code);
  });

  test('stops the rest unless it went well or was left out', () => {
    expect(OUTCOMES.filter(isFailure)).toEqual(['failed', 'refused', 'unreachable', 'unknown']);
  });
});
