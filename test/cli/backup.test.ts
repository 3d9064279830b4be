import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DtkdError } from '../../protocol/errors.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import { waitFor } from '../wait.ts';
import { FakeDaemon } from './fake-daemon.ts';

describe('dtkd backup', () => {
  let daemon: FakeDaemon;
  let directory = '';
  let answer: () => unknown;

  beforeAll(async () => {
    daemon = await FakeDaemon.start();
    directory = await mkdtemp(join(tmpdir(), 'dtkd-cli-backup-'));
    daemon.script('POST', /daemon\/backup$/, () => answer());
  });
  afterAll(async () => {
    await daemon.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('leaves what another command writes to the same name alone while the daemon makes that one', async () => {
    const part = join(directory, '.node.backup.part');
    await writeFile(part, 'the half of it');
    answer = () => {
      throw new DtkdError('CONFLICT', 'a backup of this node is being made already');
    };
    const ran = await daemon.cli('backup', join(directory, 'node.backup'));
    expect(ran).toMatchObject({ code: 6, stderr: expect.stringContaining('being made already') });
    expect(await readFile(part, 'utf8')).toBe('the half of it');
  });

  it('takes the place of what a broken one has left', async () => {
    answer = () => ({ octets: Buffer.from('the whole of it') });
    expect(await daemon.cli('backup', join(directory, 'node.backup'))).toMatchObject({ code: 0 });
    expect(await readFile(join(directory, 'node.backup'), 'utf8')).toBe('the whole of it');
    expect(await readdir(directory)).toEqual(['node.backup']);
  });

  it('leaves no keys behind when it is interrupted', async () => {
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    answer = () => ({
      lines: (async function* () {
        await over;
        yield 'too late';
      })(),
    });
    const args = [DTKD, 'backup', join(directory, 'broken')];
    const child = spawn(NODE, args, { env: { ...process.env, DTKD_DATA: daemon.dir }, stdio: 'ignore' });
    try {
      await waitFor(async () => (await readdir(directory)).includes('.broken.part'), { what: 'the file to be begun' });
      child.kill('SIGINT');
      expect(await new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)))).toBe('SIGINT');
      expect(await readdir(directory)).not.toContain('.broken.part');
    } finally {
      child.kill('SIGKILL');
      end();
    }
  });
});
