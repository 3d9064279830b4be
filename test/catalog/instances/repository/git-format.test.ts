import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commitObject, readCommitObject, readTreeObject, treesOf } from '../../../../daemon/src/catalog/instances/repository/git-format.ts';

const oid = fc.stringMatching(/^[0-9a-f]{40}$/);
const line = fc.string({ unit: 'grapheme', maxLength: 20 });

describe('what git stores', () => {
  it('says of a commit what was written', () => {
    const commit = fc.record({
      tree: oid,
      parents: fc.array(oid, { maxLength: 2 }),
      author: fc.record({ name: line, email: line }),
      message: fc.string({ unit: 'grapheme' }),
      at: fc.nat(),
    });
    fc.assert(
      fc.property(commit, (written) => {
        const { oid: id, body } = commitObject(written);
        const read = readCommitObject(id, body);
        expect(read).toMatchObject({ id, tree: written.tree, parents: written.parents, at: Math.floor(written.at / 1000) * 1000 });
        // written again it is the same commit
        expect(read && commitObject(read).oid).toBe(id);
      }),
    );
  });

  it('is read in time that grows as it does, also where no author can be read', () => {
    const body = Buffer.from(`tree ${'a'.repeat(40)}\nauthor ${'A <'.repeat(300_000)}\n\nIt\n`);
    expect(readCommitObject('b'.repeat(40), body)).toMatchObject({ author: { name: '', email: '' }, message: 'It' });
  });

  it('has every file of a tree in its directory', () => {
    const path = fc.array(fc.stringMatching(/^[a-z]{1,2}$/), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const file = fc.record({ path, oid, executable: fc.boolean() });
    fc.assert(
      fc.property(fc.uniqueArray(file, { selector: (one) => one.path }), (all) => {
        const files = all.filter((one) => !all.some((other) => other.path.startsWith(`${one.path}/`)));
        const { root, trees } = treesOf(files);
        const walk = (id: string, above: string): unknown[] =>
          (readTreeObject(trees.find((tree) => tree.oid === id)?.body ?? new Uint8Array(), 1000) ?? []).flatMap(
            ({ mode, name, oid: of }) =>
              mode === '40000' ? walk(of, `${above}${name}/`) : [{ path: above + name, oid: of, executable: mode === '100755' }],
          );
        const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1);
        expect((walk(root, '') as typeof files).sort(byPath)).toEqual([...files].sort(byPath));
      }),
    );
  });
});
