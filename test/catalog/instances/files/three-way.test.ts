import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FileSet, fileSet, merge } from '../../../../daemon/src/catalog/instances/files/three-way.ts';

/** Few paths and contents, so that they collide. None is a file and a directory at once. */
const files: fc.Arbitrary<FileSet> = fc
  .uniqueArray(
    fc.record({
      path: fc.constantFrom('a', 'a/b', 'a/b/c', 'a/d', 'e', 'e/f'),
      executable: fc.boolean(),
      data: fc.constantFrom(new Uint8Array([1]), new Uint8Array([2])),
    }),
    { selector: ({ path }) => path },
  )
  .map((all) => fileSet(all.filter(({ path }) => !all.some((other) => other.path.startsWith(`${path}/`)))));

const sorted = (set: FileSet) => [...set.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
const said = (set: FileSet, path: string) => JSON.stringify([...sorted(set)].find((file) => file.path === path) ?? null);

describe('files that were changed on two sides', () => {
  it('are as the side that changed them has them', () => {
    fc.assert(
      fc.property(files, files, (base, changed) => {
        for (const merged of [merge(base, changed, base), merge(base, base, changed), merge(base, changed, changed)]) {
          expect(merged.conflicts).toEqual([]);
          expect(sorted(merged.files)).toEqual(sorted(changed));
        }
        expect(merge(undefined, changed, changed)).toEqual({
          files: new Map(sorted(changed).map((file) => [file.path, file])),
          conflicts: [],
        });
      }),
    );
  });

  it('are in conflict where both did so, and can be written whatever becomes of that', () => {
    fc.assert(
      fc.property(fc.option(files, { nil: undefined }), files, files, (base, ours, theirs) => {
        const merged = merge(base, ours, theirs);
        const paths = [...merged.files.keys()];
        expect(paths.filter((path) => paths.some((other) => other.startsWith(`${path}/`)))).toEqual([]);
        for (const path of new Set([...(base?.keys() ?? []), ...ours.keys(), ...theirs.keys()])) {
          const [was, own, their, is] = [base ?? new Map(), ours, theirs, merged.files].map((set) => said(set, path));
          if (merged.conflicts.includes(path)) {
            expect(own).not.toBe(their);
            expect(is).toBe(their);
          } else expect(is).toBe(own === their || was === their ? own : their);
        }
      }),
    );
  });

  it('are in conflict where one side has a file and the other a directory', () => {
    const one = (path: string) => fileSet([{ path, executable: false, data: new Uint8Array() }]);
    expect(merge(new Map(), one('a'), one('a/b'))).toEqual({ files: one('a/b'), conflicts: ['a'] });
    expect(merge(undefined, one('a/b'), one('a'))).toEqual({ files: one('a'), conflicts: ['a/b'] });
  });
});
