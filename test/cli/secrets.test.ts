import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { typed } from '../../cli/input/hidden.ts';
import { readSecretValue } from '../../cli/input/secret-value.ts';
import { secretKind } from '../../protocol/kinds/secret.ts';
import { FakeDaemon } from './fake-daemon.ts';

describe('a value as people give it', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dtkd-value-'));
    await writeFile(join(dir, 'exact'), ' with spaces \n');
    await writeFile(join(dir, 'binary'), Buffer.from([0xff, 0xfe, 0]));
    await writeFile(join(dir, 'large'), 'x'.repeat(70_000));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('is a file as it is, or standard input without its last line end', async () => {
    expect(await readSecretValue('x', join(dir, 'exact'))).toBe(' with spaces \n');
    expect(await readSecretValue('x', '-', { stdin: Readable.from(['two\nlines\n']) })).toBe('two\nlines');
    expect(await readSecretValue('x', undefined, { stdin: Readable.from([' piped \r\n']) })).toBe(' piped ');
  });

  it('is refused if it is no text, too large, or not there, without being shown', async () => {
    await expect(readSecretValue('x', join(dir, 'binary'))).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      next: expect.stringContaining('base64'),
    });
    await expect(readSecretValue('x', undefined, { stdin: Readable.from(['\n']) })).rejects.toMatchObject({
      message: 'the value of x is empty',
    });
    await expect(readSecretValue('x', join(dir, 'large'))).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await expect(readSecretValue('x', join(dir, 'absent'))).rejects.toMatchObject({
      message: expect.stringContaining('there is no such file'),
      next: 'Name a file that can be read here.',
    });
  });

  it('is typed with the usual keys', () => {
    const keyed = (keys: string) => typed({ text: '', state: 'typing' }, keys);
    expect(keyed('secret\rmore')).toEqual({ text: 'secret', state: 'done' });
    expect(keyed('sexx\u007f\u007fcret\n')).toEqual({ text: 'secret', state: 'done' });
    expect(keyed('wrong\u0015right')).toEqual({ text: 'right', state: 'typing' });
    expect(keyed('some\u0003')).toEqual({ text: 'some', state: 'given-up' });
    expect(keyed('\u0004').state).toBe('given-up');
    expect(keyed('pä€😀\u007f\r').text).toBe('pä€');
  });
});

describe('dtkd secret', () => {
  let daemon: FakeDaemon;
  beforeAll(async () => {
    daemon = await FakeDaemon.start();
  });
  afterAll(() => daemon.stop());

  it('sets, replaces, lists and removes, and never prints a value', async () => {
    const set = await daemon.cliWith({ stdin: 'hush\n' }, 'secret', 'set', 'db', '--from-file', '-', '--description', 'of the shop');
    expect(set).toMatchObject({ code: 0, stdout: 'Set db.\n' });
    expect(daemon.object(secretKind, 'db')).toMatchObject({ spec: { value: 'hush', description: 'of the shop' } });
    const again = await daemon.cliWith({ stdin: 'hush2' }, 'secret', 'set', 'db');
    expect(again).toMatchObject({ code: 0, stdout: 'Replaced db.\n' });
    expect(daemon.object(secretKind, 'db')).toMatchObject({ spec: { value: 'hush2' } });
    const listed = await daemon.cli('secret', 'ls');
    expect(listed.stdout).toMatch(/^NAME/);
    expect(listed.stdout).not.toContain('hush');
    expect(await daemon.cli('secret', 'rm', 'db')).toMatchObject({ code: 0, stdout: 'Removed db.\n' });
  });

  it('reads a file, with an @ before its name as elsewhere or without', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'dtkd-secret-'));
    const file = join(directory, 'key');
    await writeFile(file, 'of the file');
    for (const named of [file, `@${file}`]) {
      expect(await daemon.cli('secret', 'set', 'key', '--from-file', named)).toMatchObject({ code: 0 });
      expect(daemon.object(secretKind, 'key')).toMatchObject({ spec: { value: 'of the file' } });
      await daemon.cli('secret', 'rm', 'key');
    }
    await rm(directory, { recursive: true });
  });

  it('takes no value as an argument', async () => {
    const said = await daemon.cli('secret', 'set', 'db', 'hush');
    expect(said.code).not.toBe(0);
    expect(daemon.object(secretKind, 'db')).toBeUndefined();
  });
});
