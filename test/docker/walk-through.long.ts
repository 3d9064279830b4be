import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { networkMissing } from '../harness/network.ts';
import { REPOSITORY } from '../harness/node-binary.ts';
import { useStage } from '../harness/use-stage.ts';
import { composeFile } from './compose-file.ts';
import { Composed } from './composed.ts';

const stage = useStage();
const why = networkMissing();

/** A block of the guide, ` ```sh walk `, or a hidden step, `<!-- walk: … -->`. */
const STEP = /^```sh walk\n(?<block>[\s\S]*?)^```$|^<!-- walk: (?<hidden>.*) -->$/gm;
/** Lines about services themselves come first in a block. */
const CONTROL = /^docker compose (?!exec )(.*)$/;

type Step = { control: string } | { script: string };

function stepsOf(text: string): Step[] {
  return [...text.matchAll(STEP)].flatMap(({ groups = {} }): Step[] => {
    const lines = (groups['block'] ?? groups['hidden'] ?? '').trimEnd().split('\n');
    const control = CONTROL.exec(lines[0] ?? '')?.[1];
    if (control === undefined) return [{ script: lines.join('\n') }];
    return lines.length === 1 ? [{ control }] : [{ control }, { script: lines.slice(1).join('\n') }];
  });
}

describe.skipIf(why !== undefined)(`docker/README.md${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  let composed: Composed | undefined;
  afterAll(() => composed?.close());

  it('is a walk through four sites that goes as it says', async () => {
    const steps = stepsOf(await readFile(join(REPOSITORY, 'docker', 'README.md'), 'utf8'));
    expect(steps.length).toBeGreaterThan(12);
    composed = await Composed.create(stage.current, await composeFile());
    const told: string[] = [];
    for (const step of steps) {
      if ('control' in step) await composed.control(step.control);
      else {
        // A command that is shown as refused has to be refused: for `set -e` alone, `!` may go either way.
        const result = await composed.run(step.script.replaceAll(/^! (.*)$/gm, 'if $1; then exit 99; fi'));
        expect(result, `${step.script}\n${result.stdout}\n${result.stderr}`).toMatchObject({ code: 0 });
        told.push(result.stdout, result.stderr);
      }
    }
    const text = told.join('\n');
    expect(text.match(/^hello from site a$/gm)).toHaveLength(3);
    // Without the relay, three sites were not to be had, and it was said.
    for (const site of ['site-b', 'site-c', 'relay']) expect(text).toMatch(new RegExp(`${site}.*unreachable|unreachable.*${site}`));
  });
});
