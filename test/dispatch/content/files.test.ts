import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { putFile, takeFile } from '../../../daemon/src/dispatch/content/files.ts';
import type { Content } from '../../../daemon/src/dispatch/dispatch.types.ts';
import { NODE } from '../../harness/node-binary.ts';
import { missing } from '../../harness/programs.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-files-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function sourceOf(bytes: Uint8Array) {
  const source = join(directory, 'source');
  await writeFile(source, bytes);
  return { source, digest: digestOf(bytes), size: bytes.length };
}

describe('putting a file', () => {
  test('makes it, or replaces it, with its mode, and leaves nothing beside it', async () => {
    const place = join(directory, 'place');
    await mkdir(place);
    const path = join(place, 'file');
    const [first, second] = [randomBytes(3_000_000), Buffer.alloc(0)];
    await putFile({ ...(await sourceOf(first)), path, mode: 0o640 });
    expect((await readFile(path)).equals(first)).toBe(true);
    expect((await stat(path)).mode & 0o7777).toBe(0o640);
    await putFile({ ...(await sourceOf(second)), path, mode: 0o755 });
    expect((await readFile(path)).equals(second)).toBe(true);
    expect((await stat(path)).mode & 0o7777).toBe(0o755);
    expect(await readdir(place)).toEqual(['file']);
  });

  test('refuses what is no place for a file, with a code', async () => {
    const file = { ...(await sourceOf(Buffer.from('new'))), mode: 0o644 };
    const target = join(directory, 'target');
    await writeFile(target, 'old');
    await symlink(target, join(directory, 'link'));
    const refused = (path: string) => expect(putFile({ ...file, path })).rejects;
    await refused(join(directory, 'link')).toMatchObject({ code: 'INVALID' });
    await refused(directory).toMatchObject({ code: 'INVALID' });
    await refused(`${directory}/`).toMatchObject({ code: 'INVALID' });
    await refused(join(directory, 'absent', 'file')).toMatchObject({ code: 'NOT_FOUND' });
    await refused(join(target, 'file')).toMatchObject({ code: 'NOT_FOUND' });
    await refused('relative').toMatchObject({ code: 'INVALID' });
    await refused(join(directory, 'x'.repeat(300))).toMatchObject({ code: 'INVALID' });
    expect(String(await readFile(target))).toBe('old');
  });

  test('goes through a link to a directory', async () => {
    await mkdir(join(directory, 'real'));
    await symlink(join(directory, 'real'), join(directory, 'alias'));
    await putFile({ ...(await sourceOf(Buffer.from('x'))), path: join(directory, 'alias', 'file'), mode: 0o600 });
    expect(String(await readFile(join(directory, 'real', 'file')))).toBe('x');
  });

  test('puts nothing in place that is not what was sent', async () => {
    const file = await sourceOf(Buffer.from('abc'));
    await writeFile(file.source, 'abd');
    const path = join(directory, 'file');
    await expect(putFile({ ...file, path, mode: 0o600 })).rejects.toMatchObject({ code: 'CONTENT_ALTERED' });
    await writeFile(file.source, 'abcd');
    await expect(putFile({ ...file, path, mode: 0o600 })).rejects.toMatchObject({ code: 'CONTENT_ALTERED' });
    expect(await readdir(directory)).toEqual(['source']);
  });
});

/** As packaging/systemd/dtkd-dispatch.service has them. */
const RIGHTS = '+setuid,+setgid,+chown,+kill';
const NOBODY = 65_534;
const reason = missing(['setpriv'], { root: true });

describe.skipIf(reason !== undefined)(`a daemon that may give files away${reason === undefined ? '' : ` (SKIPPED: ${reason})`}`, () => {
  test('replaces those of others by its own', async () => {
    const place = join(directory, 'place');
    await mkdir(place);
    const path = join(place, 'file');
    await writeFile(path, 'of root');
    const file = { ...(await sourceOf(Buffer.from('new'))), path, mode: 0o750 };
    for (const each of [directory, place]) await chmod(each, 0o755);
    await chown(place, NOBODY, NOBODY);
    const module = JSON.stringify(join(import.meta.dirname, '../../../daemon/src/dispatch/content/files.ts'));
    const script = `const { putFile } = await import(${module}); await putFile(${JSON.stringify(file)});`;
    const words = [
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      '--clear-groups',
      `--inh-caps=-all,${RIGHTS}`,
      `--ambient-caps=-all,${RIGHTS}`,
    ];
    const { stderr, status } = spawnSync('setpriv', [...words, '--', NODE, '--input-type=module', '-e', script], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    expect(await readFile(path, 'utf8')).toBe('new');
    const { uid, mode } = await stat(path);
    expect([uid, mode & 0o7777]).toEqual([NOBODY, 0o750]);
    expect(await readdir(place)).toEqual(['file']);
  });
});

describe('taking a file', () => {
  const collect = (during?: () => Promise<void>): Pick<Content, 'take'> => ({
    async take(source) {
      const parts: Uint8Array[] = [];
      for await (const chunk of source) {
        parts.push(Uint8Array.from(chunk));
        await during?.();
      }
      const bytes = Buffer.concat(parts);
      return { digest: digestOf(bytes), size: bytes.length };
    },
  });
  const options = { limit: 10_000_000 };

  test('tells its digest, size and mode', async () => {
    const path = join(directory, 'file');
    const bytes = randomBytes(2_500_000);
    await writeFile(path, bytes);
    await chmod(path, 0o751);
    expect(await takeFile(path, collect(), options)).toEqual({ digest: digestOf(bytes), size: bytes.length, mode: 0o751 });
  });

  test('notices a file that grows, or is rewritten, meanwhile', async () => {
    const path = join(directory, 'file');
    await writeFile(path, randomBytes(2_500_000));
    let done = false;
    const once = (change: () => Promise<void>) => async () => {
      if (!done) await change();
      done = true;
    };
    await expect(takeFile(path, collect(once(() => appendFile(path, 'x'))), options)).rejects.toMatchObject({ code: 'CONFLICT' });
    done = false;
    const rewrite = once(() => writeFile(path, randomBytes(2_500_001)));
    await expect(takeFile(path, collect(rewrite), options)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('takes regular files only', async () => {
    await expect(takeFile(directory, collect(), options)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(takeFile('/dev/zero', collect(), options)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(takeFile(join(directory, 'absent'), collect(), options)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
