import { describe, expect, it } from 'vitest';
import { reportLines, shown } from '../../../cli/doctor/report.ts';
import { ok, problem, warning, worstFirst } from '../../../protocol/requests/checkup.ts';

const plain = { paint: (_colour: string, text: string) => text };
const findings = worstFirst([
  ok('disk', 'much is free'),
  warning('clock', 'it is off', 'Set it.'),
  problem('data', 'gone', 'Make it.'),
  ok('ports', 'free'),
]);

describe('the report', () => {
  it('tells what is worst first, each with what to do', () => {
    expect(reportLines(plain, findings, { wide: false, all: 4 })).toEqual([
      '✗ data    gone',
      '  → Make it.',
      '! clock   it is off',
      '  → Set it.',
      '✓ disk    much is free',
      '✓ ports   free',
      '',
      '4 checks: 1 problem, 1 warning.',
    ]);
  });

  it('is one line where there is nothing to show', () => {
    expect(reportLines(plain, shown([ok('disk', 'x')], 'warning'), { wide: false, all: 1 })).toEqual(['1 check: nothing to do.']);
  });

  it('leaves out what is not as bad as asked', () => {
    expect(shown(findings, 'warning').map(({ check }) => check)).toEqual(['data', 'clock']);
    expect(shown(findings, 'problem').map(({ check }) => check)).toEqual(['data']);
    expect(shown(findings, undefined)).toHaveLength(4);
  });

  it('is a table if it may be wide, and moves no cursor', () => {
    const hostile = [warning('peer', 'x\u001b[2Jy', 'Run z\r.')];
    expect(reportLines(plain, hostile, { wide: true, all: 1 })).toEqual([
      'STATE     CHECK   FINDING       WHAT TO DO',
      'warning   peer    x\\u001b[2Jy   Run z\\r.',
    ]);
    expect(reportLines(plain, hostile, { wide: false, all: 1 }).join('')).not.toContain('\u001b');
  });
});
