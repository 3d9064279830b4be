import fc from 'fast-check';
import semver from 'semver';
import { describe, expect, it, vi } from 'vitest';
import { DtkdError } from '../../../protocol/errors.ts';
import { type Candidate, isInRange, type Pin, resolveModules } from '../../../protocol/modules/resolve.ts';

type Shelf = Record<string, Record<string, Record<string, string>>>;
const digestOf = (name: string, version: string) => `${name}-${version}`;

/** Modules by name and version, with what they depend on. */
function candidates(shelf: Shelf, name: string, types: Record<string, string[]> = {}): Candidate[] {
  return Object.entries(shelf[name] ?? {}).map(([version, dependencies]) => ({
    version,
    digest: digestOf(name, version),
    dependencies,
    types: types[name] ?? [],
  }));
}

function resolve(
  dependencies: Record<string, string>,
  shelf: Shelf,
  { lock, types = {} }: { lock?: ReadonlyMap<string, Pin>; types?: Record<string, string[]> } = {},
) {
  const found = resolveModules({
    root: { name: 'acme/web', version: '1.0.0', dependencies, types: types['acme/web'] ?? [] },
    available: (name) => candidates(shelf, name, types),
    ...(lock === undefined ? {} : { lock }),
  });
  return Object.fromEntries([...found].map(([name, { version }]) => [name, version]));
}

function refusal(...args: Parameters<typeof resolve>): DtkdError {
  try {
    resolve(...args);
  } catch (error) {
    if (error instanceof DtkdError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('modules that a module needs', () => {
  const shelf: Shelf = {
    'acme/db': { '1.0.0': {}, '1.10.0': {}, '1.9.0': {}, '2.0.0': { 'acme/os': '*' }, '3.0.0-rc.1': {} },
    'acme/os': { '0.1.0': {}, '0.2.0': {} },
  };

  it('are the newest that are in the range, with what those need', () => {
    expect(resolve({}, shelf)).toEqual({});
    expect(resolve({ 'acme/db': '^1.0.0' }, shelf)).toEqual({ 'acme/db': '1.10.0' });
    expect(resolve({ 'acme/db': '*' }, shelf)).toEqual({ 'acme/db': '2.0.0', 'acme/os': '0.2.0' });
    expect(resolve({ 'acme/db': '3.0.0-rc.1' }, shelf)).toEqual({ 'acme/db': '3.0.0-rc.1' });
  });

  it('are older ones where the newest do not fit one another', () => {
    const diamond: Shelf = {
      'acme/a': { '1.0.0': { 'acme/c': '^1' }, '2.0.0': { 'acme/c': '^2' } },
      'acme/b': { '1.0.0': { 'acme/c': '^1' } },
      'acme/c': { '1.0.0': {}, '2.0.0': {} },
    };
    expect(resolve({ 'acme/a': '*', 'acme/b': '*' }, diamond)).toEqual({ 'acme/a': '1.0.0', 'acme/b': '1.0.0', 'acme/c': '1.0.0' });
  });

  it('are those of the lock, as long as the ranges let', () => {
    const lock = new Map([['acme/db', { version: '1.9.0', digest: digestOf('acme/db', '1.9.0') }]]);
    expect(resolve({ 'acme/db': '^1.0.0' }, shelf, { lock })).toEqual({ 'acme/db': '1.9.0' });
    expect(resolve({ 'acme/db': '^2.0.0' }, shelf, { lock })).toMatchObject({ 'acme/db': '2.0.0' });
    const gone = new Map([['acme/db', { version: '1.5.0', digest: 'x'.repeat(64) }]]);
    const missing = refusal({ 'acme/db': '^1.0.0' }, shelf, { lock: gone });
    expect(missing).toMatchObject({ code: 'CONTENT_MISSING' });
    expect(missing.message).toContain('acme/db 1.5.0');
    const other = new Map([['acme/db', { version: '1.9.0', digest: 'x'.repeat(64) }]]);
    expect(refusal({ 'acme/db': '^1.0.0' }, shelf, { lock: other }).message).toContain('with other content');
    // the versions that it keeps may be the only obstacle to a changed range
    const newer: Shelf = {
      'acme/a': { '1.0.0': { 'acme/c': '^1' }, '1.1.0': { 'acme/c': '^2' } },
      'acme/c': { '1.0.0': {}, '2.0.0': {} },
    };
    const kept = new Map(['acme/a', 'acme/c'].map((name) => [name, { version: '1.0.0', digest: digestOf(name, '1.0.0') }]));
    const wanted = { 'acme/a': '^1', 'acme/c': '^2' };
    expect(refusal(wanted, newer, { lock: kept })).toMatchObject({ code: 'CONFLICT', next: expect.stringContaining('--update') });
    expect(resolve(wanted, newer)).toEqual({ 'acme/a': '1.1.0', 'acme/c': '2.0.0' });
  });
});

describe('what cannot be', () => {
  const shelf: Shelf = {
    'acme/a': { '1.0.0': { 'acme/c': '^1' } },
    'acme/b': { '1.0.0': { 'acme/c': '^2' } },
    'acme/c': { '1.0.0': {}, '2.0.0': {} },
  };

  it('says which module wants which range, and what is there', () => {
    const none = refusal({ 'acme/c': '^3' }, shelf);
    expect(none.code).toBe('NO_MATCH');
    expect(none.message).toBe('no version is in the range: acme/web 1.0.0 wants acme/c "^3"; there is 2.0.0, 1.0.0');
    const nowhere = refusal({ 'acme/x': '*' }, shelf);
    expect(nowhere).toMatchObject({ code: 'NO_MATCH' });
    expect(nowhere.message).toContain('there is no acme/x, neither here nor released');
  });

  it('says who contradicts whom', () => {
    const { code, message } = refusal({ 'acme/a': '*', 'acme/b': '*' }, shelf);
    expect(code).toBe('CONFLICT');
    expect(message).toContain('acme/a 1.0.0 wants acme/c "^1", acme/b 1.0.0 wants acme/c "^2"; there is 2.0.0, 1.0.0');
    const late = refusal({ 'acme/a': '*', 'acme/z': '*' }, { ...shelf, 'acme/z': { '1.0.0': { 'acme/a': '^2' } } });
    expect(late.message).toContain('acme/web 1.0.0 wants acme/a "*", acme/z 1.0.0 wants acme/a "^2"');
  });

  it('names a cycle', () => {
    const round: Shelf = {
      'acme/a': { '1.0.0': { 'acme/b': '*' } },
      'acme/b': { '1.0.0': { 'acme/a': '*' } },
      'acme/d': { '1.0.0': { 'acme/web': '*' } },
    };
    expect(refusal({ 'acme/a': '*' }, round).message).toContain('acme/a → acme/b → acme/a');
    expect(refusal({ 'acme/d': '*' }, round)).toMatchObject({ code: 'INVALID' });
    expect(refusal({ 'acme/d': '*' }, round).message).toContain('acme/web → acme/d → acme/web');
  });

  it('names two modules that define one type', () => {
    const two: Shelf = { 'acme/a': { '1.0.0': {} }, 'acme/b': { '1.0.0': {} } };
    const { code, message } = refusal({ 'acme/a': '*', 'acme/b': '*' }, two, { types: { 'acme/a': ['Web'], 'acme/b': ['WEB'] } });
    expect(code).toBe('INVALID');
    expect(message).toBe('two modules define one type: WEB (acme/a 1.0.0 and acme/b 1.0.0)');
    expect(refusal({ 'acme/a': '*' }, two, { types: { 'acme/a': ['Web'], 'acme/web': ['web'] } }).message).toContain(
      'acme/web 1.0.0 and acme/a',
    );
  });

  it('is given up in bounded time, also where it is made to take for ever', () => {
    const hard: Shelf = {};
    const versions = Array.from({ length: 20 }, (_, at) => `1.${at}.0`);
    for (let at = 0; at < 30; at++) {
      const next = `acme/m${String(at + 1).padStart(2, '0')}`;
      // each version fits only some of the next, and the last one nothing
      hard[`acme/m${String(at).padStart(2, '0')}`] = Object.fromEntries(
        versions.map((version, which) => [
          version,
          { [next]: `1.${(which * 7) % 20}.0 || 1.${(which * 3) % 20}.0`, 'acme/z': `<=1.${which}.0` },
        ]),
      );
    }
    hard['acme/m30'] = Object.fromEntries(versions.map((version) => [version, { 'acme/z': '>=2' }]));
    hard['acme/z'] = { '1.0.0': {} };
    expect(refusal({ 'acme/m00': '*' }, hard).code).toMatch(/CONFLICT|NO_MATCH/);
    const endless: Shelf = {};
    for (let at = 0; at < 400; at++) endless[`acme/n${at}`] = { '1.0.0': { [`acme/n${at + 1}`]: '*' } };
    expect(refusal({ 'acme/n0': '*' }, endless).message).toContain('more than 128 modules');
  });
});

describe('any graph', () => {
  const name = fc.constantFrom('acme/a', 'acme/b', 'acme/c', 'acme/d');
  const version = fc.constantFrom('1.0.0', '1.1.0', '2.0.0', '3.0.0');
  const range = fc.constantFrom('*', '^1', '^2', '1.0.0', '>=1.1 <3', '>=2', 'nonsense', '');
  const wants = fc.dictionary(name, range, { maxKeys: 3 });
  const shelves = fc.dictionary(name, fc.dictionary(version, wants, { maxKeys: 4 }), { maxKeys: 4 });

  /** Whether there is any choice at all: every one is tried. */
  function solvable(root: Record<string, string>, shelf: Shelf, chosen: Record<string, string> = {}): boolean {
    const all: [string, Record<string, string>][] = [
      ['', root],
      ...Object.entries(chosen).map(([one, at]) => [one, shelf[one]?.[at] ?? {}] as [string, Record<string, string>]),
    ];
    const wishes = all.flatMap(([, each]) => Object.entries(each));
    if (wishes.some(([one, each]) => chosen[one] !== undefined && !isInRange(chosen[one], each))) return false;
    const open = wishes.map(([one]) => one).find((one) => chosen[one] === undefined);
    if (open === undefined) return true;
    return Object.keys(shelf[open] ?? {}).some((at) => solvable(root, shelf, { ...chosen, [open]: at }));
  }

  it('is solved if it can be, with what is wanted and nothing else, whatever the order', () => {
    fc.assert(
      fc.property(wants, shelves, (root, shelf) => {
        let found: Record<string, string>;
        try {
          found = resolve(root, shelf);
        } catch (error) {
          expect(error).toBeInstanceOf(DtkdError);
          if (error instanceof DtkdError && error.code !== 'INVALID') expect(solvable(root, shelf)).toBe(false);
          return;
        }
        const wishes = [root, ...Object.entries(found).map(([one, at]) => shelf[one]?.[at] ?? {})].flatMap((each) => Object.entries(each));
        for (const [one, each] of wishes) expect(isInRange(found[one] ?? '', each)).toBe(true);
        expect(Object.keys(found).sort()).toEqual([...new Set(wishes.map(([one]) => one))].sort());
        const turned = Object.fromEntries(
          Object.entries(shelf).map(([one, each]) => [one, Object.fromEntries(Object.entries(each).reverse())]),
        );
        expect(resolve(Object.fromEntries(Object.entries(root).reverse()), turned)).toEqual(found);
      }),
      { numRuns: 500 },
    );
  });
});

it('a graph that is made to keep it busy costs a bounded number of comparisons', () => {
  const names = Array.from({ length: 10 }, (_, at) => `a/m${at}`);
  const versions = Array.from({ length: 100 }, (_, at) => `1.${at}.0`);
  const made = (name: string) =>
    versions.map((version, at) => {
      const wanted = name === 'a/m9' ? '>=2.0.0' : `>=1.0.0 || ^3.${at}.0 || ^4.0.0`;
      return { version, digest: '0'.repeat(64), dependencies: name === 'z/z' ? {} : { 'z/z': wanted }, types: [] };
    });
  const compared = vi.spyOn(semver.Range.prototype, 'test');
  const root = { name: 'r/r', version: '1.0.0', dependencies: Object.fromEntries(names.map((name) => [name, '*'])), types: [] };
  expect(() => resolveModules({ root, available: made })).toThrow('in reasonable time');
  const { length } = compared.mock.calls;
  compared.mockRestore();
  expect(length).toBeLessThanOrEqual(100_000);
});
