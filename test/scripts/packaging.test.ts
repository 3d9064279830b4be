import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arMember, bytesOf, tarGz } from '../../scripts/packaging/archive.ts';
import { debianChangelog, debianVersion } from '../../scripts/packaging/changelog.ts';
import { isNeeded, packageFileOf } from '../../scripts/packaging/prune.ts';
import { add, sorted, type Tree, textFile, treeOf } from '../../scripts/packaging/tree.ts';

describe('what of dependencies goes into a package', () => {
  const needed = (path: string, named = ''): boolean => isNeeded(path, 'arm64', (name) => named.includes(name));

  it('is known by the package that a file is of', () => {
    expect(packageFileOf('@libp2p/tcp/dist/index.js')).toEqual({ package: '@libp2p/tcp', within: 'dist/index.js' });
    expect(packageFileOf('a/node_modules/@b/c/d/e.js')).toEqual({ package: '@b/c', within: 'd/e.js' });
  });

  it('is what runs, with its licences', () => {
    for (const path of [
      'hono/dist/index.js',
      'hono/package.json',
      'hono/LICENSE',
      'isomorphic-git/LICENSE.md',
      'yaml/dist/doc/Document.js',
      'as-sha256/build/optimized.wasm',
      'classic-level/prebuilds/linux-arm64/classic-level.armv8.node',
    ])
      expect(needed(path), path).toBe(true);
  });

  it('is nothing for compilers, browsers, readers, testers and other machines', () => {
    for (const path of [
      '.package-lock.json',
      '.bin/semver',
      '@types/node/index.d.ts',
      'a/node_modules/@types/x/package.json',
      'bare-fs/index.js',
      'node/package.json',
      'zod/src/index.ts',
      'zod/index.js.map',
      'hono/README.md',
      'pino/test/basic.js',
      'semver/bin/semver.js',
      'x/.github/settings.json',
      'classic-level/deps/leveldb/leveldb.gyp',
      'classic-level/prebuilds/linux-x64/classic-level.node',
      'classic-level/prebuilds/linux-arm64/classic-level.musl.node',
      'libp2p/dist/index.min.js',
    ])
      expect(needed(path), path).toBe(false);
  });

  it('is what is made for browsers if its package names it', () => {
    expect(needed('x/dist/x.min.js', '"main": "./dist/x.min.js"')).toBe(true);
  });
});

describe('archives', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dtkd-archives-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('are the same bytes whatever the order and the time in which their files were made', async () => {
    await writeFile(join(directory, 'b'), 'from a file', { mode: 0o600 });
    const found = await treeOf(directory, 'dir', { isProgram: () => false });
    const one: Tree = new Map([['z', textFile('last', true)], ...found]);
    await rm(join(directory, 'b'));
    await writeFile(join(directory, 'b'), 'from a file', { mode: 0o640 });
    const other: Tree = new Map([...(await treeOf(directory, 'dir', { isProgram: () => false })), ['z', textFile('last', true)]]);
    const bytes = await Promise.all([one, other].map((tree) => bytesOf(tarGz(tree, { time: 1_700_000_000, prefix: './' }))));
    expect(bytes[0]?.equals(bytes[1] ?? Buffer.alloc(0))).toBe(true);
    expect(gunzipSync(bytes[0] ?? '').toString('latin1')).toMatch(/^\.\/\0[\s\S]*\.\/dir\/\0[\s\S]*\.\/dir\/b\0/);
  });

  it('have every directory before what is in it, and nothing twice', () => {
    const tree: Tree = new Map([['a/b/c', textFile('')]]);
    expect(sorted(tree).map(([path]) => path)).toEqual(['a', 'a/b', 'a/b/c']);
    expect(() => add(tree, [['a/b/c', textFile('')]])).toThrow('twice');
  });

  it('fail as a whole if a file cannot be read', async () => {
    const tree: Tree = new Map([['x', { kind: 'file', executable: false, content: { from: join(directory, 'absent'), size: 3 } }]]);
    await expect(bytesOf(tarGz(tree, { time: 0 }))).rejects.toThrow('ENOENT');
  });

  it('of ar pad members to an even length', () => {
    const member = arMember('debian-binary', Buffer.from('2.0'), 7).toString('latin1');
    expect(member).toBe('debian-binary   7           0     0     100644  3         `\n2.0\n');
  });
});

describe('the list of changes for Debian', () => {
  it('has an entry for each version, wrapped, the newest with the time of the commit', () => {
    const text = debianChangelog(
      `# Changes\n\n## 0.2.0-rc.1, not yet released\n\nThe next.\n\n- One \`thing\`\n  that goes on.\n\n## 0.1.0, 2026-11-20\n\n- ${'word '.repeat(30)}\n`,
      0,
    );
    expect(text).toMatch(
      /^dtkd \(0\.2\.0~rc\.1\) unstable; urgency=medium\n\n {2}\* The next\.\n {2}\* One thing that goes on\.\n\n -- .* {2}Thu, 01 Jan 1970 00:00:00 \+0000\n/,
    );
    expect(text).toMatch(/\n\ndtkd \(0\.1\.0\) [\s\S]* {2}Fri, 20 Nov 2026 00:00:00 \+0000\n$/);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(debianVersion('1.0.0')).toBe('1.0.0');
  });
});
