import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { REPOSITORY } from '../harness/node-binary.ts';
import { missing } from '../harness/programs.ts';
import { useStage } from '../harness/use-stage.ts';
import { formDomain } from './domain.ts';
import { exec, machine } from './machine.ts';

const stage = useStage();
const why = missing(['git', 'npm']);
const MAX_OUTPUT = 16 * 1024 * 1024;

/** The section of the README under "Install the command". */
async function installBlock(): Promise<string> {
  const text = await readFile(join(REPOSITORY, 'README.md'), 'utf8');
  const block = /^Install the command[\s\S]*?^```sh\n(?<block>[\s\S]*?)^```$/m.exec(text)?.groups?.['block'];
  if (block === undefined) throw new Error('the README does not say how the command is installed');
  return block;
}

describe.skipIf(why !== undefined)(`a fresh clone${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  const env = machine();
  let dtkd: string;

  beforeAll(async () => {
    const clone = join(stage.current.directory, 'clone');
    const prefix = join(stage.current.directory, 'prefix');
    await exec('git', ['clone', '--quiet', REPOSITORY, clone]);
    await exec('mkdir', [prefix]);
    dtkd = join(prefix, 'bin', 'dtkd');
    await exec('sh', ['-euc', await installBlock()], {
      cwd: clone,
      env: {
        ...env,
        npm_config_prefix: prefix,
        npm_config_prefer_offline: 'true',
        npm_config_audit: 'false',
        PATH: `${join(prefix, 'bin')}${delimiter}${env['PATH']}`,
      },
      maxBuffer: MAX_OUTPUT,
    });
  });

  it('runs two daemons that form a domain, as the README says', async () => {
    expect((await exec(dtkd, ['version', '--client'], { env })).stdout).toMatch(/^dtkd \d/);
    const sites = await Promise.all(['first', 'second'].map((name) => stage.current.start({ name, program: [dtkd], env })));
    const [first, second] = sites;
    if (first === undefined || second === undefined) throw new Error('two sites');
    await formDomain(stage.current, 'cloned', [first, second]);
  });
});
