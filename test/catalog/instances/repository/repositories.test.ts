import { access, mkdir, open, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { oidOf } from '../../../../daemon/src/catalog/instances/repository/git-format.ts';
import { withLockFile } from '../../../../daemon/src/catalog/instances/repository/lock-file.ts';
import { createRepositories } from '../../../../daemon/src/catalog/instances/repository/repositories.ts';
import { digestOf } from '../../../../protocol/modules/archive.ts';
import { type Bench, bench, by, bytes, filesIn, someFiles, text } from './bench.ts';

let made: Bench;
beforeEach(async () => {
  made = await bench();
});
afterEach(() => made.close());

async function shop() {
  const { directory } = await made.repositories.create('shop', someFiles, by('Stage'));
  return { directory, repository: await made.repositories.open('shop') };
}

describe('repositories', () => {
  it('are made under a name that is free, whole or not at all', async () => {
    const { directory } = await shop();
    expect(await made.repositories.names()).toEqual(['shop']);
    await expect(made.repositories.create('shop', someFiles, by('Again'))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    const both = await Promise.allSettled([
      made.repositories.create('other', someFiles, by('One')),
      made.repositories.create('other', someFiles, by('Two')),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const evil = [...someFiles, { path: 'modules/acme/web/.git/config', data: bytes('[core]\n\tfsmonitor = touch /tmp/evil\n') }];
    await expect(made.repositories.create('evil', evil, by('Evil'))).rejects.toMatchObject({ code: 'INVALID' });
    await expect(made.repositories.open('evil')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(made.repositories.open('../shop')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await readdir(join(directory, '..'))).sort()).toEqual(['other', 'shop']);
  });

  it('say that the files are gone, and what to do', async () => {
    const { directory } = await shop();
    await rm(directory, { recursive: true });
    await expect(made.repositories.open('shop')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `the files of service "shop" are gone from ${directory}`,
      next: 'Restore them from a backup, or remove the service: dtkd service uninstall shop.',
    });
  });

  it('are kept when an instance is uninstalled', async () => {
    const { directory, repository } = await shop();
    const path = await made.repositories.archive('shop');
    expect(path).toMatch(/\.uninstalled\/shop-2026-01-01T/);
    expect(Object.keys(await filesIn(path))).toHaveLength(someFiles.length);
    expect(await made.repositories.names()).toEqual([]);
    await expect(repository.status()).rejects.toThrow();
    await expect(made.repositories.open('shop')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await shop();
    await made.repositories.drop('shop');
    expect(await readdir(join(directory, '..'))).toEqual(['.uninstalled']);
  });

  it('do nothing with another one of their name once they are put aside', async () => {
    const { repository } = await shop();
    await made.repositories.archive('shop');
    const late = () => repository.write([{ path: 'late', data: bytes('x') }]);
    await expect(late()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { directory } = await shop();
    await expect(late()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await readdir(directory)).not.toContain('late');
  });

  it('are tidied of what was begun', async () => {
    await mkdir(join(made.root, 'instances/.new-1-1/.git'), { recursive: true });
    await made.repositories.tidy();
    expect(await readdir(join(made.root, 'instances'))).toEqual([]);
  });
});

describe('a repository', () => {
  it('finds commits as git does', async () => {
    const { directory, repository } = await shop();
    const [first] = await repository.log();
    for (const number of [1, 2, 3]) {
      await writeFile(join(directory, 'n'), String(number));
      await repository.commit(by(`Number ${number}`));
    }
    const log = await repository.log();
    expect(log.map(({ message }) => message)).toEqual(['Number 3', 'Number 2', 'Number 1', 'Stage']);
    expect(log[0]).toMatchObject({ author: { name: 'ops@node0' }, parents: [log[1]?.id] });
    const [third, second] = log.map(({ id }) => id);
    expect(await repository.resolve('HEAD')).toBe(third);
    expect(await repository.resolve('main~1')).toBe(second);
    expect(await repository.resolve('HEAD~3')).toBe(first?.id);
    expect(await repository.resolve('HEAD^^~')).toBe(first?.id);
    expect(await repository.resolve(String(second).slice(0, 8))).toBe(second);
    await repository.setApplied(second);
    expect(await repository.resolve('applied~2')).toBe(first?.id);
    for (const [revision, code] of [
      ['HEAD~4', 'NOT_FOUND'],
      ['nothing', 'NOT_FOUND'],
      ['0'.repeat(40), 'NOT_FOUND'],
      ['deadbee', 'NOT_FOUND'],
      ['../../x', 'BAD_REQUEST'],
      ['--help', 'BAD_REQUEST'],
      ['', 'BAD_REQUEST'],
    ] as const) {
      await expect(repository.resolve(revision), revision).rejects.toMatchObject({ code });
    }
    expect(text(await (await repository.tree('HEAD~1')).read('n'))).toBe('2');
    await expect(repository.setApplied('0'.repeat(40))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('says when what is to be committed is not what was looked at', async () => {
    const { directory, repository } = await shop();
    await writeFile(join(directory, 'n'), '1');
    const { head, tree } = await repository.status();
    await writeFile(join(directory, 'n'), '2');
    await expect(repository.commit({ ...by('x'), expect: { head, tree: tree.id } })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(tree.read('n')).rejects.toMatchObject({ code: 'CONFLICT' });
    const now = await repository.status();
    await repository.commit({ ...by('x'), expect: { head, tree: now.tree.id } });
  });

  it('sees an edit that keeps size and time', async () => {
    const { directory, repository } = await shop();
    const time = new Date(2_000_000_000);
    for (const content of ['1', '2', '3']) {
      await writeFile(join(directory, 'n'), content);
      await utimes(join(directory, 'n'), time, time);
      expect(text(await (await repository.status()).tree.read('n'))).toBe(content);
      expect((await repository.commit(by(content))).changed).toBe(true);
    }
  });

  it('refuses to commit links, devices and repositories within', async () => {
    const { directory, repository } = await shop();
    await symlink('dtk.service.yaml', join(directory, 'within'));
    await symlink('/etc/passwd', join(directory, 'modules/acme/web/passwd'));
    await mkdir(join(directory, 'modules/acme/web/.git'));
    const { tree } = await repository.status();
    expect(tree.faults.map(({ where, message }) => `${where} ${message}`)).toEqual([
      'modules/acme/web/.git is a git repository of its own; only its files can be here, without .git',
      'modules/acme/web/passwd is a link; only plain files can be here',
      'within is a link; only plain files can be here',
    ]);
    await expect(repository.commit(by('x'))).rejects.toMatchObject({ code: 'INVALID' });
    await expect(repository.restore('HEAD', by('x'))).rejects.toMatchObject({ code: 'CONFLICT' });
    await rm(join(directory, 'modules/acme/web/.git'), { recursive: true });
    expect(await repository.restore('HEAD', { ...by('x'), discard: true })).toMatchObject({ changed: false });
    expect(await repository.status()).toMatchObject({ changes: [], tree: { faults: [] } });
  });

  it('goes back to an earlier commit, with edits only if they may be discarded', async () => {
    const { directory, repository } = await shop();
    const before = await filesIn(directory);
    await rm(join(directory, 'modules'), { recursive: true });
    await writeFile(join(directory, 'modules'), 'a file now');
    await repository.commit(by('Change much'));
    await writeFile(join(directory, 'new'), 'edited');
    await expect(repository.restore('HEAD~1', by('Roll back'))).rejects.toMatchObject({ code: 'CONFLICT' });
    const { commit } = await repository.restore('HEAD~1', { ...by('Roll back'), discard: true });
    expect(await filesIn(directory)).toEqual(before);
    expect(await repository.status()).toMatchObject({ head: commit, changes: [] });
    expect((await repository.log()).map(({ message }) => message)).toEqual(['Roll back', 'Change much', 'Stage']);
  });

  it('writes files only on top of what they were made from', async () => {
    const { directory, repository } = await shop();
    const base = digestOf(bytes('name: shop\n'));
    await repository.write([{ path: 'dtk.service.yaml', data: bytes('a'), base }]);
    const stale = repository.write([
      { path: 'other', data: bytes('b') },
      { path: 'dtk.service.yaml', data: bytes('b'), base },
    ]);
    await expect(stale).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(repository.write([{ path: 'dtk.service.yaml', data: bytes('b'), base: null }])).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await expect(repository.write([{ path: '../x', data: bytes('b') }])).rejects.toMatchObject({ code: 'INVALID' });
    await expect(repository.write([{ path: '.git/config', data: bytes('b') }])).rejects.toMatchObject({ code: 'INVALID' });
    expect(await filesIn(directory)).toMatchObject({ 'dtk.service.yaml': 'a' });
    await expect(repository.commitFiles([{ path: 'x', data: bytes('x') }], by('x'))).rejects.toMatchObject({ code: 'CONFLICT' });
    await repository.commit(by('Edit'));
    await repository.commitFiles(
      [
        { path: 'modules/acme/web/bin/start', data: undefined },
        { path: 'x', data: bytes('x') },
      ],
      by('Write'),
    );
    expect(await repository.status()).toMatchObject({ changes: [] });
    expect(Object.keys(await filesIn(directory))).not.toContain('modules/acme/web/bin/start');
    const clash = repository.commitFiles([{ path: 'x/y', data: bytes('x') }], by('Write'));
    await expect(clash).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('lets one do one thing at a time', async () => {
    const { directory, repository } = await shop();
    const order: string[] = [];
    await Promise.all([
      repository.alone(async (own) => {
        await writeFile(join(directory, 'n'), '1');
        order.push('first');
        await own.commit(by('One'));
        order.push('committed');
      }),
      repository.alone(async (own) => {
        order.push('second');
        expect((await own.status()).changes).toEqual([]);
      }),
    ]);
    expect(order).toEqual(['first', 'committed', 'second']);
  });

  it('does not wait for a daemon that died, and not for ever for a git', async () => {
    const { directory, repository } = await shop();
    const lock = join(directory, '.git/index.lock');
    await writeFile(lock, 'dtkd\n');
    await writeFile(join(directory, 'n'), '1');
    expect(await repository.commit(by('x'))).toMatchObject({ changed: true });
    await writeFile(lock, 'DIRC');
    await expect(withLockFile(lock, async () => undefined, 1)).rejects.toMatchObject({ code: 'CONFLICT' });
    await utimes(lock, new Date(0), new Date(0));
    await withLockFile(lock, async () => undefined, 1);
  });

  it('knows a lock for its own that has nothing in it yet: a daemon may die between making and marking it', async () => {
    const { directory } = await shop();
    const lock = join(directory, '.git/index.lock');
    const { mode } = await withLockFile(lock, () => stat(lock));
    const leave = () => writeFile(lock, '', { mode: mode & 0o777 });
    await leave();
    await withLockFile(lock, async () => undefined, 1);
    await leave();
    await createRepositories({ directory: join(made.root, 'instances') }).tidy();
    await expect(access(lock)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes away the locks of a daemon that died when the next one starts, and those of nobody else', async () => {
    const { directory } = await shop();
    const locks = ['index', 'refs/heads/main', 'refs/heads/applied'].map((one) => join(directory, `.git/${one}.lock`));
    for (const lock of locks) await writeFile(lock, 'dtkd\n');
    await createRepositories({ directory: join(made.root, 'instances') }).tidy();
    for (const lock of locks) await expect(access(lock)).rejects.toMatchObject({ code: 'ENOENT' });
    for (const lock of locks) await writeFile(lock, '');
    await createRepositories({ directory: join(made.root, 'instances') }).tidy();
    for (const lock of locks) await access(lock);
  });

  it('looks at files while others take directories away', async () => {
    const { directory, repository } = await shop();
    const big = join(directory, 'big');
    for (let number = 0; number < 60; number++) await mkdir(join(big, `${number}/in`), { recursive: true });
    let looks = 0;
    let over = false;
    const looking = (async () => {
      for (; !over || looks < 3; looks++) {
        // a file that is written just then is another matter
        await repository.status().catch((error: unknown) => expect(error).toMatchObject({ code: 'CONFLICT' }));
      }
    })();
    for (let number = 0; number < 60; number++) {
      await rm(join(big, String(number)), { recursive: true });
      await writeFile(join(big, String(number)), '');
    }
    over = true;
    await looking;
    expect((await repository.status()).changes).toHaveLength(60);
  });

  it('reads no more of the history than is asked for', async () => {
    const { directory, repository } = await shop();
    const first = await repository.head();
    await writeFile(join(directory, 'more'), '');
    await repository.commit(by('More'));
    const object = join(directory, '.git/objects', first.slice(0, 2), first.slice(2));
    await rm(object);
    await writeFile(object, 'altered');
    expect(await repository.log({ limit: 1 })).toMatchObject([{ message: 'More', parents: [first] }]);
    await expect(repository.log({ limit: 2 })).rejects.toMatchObject({ code: 'CONTENT_ALTERED' });
  });

  it('keeps what was edited while a move that was broken off waited to be ended', async () => {
    const { directory, repository } = await shop();
    const first = await repository.head();
    const files = [
      { path: 'dtk.service.yaml', data: bytes('name: edited\n') },
      { path: 'n', data: bytes('1') },
    ];
    const { commit: second } = await repository.commitFiles(files, by('Edit'));
    const mine = bytes('name: mine\n');
    const ended = async (from: string, to: string, discarded: object) => {
      await writeFile(join(directory, 'dtk.service.yaml'), mine);
      await writeFile(join(directory, 'new'), 'x');
      await writeFile(join(directory, '.git/dtkd-moving'), JSON.stringify({ from, to, ...discarded }));
      return (await createRepositories({ directory: join(made.root, 'instances') }).open('shop')).status();
    };
    expect(await ended(second, first, {})).toMatchObject({
      head: first,
      changes: [
        { path: 'dtk.service.yaml', op: 'changed' },
        { path: 'new', op: 'added' },
      ],
    });
    expect(await filesIn(directory)).toMatchObject({ 'dtk.service.yaml': 'name: mine\n', new: 'x' });
    const discarded = { 'dtk.service.yaml': oidOf('blob', mine), new: oidOf('blob', bytes('x')) };
    expect(await ended(first, second, { discarded })).toMatchObject({ head: second, changes: [] });
  });

  it('leaves no lock behind where the disk is full', async () => {
    const { directory, repository } = await shop();
    const file = await open(join(directory, 'n'), 'w');
    const write = vi
      .spyOn(Object.getPrototypeOf(file), 'writeFile')
      .mockRejectedValueOnce(Object.assign(new Error('full'), { code: 'ENOSPC' }));
    await file.close();
    await expect(repository.commit(by('x'))).rejects.toMatchObject({ code: 'DISK_FULL' });
    write.mockRestore();
    expect(await repository.commit(by('x'))).toMatchObject({ changed: true });
  });

  it('does not follow a HEAD that is another branch', async () => {
    const { directory, repository } = await shop();
    await writeFile(join(directory, '.git/HEAD'), 'ref: refs/heads/feature\n');
    await expect(repository.status()).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await createRepositories({ directory: join(made.root, 'instances') }).names()).toEqual(['shop']);
  });
});
