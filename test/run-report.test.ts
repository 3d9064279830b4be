/** The report of a test run, by a real run of tests that fail in every way: what ends a worker or belongs to no test is told, too. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const PROJECT = join(import.meta.dirname, '..');
/** Texts of tests that are written and run in a directory of their own: the one that is skipped there is what the report has to tell. */
const FILES = {
  'good.test.js': `import { it } from 'vitest'; it('is good', () => undefined); it.skip('is left out', () => undefined);`,
  'bad.test.js': `import { expect, it } from 'vitest'; it('is bad', () => expect(1, 'the sum').toBe(2));`,
  'hook.test.js': `import { beforeAll, it } from 'vitest'; beforeAll(() => { throw new Error('no stage'); }); it('is never run', () => undefined);`,
  'unread.test.js': `throw new Error('not to be read');`,
  'dead.test.js': `import { it } from 'vitest'; it('ends its worker', async () => { process.kill(process.pid, 'SIGKILL'); await new Promise(() => undefined); });`,
  'alone.test.js': `import { it } from 'vitest'; it('forgets a promise', async () => { Promise.reject(new Error('nobody waited')); await new Promise((done) => setImmediate(done)); });`,
};

let directory: string;
let told: string;

function run(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  return new Promise((resolve) => execFile(process.execPath, [...args], { cwd: directory, env }, (_error, stdout) => resolve(stdout)));
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-report-'));
  await Promise.all(Object.entries(FILES).map(([name, text]) => writeFile(join(directory, name), text)));
  await symlink(join(PROJECT, 'node_modules'), join(directory, 'node_modules'));
  const reports = await mkdtemp(join(directory, 'reports-'));
  const reporter = join(PROJECT, 'test', 'harness', 'run-reporter.ts');
  const args = ['run', '--root', directory, '--reporter', reporter, '--pool', 'forks'];
  const { VITEST: _inside, ...env } = process.env;
  await run([join(PROJECT, 'node_modules', 'vitest', 'vitest.mjs'), ...args], { ...env, DTKD_TEST_REPORT: join(reports, 'test.json') });
  told = await run([join(PROJECT, 'test', 'harness', 'sum-reports.js'), reports, 'Tests']);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

it.each([
  [/^failed: bad\.test\.js: is bad\n.*the sum/m],
  [/^failed: hook\.test\.js\n.*no stage/m],
  [/^failed: unread\.test\.js\n.*not to be read/m],
  [/^failed: dead\.test\.js: ends its worker\n.*did not come to its end/m],
  [/^failed: outside of all tests\n.*Worker/m],
  [/^failed: outside of all tests\n.*nobody waited/m],
  [/^skipped: good\.test\.js: is left out$/m],
  [/^failed step: Tests$/m],
])('tells %s', (line) => {
  expect(told).toMatch(line);
});

it('counts what passed, and everything else as failed', () => {
  expect(told).toMatch(/^2 passed, 6 failed$/m);
});
