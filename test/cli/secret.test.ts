import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSecret } from '../../cli/input/secret.ts';

describe('readSecret', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dtkd-secret-'));
    await writeFile(join(dir, 'token'), '  from-file\n\n');
    await writeFile(join(dir, 'large'), 'x'.repeat(70_000));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('takes the value, a file, or standard input, without the white space around it', async () => {
    expect(await readSecret('plain', 'token')).toBe('plain');
    expect(await readSecret(`@${join(dir, 'token')}`, 'token')).toBe('from-file');
    expect(await readSecret('-', 'token', Readable.from(['from-', 'stdin\n']))).toBe('from-stdin');
  });

  it('refuses the name of a file without its @', async () => {
    const file = join(dir, 'token');
    await expect(readSecret(file, 'token')).rejects.toMatchObject({ code: 'BAD_REQUEST', next: `Write: @${file}` });
    expect(await readSecret(join(dir, 'absent'), 'token')).toBe(join(dir, 'absent'));
  });

  it('refuses what is empty, missing or too large, without showing it', async () => {
    await expect(readSecret('-', 'token', Readable.from(['\n']))).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: 'the token is empty',
    });
    await expect(readSecret(`@${join(dir, 'absent')}`, 'token')).rejects.toMatchObject({
      message: expect.stringContaining('there is no such file'),
      next: 'Name a file that can be read here.',
    });
    await expect(readSecret(`@${join(dir, 'large')}`, 'token')).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });
});
