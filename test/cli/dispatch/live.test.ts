import { describe, expect, it } from 'vitest';
import { executionOf } from '../../../cli/dispatch/execution.ts';
import { liveLines, progressLine } from '../../../cli/dispatch/live-lines.ts';
import { LiveScreen } from '../../../cli/dispatch/live-screen.ts';
import type { Part } from '../../../protocol/orders/outcome.ts';
import { executionObject, part, STARTED_AT } from './fake-execution.ts';

const plain = (_colour: unknown, text: string): string => text;
const SIZE = { columns: 80, rows: 24 };

function lines(parts: Part[], size = SIZE): string[] {
  return liveLines(plain, executionOf(executionObject(parts)), STARTED_AT + 12_000, STARTED_AT, size);
}

describe('the table of targets', () => {
  it('shows what runs, then what did not succeed, and counts all', () => {
    expect(
      lines([
        part(0, { node: 'node1', state: 'ended', outcome: 'succeeded' }),
        part(1, { node: 'node2', state: 'ended', outcome: 'failed', exitStatus: 3, startedAt: STARTED_AT, endedAt: STARTED_AT + 900 }),
        part(2, { node: 'node3', state: 'running', startedAt: STARTED_AT }),
        part(3, { node: 'node4' }),
      ]),
    ).toEqual([
      ' node3   running   12s',
      ' node2   failed    0.9s   exit status 3',
      ' 2 of 4 ended: 1 succeeded, 1 failed; 1 running, 1 waiting; 0:12',
    ]);
  });

  it('is no higher and no wider than there is room for', () => {
    const many = Array.from({ length: 500 }, (_, index) => part(index, { node: `node${'x'.repeat(100)}${index}`, state: 'running' }));
    for (const size of [{ columns: 40, rows: 10 }, { columns: 10, rows: 3 }, SIZE]) {
      const shown = lines(many, size);
      expect(shown.length).toBeLessThanOrEqual(Math.max(2, size.rows));
      for (const line of shown) expect(line.length).toBeLessThanOrEqual(size.columns);
    }
    expect(lines(many, { columns: 40, rows: 10 }).at(-2)).toBe(' … 497 more');
  });

  it('cannot be broken by what a node says', () => {
    const hostile = part(0, { node: 'node1', state: 'ended', outcome: 'refused', reason: 'no\n\x1b[2Jhere' });
    expect(lines([hostile, part(1, { node: 'node2' })])[0]).toBe(' node1   refused      no\\n\\u001b[2Jhere');
  });

  it('tells hours', () => {
    expect(progressLine([], 3_725_000)).toBe('0 of 0 ended; 1:02:05');
  });
});

describe('a terminal with a table at its bottom', () => {
  it('draws over what it drew, and lets output pass above', () => {
    const written: string[] = [];
    const write = (text: string | Uint8Array): void => void written.push(String(text));
    let rows = ['a', 'b'];
    const screen = new LiveScreen({ write }, { out: write, err: write }, () => rows);
    screen.draw();
    screen.out('line\n');
    screen.draw();
    rows = ['c'];
    screen.draw();
    screen.err('half a line');
    screen.draw();
    screen.out('\n');
    screen.close();
    screen.draw();
    const drawn = (...texts: string[]): string => `\x1b[?7l${texts.map((text) => `${text}\n`).join('')}\x1b[?7h`;
    expect(written).toEqual([
      drawn('a', 'b'),
      '\x1b[2A\x1b[J',
      'line\n',
      drawn('a', 'b'),
      `\x1b[2A\x1b[J${drawn('c')}`,
      '\x1b[1A\x1b[J',
      'half a line',
      '\n',
    ]);
  });
});
