/** Two halves of a domain and a courier between which there is no network: files alone carry what they have to know of one another. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { appsSeen, formDomain, peerNamed, publish } from '../../harness/domain.ts';
import { networkMissing } from '../../harness/network.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';
import { allow, type Field, ok } from '../dispatch/field.ts';

const stage = useStage({ story: true });
const why = networkMissing();
const DOMAIN = 'islands';
/** A member whose wire was cut says nothing; noticing takes a missed heartbeat or two. */
const NOTICED_MS = 60_000;
/** Members compare in turn, one every few seconds. */
const SPREAD_MS = 30_000;

describe.skipIf(why !== undefined)(`a domain in pieces${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  let field: Field;
  let a: Site;
  let b: Site;
  let c: Site;
  let d: Site;
  let courier: Site;
  let files = 0;

  beforeAll(async () => {
    const network = await stage.current.network({
      segments: { left: ['a', 'b'], right: ['c', 'd'], island: ['courier'] },
      cables: [
        ['left', 'right'],
        ['left', 'island'],
      ],
    });
    const sites = await Promise.all(
      ['a', 'b', 'c', 'd', 'courier'].map((name) => stage.current.start({ name, inside: network.inside(name) })),
    );
    [a, b, c, d, courier] = sites as [Site, Site, Site, Site, Site];
    await formDomain(DOMAIN, sites);
    const ops = await addUser(a, 'ops');
    for (const site of sites) await allow(site, a, ops);
    const marks = join(stage.current.directory, 'marks');
    await mkdir(marks, { recursive: true });
    field = { sites, home: a, ops, marks };
    await publish(a, 'before', DOMAIN);
    await sees(sites, ['a/before']);
    await network.cut('left', 'right');
    await network.cut('left', 'island');
    for (const [one, other] of [
      [a, c],
      [a, d],
      [b, c],
      [b, d],
      [a, courier],
      [c, a],
      [c, b],
      [d, a],
      [d, b],
      [courier, a],
    ] as const) {
      await waitFor(async () => (await peerNamed(one, DOMAIN, other.name))?.['connected'] === false, {
        what: `${one.name} to miss ${other.name}`,
        timeoutMs: NOTICED_MS,
      });
    }
  }, 180_000);

  async function sees(sites: readonly Site[], apps: readonly string[]): Promise<void> {
    const wanted = JSON.stringify([...apps].sort());
    await Promise.all(
      sites.map((site) =>
        waitFor(async () => JSON.stringify(await appsSeen(site)) === wanted, {
          what: `${site.name} to show ${wanted}`,
          timeoutMs: SPREAD_MS,
        }),
      ),
    );
  }

  async function exported(site: Site, ...args: string[]): Promise<string> {
    files += 1;
    const file = join(stage.current.directory, `${site.name}-${files}.dtkd`);
    await ok(site, 'bundle', 'export', file, ...args);
    return file;
  }

  it('comes to the same objects by files alone, whatever carries them, in whatever order', async () => {
    await publish(a, 'left', DOMAIN);
    await publish(d, 'right', DOMAIN);
    await a.delete('dtapp', 'before');
    await sees([a, b], ['a/left']);
    await sees([c, d], ['a/before', 'd/right']);

    const fromLeft = await exported(b);
    expect(await ok(a, 'bundle', 'show', fromLeft)).toContain('domain islands, by b');
    expect(await ok(courier, 'bundle', 'import', fromLeft)).toContain('domain islands, from b');
    await sees([courier], ['a/left']);
    const carried = await exported(courier);
    await ok(c, 'bundle', 'import', carried, '--dry-run');
    await sees([c], ['a/before', 'd/right']);
    await ok(c, 'bundle', 'import', carried);
    await ok(c, 'bundle', 'import', fromLeft);
    await ok(d, 'bundle', 'import', carried);
    await sees([c, d], ['a/left', 'd/right']);

    const fromRight = await exported(d, '--since', carried);
    await ok(b, 'bundle', 'import', fromRight);
    await ok(b, 'bundle', 'import', fromRight);
    await sees([a, b], ['a/left', 'd/right']);
    expect(field.sites).toHaveLength(5);
  });
});
