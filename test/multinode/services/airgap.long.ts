/** Two halves of a domain and a courier between which there is no network: files alone carry what they have to know of one another. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { appsSeen, connected, formDomain, peerNamed, publish } from '../../harness/domain.ts';
import { type Network, networkMissing } from '../../harness/network.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';
import { allow, deploy, type Field, makeType, mark, marked, ok, partsOf, phaseOf, shell, start } from '../dispatch/field.ts';

const stage = useStage({ story: true });
const why = networkMissing();
const DOMAIN = 'islands';
/** A member whose wire was cut says nothing; noticing takes a missed heartbeat or two. */
const NOTICED_MS = 180_000;
/** Members compare in turn, one every few seconds. */
const SPREAD_MS = 90_000;

describe.skipIf(why !== undefined)(`a domain in pieces${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  let field: Field;
  let a: Site;
  let b: Site;
  let c: Site;
  let d: Site;
  let courier: Site;
  let network: Network;
  let files = 0;
  const ids: string[] = [];

  beforeAll(async () => {
    network = await stage.current.network({
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
    await makeType(field, 'Job', {
      Work: { options: { mark: { required: true } }, ...shell(`${mark(field, 'jobs')}; echo "did $DTKD_OPTION_MARK"`) },
    });
    await deploy(field, 'Job', 'job', [d]);
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
  });

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
  });

  const queued = async (text: string): Promise<string> => {
    const id = await start(field.ops, {
      type: 'Job',
      resource: 'job',
      command: 'Work',
      options: { mark: text },
      filter: { include: ['name=d'] },
      queue: '1h',
    });
    ids.push(id);
    return id;
  };
  const partOf = async (id: string) => (await partsOf(field.ops, id)).get('d');
  const isQueued = (id: string) => waitFor(async () => (await partOf(id))?.state === 'queued', { what: 'the order to be held' });

  it('runs once what is ordered on one side for the other, and tells what became of it', async () => {
    const id = await queued('once');
    await isQueued(id);
    // b holds it, or asks a; neither the courier nor c is a target
    const direct = await exported(a);
    const first = await exported(b, '--modules', 'none');
    expect(await ok(courier, 'bundle', 'import', first)).toContain('1 order');
    const carried = await exported(courier);
    expect(await ok(c, 'bundle', 'import', carried)).toContain('1 order');
    await ok(d, 'bundle', 'import', direct);
    await ok(d, 'bundle', 'import', direct);
    await ok(c, 'bundle', 'import', first);
    await waitFor(async () => (await marked(field, 'jobs')).length > 0, { what: 'the command to run at d', timeoutMs: SPREAD_MS });
    expect(await partOf(id)).toMatchObject({ state: 'queued' });

    // made where it did not run, and taken in where it was not started: b brings it to a
    const back = await waitFor(
      async () => {
        const file = await exported(c, '--since', carried);
        return (await ok(c, 'bundle', 'show', file)).includes('1 answer') ? file : undefined;
      },
      { what: 'an answer of d' },
    );
    await ok(courier, 'bundle', 'import', back);
    const again = await exported(courier, '--orders', 'all');
    await ok(b, 'bundle', 'import', again);
    await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', {
      what: 'a to learn what became of it',
      timeoutMs: SPREAD_MS,
    });
    await ok(a, 'bundle', 'import', back);
    await ok(a, 'bundle', 'import', again);
    expect(await partOf(id)).toMatchObject({ state: 'ended', outcome: 'succeeded', exitStatus: 0 });
    const told = await field.ops.cli('executions', 'follow', id);
    expect(told.stdout.match(/did once/g)).toHaveLength(1);
    expect(await marked(field, 'jobs')).toEqual(['d']);
  });

  it('does not run what was taken back, if that comes first, and says so', async () => {
    const id = await queued('never');
    await isQueued(id);
    const order = await exported(a);
    await field.ops.cli('executions', 'abort', id);
    expect(await partOf(id)).toMatchObject({ state: 'ended', outcome: 'unknown', code: 'ABORTED' });
    const cancel = await exported(a, '--since', order);
    expect(await ok(a, 'bundle', 'show', cancel)).toContain('1 cancellation');
    await ok(d, 'bundle', 'import', cancel);
    await ok(d, 'bundle', 'import', order);
    const back = await exported(d, '--since', order);
    await ok(a, 'bundle', 'import', back);
    await waitFor(async () => (await partOf(id))?.outcome === 'skipped', { what: 'a to learn that it never ran' });
    expect(await marked(field, 'jobs')).toEqual(['d']);
  });

  it('brings the module along that an order needs', async () => {
    const directory = join(stage.current.directory, 'module');
    await mkdir(join(directory, 'bin'), { recursive: true });
    const types = { Ticker: { extends: 'Service', commands: { Tick: { script: { file: 'bin/tick' } } } } };
    await writeFile(
      join(directory, 'dtk.module.yaml'),
      JSON.stringify({ dsl_version: '1.0', module: 'test/ticker', version: '1.0.0', types }),
    );
    await writeFile(join(directory, 'bin/tick'), `#!/bin/sh\n${mark(field, 'ticks')}\n`, { mode: 0o755 });
    await ok(a, 'module', 'install', directory);
    await deploy(field, 'Ticker', 'clock', [d]);
    const id = await start(field.ops, { type: 'Ticker', resource: 'clock', command: 'Tick', filter: { include: ['name=d'] }, queue: '1h' });
    await isQueued(id);
    const file = await exported(a);
    expect(await ok(d, 'bundle', 'import', file)).toContain('1 module');
    await waitFor(async () => (await marked(field, 'ticks')).length > 0, {
      what: 'the command of the module to run at d',
      timeoutMs: SPREAD_MS,
    });
    // the command leaves its mark before its end is there to be told
    await waitFor(
      async () => {
        await ok(a, 'bundle', 'import', await exported(d));
        return (await partOf(id))?.state === 'ended';
      },
      { what: 'a to learn what became of it' },
    );
    expect(await partOf(id)).toMatchObject({ outcome: 'succeeded' });
    expect(await marked(field, 'ticks')).toEqual(['d']);
    ids.push(id);
  });

  it('agrees with what is told once there is a connection again', async () => {
    const parts = await Promise.all(ids.map(partOf));
    await network.heal('left', 'right');
    await Promise.all([a, b, c, d].map((site) => connected(site, DOMAIN, [a, b, c, d])));
    await sees([a, b, c, d], ['a/left', 'd/right']);
    expect(await Promise.all(ids.map(partOf))).toEqual(parts);
    expect((await field.ops.cli('executions', 'follow', ids[0] ?? '')).stdout.match(/did once/g)).toHaveLength(1);
    expect(await marked(field, 'jobs')).toEqual(['d']);
  });
});
