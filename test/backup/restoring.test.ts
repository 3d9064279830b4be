import { createReadStream } from 'node:fs';
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBackups } from '../../daemon/src/backup/backup.ts';
import type { BackupOptions } from '../../daemon/src/backup/backup.types.ts';
import { openRestored, refuseHalfRestored } from '../../daemon/src/backup/restored.ts';
import { checkBackup, restoreBackup } from '../../daemon/src/backup/restoring.ts';
import type { Kv } from '../../daemon/src/store/kv.ts';
import { openLevel } from '../../daemon/src/store/level-kv.ts';
import { rebase } from '../../daemon/src/store/rebase.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { silentLogger } from '../silent-logger.ts';
import { waitFor } from '../wait.ts';

const DOMAIN = 'cd'.repeat(32);
const PORTS = { openDatabase: openLevel, rebase };
const alive = (): AbortSignal => new AbortController().signal;

let directory = '';
let data = '';
let kv: Kv;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-backup-'));
  data = join(directory, 'data');
  for (const path of [
    'content/ab',
    'content/incoming',
    'dispatch/spools',
    'dispatch/runner',
    'instances/shop/.git/objects/aa',
    'audit',
    'logs',
    'resources/web/var',
  ]) {
    await mkdir(join(data, path), { recursive: true });
  }
  const files: Record<string, string> = {
    'admin.token': 'token',
    'config.yaml': 'logLevel: debug',
    'endpoint.json': '{}',
    'content/ab/cdef': 'content',
    'content/incoming/x': 'half',
    'dispatch/spools/1': 'output',
    'dispatch/runner/pid': '1',
    'instances/shop/service.yaml': 'shop',
    'instances/shop/.git/HEAD': 'ref: refs/heads/main',
    'instances/shop/.git/index.lock': '',
    'instances/shop/.git/objects/aa/bb': 'object',
    'audit/0000000000000001.log': 'one\ntwo\nthr',
    'logs/dtkd.log': 'log',
    'resources/web/var/pid': '1',
  };
  for (const [path, text] of Object.entries(files)) await writeFile(join(data, path), text);
  await chmod(join(data, 'admin.token'), 0o600);
  await symlink('/etc/passwd', join(data, 'link'));
  kv = await openLevel(join(data, 'db'));
  await kv.batch(
    [
      { type: 'put', key: 'a/node-name', value: Buffer.from('node1') },
      { type: 'put', key: `k/${DOMAIN}/node`, value: Buffer.from('x') },
      ...Array.from({ length: 2_000 }, (_, at) => ({
        type: 'put' as const,
        key: `o/${String(at).padStart(6, '0')}`,
        value: Buffer.alloc(1_000, at),
      })),
    ],
    { sync: true },
  );
});

afterEach(async () => {
  await kv.close();
  await rm(directory, { recursive: true, force: true });
});

function backups(options: Partial<BackupOptions> = {}): ReturnType<typeof createBackups> {
  return createBackups({
    directory: data,
    kv,
    node: { name: 'node1' },
    program: '1.2.3',
    audit: async () => [{ name: '0000000000000001.log', bytes: 8 }],
    repositories: {
      names: async () => ['shop'],
      alone: async (name, work) => work(join(data, 'instances', name)),
    },
    logger: silentLogger,
    now: () => 1_700_000_000_000,
    ...options,
  });
}

async function bytesOf(options: Partial<BackupOptions> = {}): Promise<Buffer> {
  const { bytes } = await backups(options).make(alive());
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
}

const restore = (bytes: Uint8Array, to: string, options: { alone?: boolean; signal?: AbortSignal } = {}) =>
  restoreBackup(inChunks(bytes), to, { alone: options.alone ?? false, signal: options.signal ?? alive() }, PORTS);

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: unknown) => {
      if (error instanceof DtkdError) return error.code;
      throw error;
    },
  );
}

describe('a backup that is put back', () => {
  it('has the rows and files of the node, and none of a running process', async () => {
    const to = join(directory, 'restored');
    const { files, manifest } = await restore(await bytesOf(), to);
    expect(files).toBe(8);
    expect(manifest.rows).toBe(2_003);
    expect((await readdir(to)).sort()).toEqual(['admin.token', 'audit', 'config.yaml', 'content', 'db', 'dispatch', 'instances']);
    expect(await readFile(join(to, 'audit/0000000000000001.log'), 'utf8')).toBe('one\ntwo\n');
    expect(await readFile(join(to, 'instances/shop/.git/objects/aa/bb'), 'utf8')).toBe('object');
    expect(await readdir(join(to, 'instances/shop/.git'))).not.toContain('index.lock');
    expect(await readdir(join(to, 'content'))).toEqual(['ab']);
    expect((await stat(to)).mode & 0o777).toBe(0o700);
    expect((await stat(join(to, 'admin.token'))).mode & 0o777).toBe(0o600);
    const restored = await openLevel(join(to, 'db'));
    try {
      expect(await restored.page({ gte: 'o/', lt: 'o0', limit: 10_000 })).toEqual(await kv.page({ gte: 'o/', lt: 'o0', limit: 10_000 }));
      const mark = await openRestored(restored, () => 1_800_000_000_000);
      expect(mark).toMatchObject({ at: 1_800_000_000_000, takenAt: 1_700_000_000_000, unaudited: true });
      expect(mark?.awaits(DOMAIN as never)).toBe(true);
      await mark?.heard(DOMAIN as never);
      await mark?.audited();
      const later = await openRestored(restored, () => 1_900_000_000_000);
      expect(later).toMatchObject({ at: 1_800_000_000_000, unaudited: false });
      expect(later?.awaits(DOMAIN as never)).toBe(false);
    } finally {
      await restored.close();
    }
    expect(await openRestored(kv, Date.now)).toBeUndefined();
    expect(await readdir(data)).not.toContain('.backup');
  });

  it('waits for nobody if the operator says so', async () => {
    const to = join(directory, 'restored');
    await restore(await bytesOf(), to, { alone: true });
    const restored = await openLevel(join(to, 'db'));
    expect((await openRestored(restored, Date.now))?.awaits(DOMAIN as never)).toBe(false);
    await restored.close();
  });

  it('can be verified without being put anywhere', async () => {
    const file = join(directory, 'file');
    await writeFile(file, await bytesOf());
    expect(await checkBackup(createReadStream(file))).toMatchObject({ header: { node: 'node1', program: '1.2.3' }, files: 8 });
    expect((await readdir(directory)).sort()).toEqual(['data', 'file']);
  });

  it('is put into an empty directory, which keeps its owner and mode', async () => {
    const to = join(directory, 'made');
    await mkdir(to, { mode: 0o750 });
    await chmod(to, 0o750);
    await restore(await bytesOf(), to);
    expect((await stat(to)).mode & 0o777).toBe(0o750);
    expect(await readdir(to)).toContain('db');
    await expect(refuseHalfRestored(to)).resolves.toBeUndefined();
    await mkdir(join(to, '.restoring'));
    expect(await codeOf(refuseHalfRestored(to))).toBe('DATA_UNWRITABLE');
  });

  it('replaces nothing', async () => {
    const bytes = await bytesOf();
    expect(await codeOf(restore(bytes, data))).toBe('ALREADY_EXISTS');
    await writeFile(join(data, 'endpoint.json'), JSON.stringify({ pid: process.pid }));
    expect(await codeOf(restore(bytes, data))).toBe('DATA_LOCKED');
    const file = join(directory, 'file');
    await writeFile(file, 'x');
    expect(await codeOf(restore(bytes, file))).toBe('ALREADY_EXISTS');
    expect(await codeOf(restore(bytes, join(file, 'below')))).toBe('DATA_UNWRITABLE');
    expect((await readdir(directory)).sort()).toEqual(['data', 'file']);
  });

  it('leaves nothing behind when it is damaged, cut off, or broken off', async () => {
    const bytes = await bytesOf();
    const to = join(directory, 'restored');
    const other = Buffer.from(bytes);
    other[bytes.length >> 1] = (other[bytes.length >> 1] ?? 0) ^ 1;
    expect(['BACKUP_ALTERED', 'BACKUP_INVALID']).toContain(await codeOf(restore(other, to)));
    expect(await codeOf(restore(bytes.subarray(0, bytes.length - 4_000), to))).toBe('BACKUP_ALTERED');
    expect(await codeOf(restore(Buffer.from('x'), to))).toBe('BACKUP_INVALID');
    const stopping = new AbortController();
    stopping.abort(new DtkdError('ABORTED', 'stop'));
    expect(await codeOf(restore(bytes, to, { signal: stopping.signal }))).toBe('ABORTED');
    const empty = join(directory, 'empty');
    await mkdir(empty);
    expect(await codeOf(restore(bytes.subarray(0, 100_000), empty))).toBe('BACKUP_ALTERED');
    expect(await readdir(empty)).toEqual([]);
    expect((await readdir(directory)).sort()).toEqual(['data', 'empty']);
  });

  it('leaves nothing of itself where somebody else has put something meanwhile', async () => {
    const bytes = await bytesOf();
    const meanwhile = (to: string) => {
      async function* slowly(): AsyncGenerator<Uint8Array> {
        yield* inChunks(bytes);
        await mkdir(to, { recursive: true });
        await writeFile(join(to, 'admin.token'), 'another');
      }
      return codeOf(restoreBackup(slowly(), to, { alone: false, signal: alive() }, PORTS));
    };
    const [absent, empty] = [join(directory, 'absent'), join(directory, 'empty')];
    await mkdir(empty);
    for (const to of [absent, empty]) {
      expect(await meanwhile(to)).toBe('ALREADY_EXISTS');
      expect(await readdir(to)).toEqual(['admin.token']);
      expect(await readFile(join(to, 'admin.token'), 'utf8')).toBe('another');
    }
    expect((await readdir(directory)).sort()).toEqual(['absent', 'data', 'empty']);
  });

  it('is refused if its database is of a newer format, or of another node', async () => {
    await kv.batch([{ type: 'put', key: 'm/format', value: Buffer.from('99') }], { sync: true });
    expect(await codeOf(restore(await bytesOf(), join(directory, 'restored')))).toBe('FORMAT_TOO_NEW');
    expect(await codeOf(restore(await bytesOf({ node: { name: 'node2' } }), join(directory, 'restored')))).toBe('BACKUP_INVALID');
    expect(await readdir(directory)).toEqual(['data']);
  });
});

describe('a backup that is made', () => {
  it('is of one moment, whatever is written meanwhile', async () => {
    const { bytes } = await backups().make(alive());
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) {
      if (chunks.length === 3) {
        await kv.batch(
          [
            { type: 'put', key: 'o/new', value: Buffer.from('x') },
            { type: 'clear', gte: 'o/001000', lt: 'o/0999' },
          ],
          { sync: true },
        );
        await writeFile(join(data, 'admin.token'), 'changed');
        await unlink(join(data, 'content/ab/cdef'));
        await rm(join(data, 'instances/shop'), { recursive: true });
        await writeFile(join(data, 'dispatch/spools/1'), ' and more', { flag: 'a' });
      }
      chunks.push(chunk);
    }
    const to = join(directory, 'restored');
    const { manifest } = await restore(Buffer.concat(chunks), to);
    expect(manifest.rows).toBe(2_003);
    for (const [path, text] of [
      ['admin.token', 'token'],
      ['content/ab/cdef', 'content'],
      ['instances/shop/service.yaml', 'shop'],
      ['dispatch/spools/1', 'output'],
    ] as const) {
      expect(await readFile(join(to, path), 'utf8')).toBe(text);
    }
  });

  it('begins again when a service was removed while it was held', async () => {
    let removed = false;
    const bytes = await bytesOf({
      repositories: {
        names: async () => (removed ? ['other'] : ['shop', 'other']),
        alone: async (name, work) => {
          if (!removed && name === 'shop') {
            removed = true;
            await rename(join(data, 'instances/shop'), join(data, 'instances/other'));
            throw new DtkdError('NOT_FOUND', 'it is gone');
          }
          return work(join(data, 'instances', name));
        },
      },
    });
    const to = join(directory, 'restored');
    await restore(bytes, to);
    expect(await readdir(join(to, 'instances'))).toEqual(['other']);
  });

  it('is one at a time, and another can be made when nobody takes the first any more', async () => {
    const made = backups();
    const gone = new AbortController();
    const { bytes } = await made.make(gone.signal);
    expect(await codeOf(made.make(alive()))).toBe('CONFLICT');
    for await (const _chunk of bytes) break;
    await waitFor(async () => !(await readdir(data)).includes('.backup'), { what: 'what was held to be let go of' });
    await made.make(gone.signal);
    gone.abort();
    await waitFor(async () => !(await readdir(data)).includes('.backup'), { what: 'what was held to be let go of' });
    const { bytes: third } = await made.make(alive());
    let size = 0;
    for await (const chunk of third) size += chunk.length;
    expect(size).toBeGreaterThan(2_000_000);
  });

  it('removes what a process before left', async () => {
    await mkdir(join(data, '.backup'));
    await link(join(data, 'admin.token'), join(data, '.backup/admin.token'));
    await backups().tidy();
    expect(await readdir(data)).not.toContain('.backup');
    expect(await readFile(join(data, 'admin.token'), 'utf8')).toBe('token');
  });

  it('says what cannot be', async () => {
    expect(
      await codeOf(
        backups({
          audit: async () => {
            throw new DtkdError('UNAVAILABLE', 'the disk');
          },
        }).make(alive()),
      ),
    ).toBe('UNAVAILABLE');
    expect(await codeOf(backups({ audit: async () => [{ name: 'none.log', bytes: 1 }] }).make(alive()))).toBe('UNAVAILABLE');
    // has no blocks: only its size counts
    await writeFile(join(data, 'content/ab/huge'), '');
    await truncate(join(data, 'content/ab/huge'), 8 * 1024 ** 3);
    expect(await codeOf(backups().make(alive()))).toBe('TOO_LARGE');
    expect(await readdir(data)).not.toContain('.backup');
  });
});
