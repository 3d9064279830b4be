import { chmod, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_PACK_BYTES } from '../../../../daemon/src/catalog/instances/repository/limits.ts';
import { GitObjects } from '../../../../daemon/src/catalog/instances/repository/objects.ts';
import { createRepositories } from '../../../../daemon/src/catalog/instances/repository/repositories.ts';
import { refusal } from '../../model/fixtures.ts';
import { type Bench, bench, by, bytes, git, gitVersion, someFiles, text } from './bench.ts';

const version = await gitVersion();
// without a git on the machine nothing of this can be seen; the rest of the repository has tests without it
const describeWithGit = describe.runIf(version !== undefined);

let made: Bench;
beforeEach(async () => {
  made = await bench();
});
afterEach(() => made.close());

async function shop() {
  const { directory } = await made.repositories.create('shop', someFiles, by('Stage acme/web:web-tier 1.2.0 as shop'));
  return { directory, repository: await made.repositories.open('shop') };
}

describeWithGit(`a repository beside ${version}`, () => {
  it('is one that git finds nothing wrong with', async () => {
    const { directory, repository } = await shop();
    expect(await git(directory, 'status', '--porcelain')).toBe('');
    expect(await git(directory, 'log', '--format=%s|%an|%ae|%cn')).toBe(
      'Stage acme/web:web-tier 1.2.0 as shop|ops@node0|ops@node0|ops@node0',
    );
    expect(await git(directory, 'fsck', '--strict')).toBe('');
    expect(await git(directory, 'rev-parse', 'HEAD')).toBe(await repository.head());
    expect(await git(directory, 'ls-files', '-s', 'modules/acme/web/bin/start')).toContain('100755');
  });

  it('commits what was added, changed, made executable and removed, so that git sees the same', async () => {
    const { directory, repository } = await shop();
    await writeFile(join(directory, 'dtk.service.yaml'), 'name: shop\ntarget: prod\n');
    await mkdir(join(directory, 'modules/acme/db/a-b'), { recursive: true });
    await writeFile(join(directory, 'modules/acme/db/a-b/x'), 'x');
    await writeFile(join(directory, 'modules/acme/db/a.b'), 'y');
    await writeFile(join(directory, 'modules/acme/db/a'), 'z').catch(() => undefined);
    await rm(join(directory, 'modules/acme/web/bin'), { recursive: true });
    await chmod(join(directory, 'modules/acme/web/dtk.module.yaml'), 0o755);
    await writeFile(join(directory, '.dtk.service.yaml.swp'), 'an editor is open');
    const { changes } = await repository.status();
    expect(changes).toEqual([
      { path: 'dtk.service.yaml', op: 'changed' },
      { path: 'modules/acme/db/a', op: 'added' },
      { path: 'modules/acme/db/a-b/x', op: 'added' },
      { path: 'modules/acme/db/a.b', op: 'added' },
      { path: 'modules/acme/web/bin/start', op: 'removed' },
      { path: 'modules/acme/web/dtk.module.yaml', op: 'changed' },
    ]);
    const { commit, changed } = await repository.commit(by('Change it'));
    expect(changed).toBe(true);
    expect(await git(directory, 'rev-parse', 'HEAD')).toBe(commit);
    expect(await git(directory, 'status', '--porcelain')).toBe('');
    expect(await git(directory, 'fsck', '--strict')).toBe('');
    expect((await git(directory, 'show', '--format=', '--name-status')).split('\n').sort()).toEqual([
      'A\tmodules/acme/db/a',
      'A\tmodules/acme/db/a-b/x',
      'A\tmodules/acme/db/a.b',
      'D\tmodules/acme/web/bin/start',
      'M\tdtk.service.yaml',
      'M\tmodules/acme/web/dtk.module.yaml',
    ]);
    expect(await repository.commit(by('Nothing'))).toEqual({ commit, changed: false });
  });

  it('takes what a clone pushes, and is clean then', async () => {
    const { directory, repository } = await shop();
    const before = await repository.head();
    const clone = join(made.root, 'clone');
    await git(made.root, 'clone', '-q', directory, clone);
    await writeFile(join(clone, 'dtk.service.yaml'), 'name: shop\n# pushed\n');
    await git(clone, 'commit', '-q', '-am', 'Edit in a clone');
    await git(clone, 'push', '-q');
    expect(await git(directory, 'status', '--porcelain')).toBe('');
    const { head, tree, changes } = await repository.status();
    expect(head).not.toBe(before);
    expect(changes).toEqual([]);
    expect(text(await tree.read('dtk.service.yaml'))).toContain('# pushed');
    // a .gitattributes of a module does not change bytes here
    expect(text(await tree.read('modules/acme/web/.gitattributes'))).toBe('* text eol=crlf\n');
    await writeFile(join(directory, 'more'), 'more\n');
    const refused = repository.commit({ ...by('On top of what I saw'), expect: { head: before } });
    await expect(refused).rejects.toMatchObject({ code: 'CONFLICT' });
    await repository.commit(by('On top'));
    await git(clone, 'pull', '-q');
    expect(await git(clone, 'log', '--format=%s')).toBe('On top\nEdit in a clone\nStage acme/web:web-tier 1.2.0 as shop');
  });

  it('refuses a push over edits that are not committed, and one that rewrites history', async () => {
    const { directory, repository } = await shop();
    const clone = join(made.root, 'clone');
    await git(made.root, 'clone', '-q', directory, clone);
    await writeFile(join(directory, 'dtk.service.yaml'), 'name: shop\n# edited here\n');
    await writeFile(join(clone, 'dtk.service.yaml'), 'name: shop\n# edited there\n');
    await git(clone, 'commit', '-q', '-am', 'Edit in a clone');
    await expect(git(clone, 'push', '-q')).rejects.toThrow(/unstaged changes/);
    expect(text(await (await repository.status()).tree.read('dtk.service.yaml'))).toContain('edited here');
    await repository.commit(by('Edit here'));
    await expect(git(clone, 'push', '-q')).rejects.toThrow(/rejected/);
    await expect(git(clone, 'push', '-q', '--force')).rejects.toThrow(/non-fast-forward/);
    await git(clone, 'fetch', '-q');
    expect(await git(clone, 'log', '-1', '--format=%s', 'origin/main')).toBe('Edit here');
  });

  it('goes on after git has packed everything, and committed there itself', async () => {
    const { directory, repository } = await shop();
    const first = await repository.head();
    await repository.setApplied(first);
    await writeFile(join(directory, 'dtk.service.yaml'), 'name: shop\n# by git\n');
    await git(directory, 'commit', '-q', '-am', 'By git');
    await git(directory, 'gc', '-q');
    await git(directory, 'pack-refs', '--all');
    expect(await repository.head()).toBe(await git(directory, 'rev-parse', 'HEAD'));
    expect(await repository.applied()).toBe(first);
    expect(await repository.resolve(first.slice(0, 7))).toBe(first);
    expect((await repository.log()).map(({ message }) => message)).toEqual(['By git', 'Stage acme/web:web-tier 1.2.0 as shop']);
    const fresh = await made.repositories.open('shop');
    await fresh.restore('HEAD~1', by('Go back'));
    expect(await git(directory, 'status', '--porcelain')).toBe('');
    expect(await git(directory, 'fsck', '--strict')).toBe('');
    await fresh.setApplied(undefined);
    expect(await fresh.applied()).toBeUndefined();
  });

  it('reads what git has packed once for a look, and no pack that memory has no room for', async () => {
    const { directory } = await shop();
    await git(directory, 'gc', '--quiet');
    const gitdir = join(directory, '.git');
    const objects = new GitObjects(gitdir);
    expect(await objects.reader()).toBe(await objects.reader());
    const large = join(gitdir, 'objects/pack/pack-large.pack');
    await writeFile(large, '');
    await truncate(large, MAX_PACK_BYTES + 1);
    const again = createRepositories({ directory: dirname(directory) });
    const error = await refusal((await again.open('shop')).status());
    expect(error.code).toBe('TOO_LARGE');
    expect(error.next).toContain(`git -C ${directory} repack`);
  });

  it('finds commits by tags, with messages or without', async () => {
    const { directory, repository } = await shop();
    const head = await repository.head();
    await git(directory, 'tag', 'plain');
    await git(directory, 'tag', '-a', '-m', 'The first', 'v1');
    await git(directory, 'tag', '-a', '-m', 'Of a tag', 'v1-again', 'v1');
    for (const packed of [false, true]) {
      if (packed) await git(directory, 'gc', '-q');
      for (const tag of ['plain', 'v1', 'v1-again']) expect(await repository.resolve(tag)).toBe(head);
    }
    await git(directory, 'tag', 'file', `${head}:dtk.service.yaml`);
    await expect(repository.resolve('file')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('tells the history over merges, and over what no git would have written', async () => {
    const { directory, repository } = await shop();
    const first = await repository.head();
    const commit = async (...args: string[]) => {
      await git(directory, 'commit', '-q', '--allow-empty', ...args);
      return git(directory, 'rev-parse', 'HEAD');
    };
    const late = await commit('-m', 'In a time to come', '--date=@99999999999999 +0000');
    const tree = await git(directory, 'rev-parse', 'HEAD^{tree}');
    await writeFile(join(made.root, 'odd'), `tree ${tree}\nparent ${late}\nauthor nobody\ncommitter nobody\n\nOdd\n`);
    const odd = await git(directory, 'hash-object', '-t', 'commit', '-w', '--literally', join(made.root, 'odd'));
    await git(directory, 'update-ref', 'refs/heads/main', odd);
    await git(directory, 'switch', '-q', '-c', 'side', first);
    const side = await commit('-m', 'Beside', '--date=@1000000000 +0000');
    await git(directory, 'switch', '-q', 'main');
    await git(directory, 'merge', '-q', '--no-edit', 'side');
    const log = await repository.log();
    expect(log.map(({ id }) => id)).toEqual([await repository.head(), side, first, odd, late]);
    expect(log.map(({ at }) => new Date(at).toISOString().slice(0, 4)).slice(1)).toEqual(['2001', '2026', '1970', '+275']);
    expect(log[3]).toMatchObject({ author: { name: '', email: '' }, message: 'Odd', parents: [late] });
    expect(await repository.log({ limit: 2 })).toEqual(log.slice(0, 2));
  });

  it('goes back to no tree that no work tree can be', async () => {
    const { directory, repository } = await shop();
    const blob = await git(directory, 'rev-parse', 'HEAD:dtk.service.yaml');
    const below = await git(directory, 'rev-parse', 'HEAD:modules');
    const entry = (mode: string, name: string, oid: string) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')]);
    const file = entry('100644', 'a', blob);
    for (const entries of [
      [file, file],
      [file, entry('40000', 'a', below)],
    ]) {
      await writeFile(join(made.root, 'tree'), Buffer.concat(entries));
      const tree = await git(directory, 'hash-object', '-t', 'tree', '-w', '--literally', join(made.root, 'tree'));
      const commit = await git(directory, 'commit-tree', tree, '-m', 'Twice');
      expect((await repository.tree(commit)).faults).toMatchObject([{ where: 'a' }]);
      await expect(repository.restore(commit, by('x'))).rejects.toMatchObject({ code: 'INVALID' });
      expect((await repository.status()).changes).toEqual([]);
    }
  });

  it('commits nothing of a merge that nobody has ended, nor files in conflict', async () => {
    const { directory, repository } = await shop();
    const script = join(directory, 'modules/acme/web/bin/start');
    const say = async (what: string) => {
      await writeFile(script, `#!/bin/sh\necho ${what}\n`);
      await git(directory, 'commit', '-q', '-am', what);
    };
    const first = await repository.head();
    await git(directory, 'switch', '-q', '-c', 'other');
    await say('other');
    await git(directory, 'switch', '-q', 'main');
    await say('main');
    await expect(git(directory, 'merge', '-q', 'other')).rejects.toThrow();
    const { tree } = await repository.status();
    expect(tree.faults.map(({ where }) => where)).toEqual(['.', 'modules/acme/web/bin/start']);
    const refused = { code: 'INVALID', next: expect.stringContaining('git merge --abort') };
    await expect(repository.commit(by('x'))).rejects.toMatchObject(refused);
    await expect(repository.restore(first, { ...by('x'), discard: true })).rejects.toMatchObject(refused);
    await expect(repository.commitFiles([{ path: 'n', data: bytes('1') }], by('x'))).rejects.toMatchObject(refused);
    await writeFile(script, '#!/bin/sh\necho both\n');
    await git(directory, 'add', '-A');
    await expect(repository.commit(by('x'))).rejects.toMatchObject(refused);
    await git(directory, 'commit', '-q', '-m', 'Merge other');
    expect(await repository.status()).toMatchObject({ changes: [], tree: { faults: [] } });

    // what was put aside comes back without a note of it: only the index tells, in whatever form git keeps it
    for (const form of ['2', '3', '4']) {
      await writeFile(script, `#!/bin/sh\necho aside ${form}\n`);
      await git(directory, 'stash', '-q');
      await say(`meanwhile ${form}`);
      await expect(git(directory, 'stash', 'pop')).rejects.toThrow();
      await writeFile(join(directory, `later-${form}`), form);
      // an index with intent-to-add entries has version 3
      if (form === '3') await git(directory, 'add', '--intent-to-add', 'later-3');
      else await git(directory, 'update-index', '--index-version', form);
      expect((await readFile(join(directory, '.git/index'))).readUInt32BE(4)).toBe(Number(form));
      expect((await repository.status()).tree.faults).toMatchObject([{ where: 'modules/acme/web/bin/start' }]);
      await expect(repository.commit(by('x'))).rejects.toMatchObject({ code: 'INVALID', next: expect.stringContaining('git add') });
      await git(directory, 'checkout', '-q', '--theirs', '.');
      await git(directory, 'add', '-A');
      expect(await repository.commit(by('x'))).toMatchObject({ changed: true });
      await git(directory, 'stash', 'drop', '-q');
    }
  });

  it('is told apart from links and submodules that a clone pushes', async () => {
    const { directory, repository } = await shop();
    const clone = join(made.root, 'clone');
    await git(made.root, 'clone', '-q', directory, clone);
    await symlink('/etc', join(clone, 'modules/acme/etc'));
    await git(clone, 'add', '-A');
    await git(clone, 'update-index', '--add', '--cacheinfo', `160000,${await repository.head()},modules/acme/sub`);
    await git(clone, 'commit', '-q', '-m', 'Reach out');
    await git(clone, 'push', '-q');
    const { tree } = await repository.status();
    expect(tree.faults.map(({ kind, where }) => `${kind} ${where}`)).toEqual(['PARSING_ERROR modules/acme/etc']);
    expect([...tree.files.keys()].some((path) => path.startsWith('modules/acme/etc'))).toBe(false);
    const committed = await repository.tree('HEAD');
    expect(committed.faults.map(({ where }) => where)).toEqual(['modules/acme/etc', 'modules/acme/sub']);
    await expect(repository.write([{ path: 'modules/acme/etc/x', data: bytes('x') }])).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(repository.restore('HEAD', { ...by('x'), discard: true })).rejects.toMatchObject({ code: 'INVALID' });
    await repository.restore('HEAD~1', { ...by('Back'), discard: true });
    expect((await repository.status()).tree.faults).toEqual([]);
  });
});
