import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { judgeLocal } from '../../../cli/doctor/checks.ts';
import { gatherLocal } from '../../../cli/doctor/gathering.ts';
import type { Finding } from '../../../protocol/requests/checkup.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-doctor-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function found(path: string): Promise<Map<string, Finding>> {
  const facts = await gatherLocal(path, '1.2.3');
  return new Map(judgeLocal({ ...facts, answer: undefined }).map((finding) => [finding.check, finding]));
}

describe('settings', () => {
  it('that are no YAML are said in one line, with what to do', async () => {
    await writeFile(join(directory, 'config.yaml'), 'name: a: b\napi: 7700\n');
    const finding = (await found(directory)).get('settings');
    expect(finding).toMatchObject({ state: 'problem', next: expect.stringContaining('Correct the file') });
    expect(finding?.finding).toMatch(/config\.yaml cannot be read as YAML: [^\n]* at line 1, column \d+$/);
  });

  it('that a daemon would not start with are a problem', async () => {
    const file = join(directory, 'config.yaml');
    await writeFile(file, 'name: Not_A_Label\n');
    expect((await found(directory)).get('settings')).toMatchObject({
      state: 'problem',
      finding: expect.stringContaining('name: "Not_A_Label"'),
    });
    await rm(file);
    await symlink(join(directory, 'not-mounted', 'config.yaml'), file);
    expect((await found(directory)).get('settings')).toMatchObject({ state: 'problem', finding: `${file} cannot be read` });
  });
});

describe('a data directory', () => {
  it('that is a file is told from one that is not there', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    const findings = await found(file);
    expect(findings.get('data')).toMatchObject({ state: 'problem', finding: `${file} is a file, not a directory` });
    expect(findings.has('daemon')).toBe(false);
    expect((await found(join(directory, 'none'))).get('data')?.finding).toMatch(/is not there/);
  });

  // root may read everything
  it.skipIf(process.getuid?.() === 0)('below one that this user may not enter is not taken for absent', async () => {
    await chmod(directory, 0o000);
    const findings = await found(join(directory, 'data'));
    await chmod(directory, 0o700);
    expect(findings.get('data')).toMatchObject({ state: 'problem', finding: expect.stringContaining('may not read or write it') });
    expect([findings.has('daemon'), findings.has('settings')]).toEqual([false, false]);
  });
});
