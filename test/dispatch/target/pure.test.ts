import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toProperties } from '../../../daemon/src/dispatch/target/install/properties-file.ts';
import { resourceDirectory, safeName } from '../../../daemon/src/dispatch/target/install/safe-name.ts';
import type { JournalEntry } from '../../../daemon/src/dispatch/target/journal.ts';
import { decodeRow, encodeRow, type JournalRow } from '../../../daemon/src/dispatch/target/journal-row.ts';
import { PartQueue } from '../../../daemon/src/dispatch/target/queue.ts';
import { expired } from '../../../daemon/src/dispatch/target/retention.ts';
import { ended, started } from '../../../daemon/src/dispatch/target/state.ts';
import { namedInterpreter } from '../../../daemon/src/dispatch/target/work/argv.ts';
import { parseRunName, runName } from '../../../daemon/src/dispatch/target/work/run-names.ts';
import { OUTCOMES } from '../../../protocol/orders/outcome.ts';

const ROW: JournalRow = {
  version: 1,
  order: Uint8Array.of(1),
  from: { domain: 'd', key: 'k', node: 'desk' },
  principal: { type: 'user', home: 'a'.repeat(64), name: 'ops', uid: 'u', display: 'ops@desk' },
  about: { plural: 'exec', name: 'web1' },
  part: { index: 0, node: 'web1', what: 'exec true', state: 'accepted' },
  acceptedAt: 1,
  keepUntil: 10,
};
const START = { at: 2, deadline: 9, plain: true, secrets: [] };

describe('the state of a part', () => {
  it('starts once, and ends once, but for what was unknown', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant('start' as const), fc.constantFrom(...OUTCOMES)), { maxLength: 8 }), (events) => {
        let row = ROW;
        let starts = 0;
        let endings = 0;
        for (const event of events) {
          const before = row.part;
          try {
            row = event === 'start' ? started(row, START) : ended(row, { outcome: event, endedAt: 3 });
          } catch {
            expect(row.part).toBe(before);
            continue;
          }
          if (event === 'start') starts += 1;
          else {
            endings += 1;
            if (before.state === 'ended') expect(before.outcome).toBe('unknown');
            if (event === 'succeeded' && before.outcome !== 'unknown') expect(starts).toBe(1);
            if (event === 'refused' || event === 'skipped') expect(before.state).toBe('accepted');
          }
        }
        expect(starts).toBeLessThanOrEqual(1);
        expect(endings).toBeLessThanOrEqual(2);
        expect(decodeRow(encodeRow(row))).toEqual(row);
      }),
    );
  });
});

describe('turns', () => {
  it('go to the starters one after another, and each part has one', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 30 }), fc.integer({ min: 1, max: 4 }), (starters, limit) => {
        const queue = new PartQueue<string>();
        for (const [at, starter] of starters.entries()) queue.add(starter, `${starter}${at}`);
        const order: string[] = [];
        while (queue.waiting() > 0) {
          const next = queue.next(limit);
          if (next === undefined) {
            expect(queue.running).toBe(limit);
            queue.done();
          } else order.push(next);
        }
        expect([...order].sort()).toEqual(starters.map((starter, at) => `${starter}${at}`).sort());
        // While two wait, neither has two turns in a row.
        for (const [at, one] of order.entries()) {
          const left = new Set(order.slice(at).map((name) => name[0]));
          if (left.size > 1 && at > 0)
            expect(order[at - 1]?.[0] === one[0] && order.slice(at).some((name) => name[0] !== one[0])).toBe(false);
        }
      }),
    );
  });
});

/** Reads as java.util.Properties does (its load method), as far as what is written here needs it. */
function readProperties(text: string): [string, string][] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const at = /^(?:\\.|[^\\=: ])*/.exec(line)?.[0].length ?? 0;
      return [unescaped(line.slice(0, at)), unescaped(line.slice(at + 1).replace(/^[ \t]+/, ''))];
    });
}

function unescaped(text: string): string {
  return text.replace(/\\(u[0-9A-F]{4}|.)/g, (_all, what: string) => {
    if (what.length === 5) return String.fromCharCode(Number.parseInt(what.slice(1), 16));
    return { t: '\t', n: '\n', r: '\r', f: '\f' }[what] ?? what;
  });
}

describe('resource.properties', () => {
  it('is read again as it was, whatever stands in it', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.constantFrom(' a b ', 'a=b:c#!', '\\u0041', 'größe', '\t\n'),
    );
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            text.filter((key) => key !== ''),
            text,
          ),
          { maxLength: 5 },
        ),
        (entries) => {
          const written = toProperties(entries);
          expect(/^[\x20-\x7e\n]*$/.test(written)).toBe(true);
          expect(readProperties(written)).toEqual(entries);
        },
      ),
    );
  });
});

describe('directories of resources', () => {
  it('are never the same for two names, and never lead elsewhere', () => {
    const name = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('..', '.', '', 'a/b', '../../etc', 'a'.repeat(300), '%2E'),
    );
    fc.assert(
      fc.property(name, name, (a, b) => {
        for (const one of [a, b]) {
          expect(safeName(one)).toMatch(/^[A-Za-z0-9._~%-]{1,255}$/);
          expect(safeName(one).startsWith('.')).toBe(false);
        }
        expect(safeName(a) === safeName(b)).toBe(Buffer.from(a).equals(Buffer.from(b)));
      }),
      { examples: [['a'.repeat(300), `${'a'.repeat(299)}b`]] },
    );
    expect(resourceDirectory('/data', 'f'.repeat(64), { model: '..', type: 'Service', name: 'web/1' })).toBe(
      `/data/resources/${'f'.repeat(32)}/%2E./Service/web%2F1`,
    );
    const ofType = (type: string) => resourceDirectory('/', 'f'.repeat(64), { model: 'm', type, name: 'n' }).split('/').at(-2) ?? '';
    expect(['WebServer@shop', 'Web_Server', 'a@b@c', '../x@y', `${'x'.repeat(90)}@y`].map(ofType)).toEqual([
      'WebServer@shop',
      'Web_Server',
      'a%40b%40c',
      '%2E.%2Fx%40y',
      `${'x'.repeat(90)}%40y`,
    ]);
    fc.assert(fc.property(name, name, (a, b) => (ofType(a) === ofType(b)) === Buffer.from(a).equals(Buffer.from(b))));
  });

  it('of runs say which step they are of', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(1_000), fc.string({ unit: 'binary', maxLength: 60 }), (seq, step, command) => {
        const read = parseRunName(runName(seq, { step, command }));
        expect(read).toMatchObject({ seq, step });
        if (/^[\w -]+$/.test(command)) expect(read?.command).toBe(command);
      }),
    );
    expect(parseRunName('script-1-1-Show')).toBeUndefined();
  });
});

describe('first lines', () => {
  it.each([
    ['#!/bin/sh\necho', ['/bin/sh']],
    ['#! /usr/bin/env -S python3 -u \nprint', ['/usr/bin/env', '-S python3 -u']],
    ['#!/bin/sh -e', ['/bin/sh', '-e']],
    ['echo hello', undefined],
    ['', undefined],
  ])('of %j name %j', (text, expected) => {
    expect(namedInterpreter(Buffer.from(text))).toEqual(expected);
  });
});

describe('what is over', () => {
  const entry = (id: string, endedAt: number, offset: number, keepUntil = 0): JournalEntry => ({
    id,
    index: 0,
    row: { ...ROW, keepUntil, part: { ...ROW.part, state: 'ended', outcome: 'succeeded', endedAt, offset } },
  });
  const names = (entries: readonly JournalEntry[]) => entries.map(({ id }) => id);

  it('goes by age, the oldest output first where there is too much, and no id before its time', () => {
    const entries = [entry('old', 10, 100), entry('older', 5, 100), entry('new', 90, 100), entry('known', 1, 100, 1_000)];
    expect(names(expired(entries, { keepForMs: 50, keepBytes: 1_000 }, 100).output).sort()).toEqual(['known', 'old', 'older']);
    expect(names(expired(entries, { keepForMs: 50, keepBytes: 1_000 }, 100).parts).sort()).toEqual(['old', 'older']);
    expect(names(expired(entries, { keepForMs: 1_000, keepBytes: 250 }, 100).output).sort()).toEqual(['known', 'older']);
    expect(expired([{ id: 'on', index: 0, row: ROW }], { keepForMs: 0, keepBytes: 0 }, 1_000)).toEqual({ output: [], parts: [] });
  });
});
