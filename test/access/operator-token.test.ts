import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openOperatorToken } from '../../daemon/src/access/operator-token.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, open: vi.fn(real.open) };
});

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-token-'));
  file = join(directory, 'admin.token');
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const read = async () => (await readFile(file, 'utf8')).trim();
const mode = async () => (await stat(file)).mode & 0o777;

it('makes a token that only its owner can read, and knows it again after a restart', async () => {
  const first = await openOperatorToken({ file });
  expect(await mode()).toBe(0o600);
  const token = await read();
  expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(first.authenticate(token)).toEqual({ type: 'operator', name: 'operator' });
  const second = await openOperatorToken({ file });
  expect(second.authenticate(token)).toEqual({ type: 'operator', name: 'operator' });
  expect(await read()).toBe(token);
});

it('knows no other token', async () => {
  const tokens = await openOperatorToken({ file });
  const token = await read();
  for (const wrong of ['', 'x', token.slice(1), `${token}x`, token.toUpperCase(), 'ü'.repeat(43)]) {
    expect(tokens.authenticate(wrong)).toBeUndefined();
  }
});

it('rotates: the old token is void at once, also when asked twice at once', async () => {
  const tokens = await openOperatorToken({ file });
  const old = await read();
  const made = await Promise.all([tokens.rotate(), tokens.rotate()]);
  expect(tokens.authenticate(old)).toBeUndefined();
  expect(tokens.authenticate(made[0])).toBeUndefined();
  expect(tokens.authenticate(made[1])).toEqual({ type: 'operator', name: 'operator' });
  expect(await read()).toBe(made[1]);
  expect(await mode()).toBe(0o600);
});

it('opens the file to an operator group where there is one', async () => {
  await openOperatorToken({ file });
  await openOperatorToken({ file, gid: process.getgid?.() ?? 0 });
  expect(await mode()).toBe(0o640);
  await openOperatorToken({ file });
  expect(await mode()).toBe(0o600);
});

it('refuses a file that holds something else, and makes a token for an empty one', async () => {
  await writeFile(file, 'password\n');
  await expect(openOperatorToken({ file })).rejects.toMatchObject({ code: 'DATA_UNWRITABLE' });
  await writeFile(file, '');
  await openOperatorToken({ file });
  expect(await read()).toHaveLength(43);
});

it('stays as it was where the disk has no room for another, and says so', async () => {
  const tokens = await openOperatorToken({ file });
  const token = await read();
  vi.mocked(open).mockRejectedValueOnce(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
  await expect(tokens.rotate()).rejects.toMatchObject({ code: 'DISK_FULL', next: expect.not.stringContaining('delete') });
  expect(await read()).toBe(token);
  expect(tokens.authenticate(token)).toBeDefined();
});
