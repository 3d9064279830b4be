/**
 * What comes next in a converge is brought to its target before its turn. Whichever daemon is killed in between: it never starts before its turn, and starts once when its turn comes.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { grant, type SiteUser } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';
import { type Field, mark, marked, openField, openGate, waitForGate } from './field.ts';

const stage = useStage();
const SERVICE = 'pair';
const serviceInstance = z.looseObject({ status: z.looseObject({ phase: z.string() }) });

async function ok(user: SiteUser, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await user.cli(...args);
  if (code !== 0) throw new Error(`dtkd ${args.join(' ')}: status ${code}\n${stdout}${stderr}`);
}

/** Two components, on `two` and on `three`. Each leaves a mark when its command begins, and ends when its gate is open. */
async function stagePair(field: Field, directory: string): Promise<void> {
  await mkdir(directory);
  const script = ['round=$DTKD_PROPERTY_ROUND', mark(field, '$round'), waitForGate(field, '$round-$DTKD_NODE')]
    .join('; ')
    .replaceAll("'", '"');
  await writeFile(
    join(directory, 'dtk.module.yaml'),
    JSON.stringify({
      dsl_version: '1.0',
      module: 'test/pair',
      version: '1.0.0',
      types: {
        Part: {
          extends: 'Service',
          properties: { round: { type: 'string', default: 'none' } },
          commands: { create: { script: { inline: script } } },
        },
      },
      assemblies: {
        pair: {
          parameters: { round: { type: 'string', default: 'none' } },
          components: {
            a: { type: 'Part', on: 'name=two', properties: { round: `\${parameters.round}` } },
            b: { type: 'Part', on: 'name=three', properties: { round: `\${parameters.round}` } },
          },
        },
      },
    }),
  );
  await ok(field.ops, 'module', 'install', directory);
  await ok(field.ops, 'stage', 'test/pair:pair', '--name', SERVICE);
}

/** How often the database of a site says that an order is ready, or not any more. */
async function readyWords({ seenAt }: Site): Promise<number> {
  const db = join(seenAt, 'db');
  const logs = (await readdir(db)).filter((name) => name.endsWith('.log'));
  const texts = await Promise.all(logs.map((name) => readFile(join(db, name), 'latin1').catch(() => '')));
  return texts.reduce((sum, text) => sum + text.split('j/r/').length - 1, 0);
}

describe('an order that waits for its turn at its target', () => {
  it('is not started by whoever is killed, and once when it is its turn', async () => {
    const field = await openField(stage.current, { names: ['one', 'two', 'three'] });
    const [one, , three] = field.sites;
    if (one === undefined || three === undefined) throw new Error('three sites');
    await grant(one, field.ops, ['DISCOVER', 'CREATE', 'READ', 'UPDATE', 'DELETE', 'MANAGE', 'EXECUTE'], { kind: '*' });
    await stagePair(field, join(stage.current.directory, 'pair'));
    const gates = (round: string) => Promise.all(['two', 'three'].map((node) => openGate(field, `${round}-${node}`)));
    const set = (round: string) => ok(field.ops, 'service', 'set', SERVICE, `parameters.round=${round}`);
    const phase = async () => serviceInstance.parse(await one.get('serviceinstance', SERVICE)).status.phase;
    const converge = () => field.ops.cli('converge', SERVICE, '--yes', '--threads', '1');

    // code that was never seen before is not made ready
    await set('first');
    await gates('first');
    expect(await converge()).toMatchObject({ code: 0 });

    for (const [round, victim] of [
      ['target', three],
      ['starter', one],
    ] as const) {
      await set(round);
      const before = await readyWords(three);
      // through the API: the command line would wait for its daemon
      const path = one.path('serviceinstance', SERVICE, { sub: 'converge' });
      await field.ops.call(path, { method: 'POST', body: { threads: 1 } });
      await waitFor(async () => (await readyWords(three)) > before, {
        what: `the order to be ready at three (${round})`,
        timeoutMs: 60_000,
      });
      await victim.kill9();
      expect(await marked(field, round)).not.toContain('three');
      await victim.start();
      await gates(round);
      await waitFor(async () => (await phase()) !== 'Converging', { what: 'the end of the task', timeoutMs: 60_000 });
      // until the two have found each other again
      await waitFor(async () => (await converge()).code === 0, { what: 'a converge that succeeds', timeoutMs: 120_000 });
      // what was interrupted may be run again, what waited has run once
      expect((await marked(field, round)).filter((node) => node === 'three')).toEqual(['three']);
    }
  });
});
