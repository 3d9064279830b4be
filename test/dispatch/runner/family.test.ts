import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFamily, membersOf, type Seen, signalGroup } from '../../../daemon/src/dispatch/runner/family.ts';

const one = (pid: number, parent: number, group: number, session: number): Seen => ({ pid, start: `s${pid}`, parent, group, session });
const pids = (found: Seen[]): number[] => found.map(({ pid }) => pid).sort((a, b) => a - b);
const NONE = new Map<number, string>();

describe('the family of a process', () => {
  const table = [
    one(1, 0, 1, 1),
    one(10, 1, 10, 10),
    one(11, 10, 10, 10),
    one(12, 1, 12, 10),
    one(13, 11, 13, 13),
    one(14, 13, 13, 13),
    one(20, 1, 20, 20),
    one(21, 20, 20, 20),
  ];

  it('is its group, its session and its descendants', () => {
    expect(pids(membersOf(table, 10, NONE))).toEqual([10, 11, 12, 13, 14]);
    expect(pids(membersOf(table, undefined, NONE))).toEqual([]);
  });

  it('keeps those it has seen, if they are still the same', () => {
    const orphan = [...table.filter(({ pid }) => pid !== 11), one(13, 1, 13, 13)].filter(
      (seen, index, all) => all.findLastIndex(({ pid }) => pid === seen.pid) === index,
    );
    expect(pids(membersOf(orphan, 10, NONE))).toEqual([10, 12]);
    expect(pids(membersOf(orphan, 10, new Map([[13, 's13']])))).toEqual([10, 12, 13, 14]);
    expect(pids(membersOf(orphan, 10, new Map([[13, 'other']])))).toEqual([10, 12]);
  });

  it('ends on any table', () => {
    const some = fc.nat(12);
    const tables = fc.uniqueArray(
      fc.tuple(some, some, some, some).map(([pid, parent, group, session]) => one(pid, parent, group, session)),
      { selector: ({ pid }) => pid },
    );
    fc.assert(
      fc.property(tables, some, (all, leader) => {
        const found = membersOf(all, leader, NONE);
        expect(new Set(pids(found)).size).toBe(found.length);
        for (const seen of all) if (seen.session === leader) expect(found).toContain(seen);
      }),
    );
  });

  it('is never that of everybody', async () => {
    for (const pid of [1, 0, -1]) {
      expect(await createFamily({ boot: 'b', pid, start: 's' }).look()).toEqual([]);
      signalGroup(pid, 'SIGKILL');
    }
  });
});
