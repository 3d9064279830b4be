import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../harness/child.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import type { Site } from '../harness/site.ts';
import type { Stage } from '../harness/stage.ts';
import { useStage } from '../harness/use-stage.ts';

const stage = useStage();
const ROOT = new URL('../../', import.meta.url);

/** A block of a guide, ` ```sh node0 `, or a hidden step, `<!-- run node0: … -->`, and the node on which it runs. */
interface Step {
  node: string;
  script: string;
}

const STEP = /^```sh (?<node>[a-z0-9]+)\n(?<block>[\s\S]*?)^```$|^<!-- run (?<hiddenNode>[a-z0-9]+): (?<hidden>.*) -->$/gm;

function stepsOf(text: string): Step[] {
  return [...text.matchAll(STEP)].map(({ groups = {} }) => ({
    node: groups['node'] ?? groups['hiddenNode'] ?? '',
    script: groups['block'] ?? groups['hidden'] ?? '',
  }));
}

/** The guides write addresses that are set aside for documentation; here they stand for the sites of this test. */
function localise(script: string, sites: ReadonlyMap<string, Site>, origin: string): string {
  return (
    script
      .replaceAll('192.0.2.10', sites.get('node0')?.meshAddress ?? '')
      .replaceAll('192.0.2.11', sites.get('node1')?.meshAddress ?? '')
      .replaceAll('10.1.2.3:8080', origin)
      // A command that a guide shows as refused has to be refused: for `set -e` alone, `!` may go either way.
      .replaceAll(/^! (.*)$/gm, 'if $1; then exit 99; fi')
  );
}

async function runGuide(current: Stage, path: string): Promise<number> {
  const steps = stepsOf(await readFile(new URL(path, ROOT), 'utf8'));
  const shared = join(current.directory, path.replaceAll('/', '-'));
  const bin = join(shared, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'dtkd'), `#!/bin/sh\nexec "${NODE}" "${DTKD}" "$@"\n`);
  await chmod(join(bin, 'dtkd'), 0o755);
  await cp(new URL('examples', ROOT), join(shared, 'examples'), { recursive: true });
  const origin = await current.origin();
  const names = [...new Set(steps.map((step) => step.node))].sort();
  const sites = new Map(await Promise.all(names.map(async (name) => [name, await current.start({ name })] as const)));
  for (const { node, script } of steps) {
    const result = await run({
      command: 'bash',
      args: ['-euc', localise(script, sites, `${origin.host}:${origin.port}`)],
      cwd: shared,
      env: { ...process.env, DTKD_DATA: sites.get(node)?.dir, PATH: `${bin}${delimiter}${process.env['PATH']}` },
    });
    expect(result, `${path} on ${node}:\n${script}`).toMatchObject({ code: 0 });
  }
  return steps.length;
}

describe('the guides', () => {
  it.each([
    'README.md',
    'docs/domains.md',
    'docs/apps.md',
    'docs/model.md',
    'docs/access.md',
    'docs/commands.md',
    'docs/modules.md',
    'docs/dispatch.md',
    'docs/airgap.md',
  ])('every command of %s does what it says', async (path) => {
    expect(await runGuide(stage.current, path)).toBeGreaterThan(2);
  });
});
