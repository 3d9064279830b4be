import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createAudit } from '../../daemon/src/access/audit/audit.ts';
import { openLevel } from '../../daemon/src/store/level-kv.ts';
import { appDocument, connected, formDomain } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { silentLogger } from '../silent-logger.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const DOMAIN = 'club';
const report = z.looseObject({
  ok: z.boolean(),
  confirmed: z.number(),
  problems: z.array(z.looseObject({ what: z.string(), file: z.string().optional(), line: z.number().optional() })),
  witnesses: z.array(z.looseObject({ node: z.string(), heads: z.number().optional(), reason: z.string().optional() })),
});

async function verify(site: Site): Promise<z.infer<typeof report> & { code: number }> {
  const { code, stdout } = await site.cli('audit', 'verify', '-o', 'json');
  return { ...report.parse(JSON.parse(stdout)), code };
}

describe('the audit log of a node', () => {
  let node0: Site;
  let node1: Site;

  beforeAll(async () => {
    [node0, node1] = (await stage.current.startAll('node0', 'node1')) as [Site, Site];
    await formDomain(DOMAIN, [node0, node1]);
  });

  it('tells who did what, and is sound', async () => {
    await node0.create(appDocument('wiki', [DOMAIN]));
    await node0.delete('dtapp', 'wiki');
    const shown = await node0.cli('audit', 'show', '--what', 'wiki');
    expect(shown.stdout).toMatch(/operator.*create.*wiki[\s\S]*operator.*delete.*wiki/i);
    expect(await verify(node0)).toMatchObject({ ok: true, code: 0, problems: [] });
  });

  it('has its heads seen by the other members', async () => {
    await node0.restart();
    await connected(node0, DOMAIN, [node1]);
    await waitFor(async () => (await verify(node0)).witnesses.some(({ node, heads }) => node === 'node1' && (heads ?? 0) > 0), {
      what: 'node1 to have seen a head',
    });
    const { ok, confirmed } = await verify(node0);
    expect({ ok, confirmed: confirmed > 0 }).toEqual({ ok: true, confirmed: true });
  });

  it('shows the Nodes of all members everywhere, and lets nobody write those of others', async () => {
    for (const site of [node0, node1]) {
      await waitFor(async () => (await site.list('nodes')).map(({ metadata }) => metadata.name).join() === 'node0,node1', {
        what: `both Nodes at ${site.name}`,
      });
    }
    const tag = { method: 'PATCH', contentType: 'application/merge-patch+json', body: { spec: { tags: ['edge'] } } };
    expect(await node1.api(node1.path('node', 'node0'), tag)).toMatchObject({ status: 403, body: { details: { owner: 'node0' } } });
    expect(await node0.api(node0.path('node', 'node0'), tag)).toMatchObject({ status: 200 });
    await waitFor(async () => JSON.stringify((await node1.get('node', 'node0'))?.['spec']) === '{"tags":["edge"]}', {
      what: 'the tag to show at node1',
    });
  });

  it('is whole after the daemon was killed in the middle of writing', async () => {
    for (let round = 0; round < 3; round += 1) {
      let written = 0;
      const writers = Array.from({ length: 6 }, async (_, writer) => {
        for (let number = 0; ; number += 1) {
          await node0.create(appDocument(`r${round}-w${writer}-n${number}`, [DOMAIN]));
          written += 1;
        }
      });
      const ended = Promise.allSettled(writers);
      await waitFor(() => written > 20 + round, { what: 'writes', pollMs: 2 });
      await node0.kill9();
      await ended;
      await node0.start();
      expect(await verify(node0)).toMatchObject({ ok: true, problems: [] });
    }
    const shown = await node0.cli('audit', 'show', '--verb', 'start', '--limit', '1');
    expect(shown.stdout).toContain('after an abrupt end');
  });

  it('that was altered says where', async () => {
    const directory = join(node0.dir, 'audit');
    const [name = ''] = await readdir(directory);
    const file = join(directory, name);
    const sound = await readFile(file, 'utf8');
    await writeFile(file, sound.replace('"operator"', '"operat0r"'));
    const broken = await node0.cli('audit', 'verify');
    expect(broken.code).toBe(1);
    expect(broken.stdout).toMatch(new RegExp(`${name}:\\d+: it was altered`));
    await writeFile(file, sound);
    expect(await verify(node0)).toMatchObject({ ok: true, code: 0 });
  });

  it('that was written anew and signed with its own key is exposed by its peer', async () => {
    await node0.stop();
    const directory = join(node0.dir, 'audit');
    await rename(directory, `${directory}.old`);
    const kv = await openLevel(join(node0.dir, 'db'));
    const forged = await createAudit({ directory, kv, logger: silentLogger, now: Date.now });
    for (let number = 0; number < 2_000; number += 1) {
      forged.record({ who: 'operator', verb: 'create', what: `harmless-${number}`, outcome: 'allowed', because: 'nothing to see' });
    }
    expect(await forged.head()).toBeDefined();
    await forged.close();
    await kv.close();
    await node0.start();
    await connected(node0, DOMAIN, [node1]);
    const found = await waitFor(
      async () => {
        const result = await verify(node0);
        return result.problems.some(({ what }) => what.startsWith('node1 has seen another line')) ? result : undefined;
      },
      { what: 'node1 to contradict' },
    );
    expect(found).toMatchObject({ ok: false, code: 1 });
    // Nothing is wrong with the lines themselves: only who has seen others can tell.
    expect(found.problems.every(({ file }) => file === undefined)).toBe(true);
  });
});
