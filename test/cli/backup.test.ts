import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DtkdError } from '../../protocol/errors.ts';
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
});
