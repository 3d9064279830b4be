/** docs/clients.md, as a reader would follow it: its programs run against a real daemon, with nothing installed that the page does not name. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../harness/child.ts';
import { DTKD, NODE, REPOSITORY } from '../../harness/node-binary.ts';
import { missing } from '../../harness/programs.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';

const stage = useStage();
const NO_CURL = missing(['curl']);

let site: Site;
let directory: string;
let blocks: { language: string; text: string }[];

beforeAll(async () => {
  site = await stage.current.start({ name: 'node0' });
  directory = join(stage.current.directory, 'reader');
  await mkdir(join(directory, 'bin'), { recursive: true });
  // what `npm install` would bring
  await symlink(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
  await writeFile(join(directory, 'bin', 'dtkd'), `#!/bin/sh\nexec "${NODE}" "${DTKD}" "$@"\n`, { mode: 0o755 });
  const page = await readFile(join(REPOSITORY, 'docs/clients.md'), 'utf8');
  blocks = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }));
});

async function follow(language: string, containing: string): Promise<string> {
  const block = blocks.find((one) => one.language === language && one.text.includes(containing));
  if (block === undefined) throw new Error(`the page has no ${language} with ${containing}`);
  const env = { PATH: `${join(directory, 'bin')}:${process.env['PATH']}`, HOME: directory, DTKD_DATA: site.dir, LC_ALL: 'C.UTF-8' };
  await writeFile(join(directory, 'program.mjs'), block.text);
  const [command, ...args] = language === 'js' ? [NODE, 'program.mjs'] : ['sh', '-euc', block.text];
  const ran = await run({ command: command ?? NODE, args, env, cwd: directory });
  if (ran.code !== 0) throw new Error(`it ended with ${ran.code}:\n${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

describe('the guide to clients', () => {
  it('makes a kubeconfig, with which a program of the library follows what it does itself', async () => {
    await follow('sh', 'dtkd kubeconfig');
    expect(await follow('js', 'makeInformer')).toBe('there is node0/from-js\ngone is node0/from-js\n');
  });

  it.skipIf(NO_CURL !== undefined)('lists and watches with curl', async () => {
    const told = await follow('sh', 'curl -fsS');
    expect(told).toMatch(/"type":"ADDED".*"name":"from-curl"/);
  });
});
