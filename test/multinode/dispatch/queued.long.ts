/** Orders for nodes that are away: held by others, handed over when the node is back, decided then, started once at most. */
import { beforeAll, describe, expect, it } from 'vitest';
import { connected } from '../../harness/domain.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { waitFor } from '../../wait.ts';
import { DOMAIN, deploy, type Field, makeType, mark, marked, ok, openField, partsOf, phaseOf, shell, start } from './field.ts';

const stage = useStage({ story: true });

describe('orders for a node that is away', () => {
  let field: Field;
  let home: Site;
  let holder: Site;
  let away: Site;

  beforeAll(async () => {
    field = await openField(stage.current, { names: ['home', 'holder', 'away'] });
    [home, holder, away] = field.sites as [Site, Site, Site];
    await makeType(field, 'Job', {
      Work: { options: { mark: { required: true } }, ...shell(`${mark(field, 'jobs')}; echo "$DTKD_OPTION_MARK"`) },
    });
    await deploy(field, 'Job', 'job', [away]);
    const first = await field.ops.cli('run', 'Work', 'Job/job', '--on', 'name=away', '--set', 'mark=first');
    expect(first, first.stderr).toMatchObject({ code: 0 });
  });

  const queued = (): Promise<string> =>
    start(field.ops, {
      type: 'Job',
      resource: 'job',
      command: 'Work',
      options: { mark: 'queued' },
      filter: { include: ['name=away'] },
      queue: '1h',
    });

  it('are handed over by others, also when the starter is gone, and run once', async () => {
    await away.stop();
    const id = await queued();
    const part = await waitFor(
      async () => {
        const found = (await partsOf(field.ops, id)).get('away');
        return found?.state === 'queued' ? found : undefined;
      },
      { what: 'the order to be held' },
    );
    expect(part.holders).toContain('holder');
    await home.stop();
    await away.start();
    await waitFor(async () => (await marked(field, 'jobs')).length === 2, { what: 'the holder to hand it over' });
    await home.start();
    await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', { what: 'the starter to learn of it' });
    expect((await partsOf(field.ops, id)).get('away')).toMatchObject({ outcome: 'succeeded', exitStatus: 0 });
    await connected(away, DOMAIN, field.sites);
    expect(await marked(field, 'jobs')).toHaveLength(2);
  });

  it('are taken back as far as they can be reached', async () => {
    await away.stop();
    const id = await queued();
    await waitFor(async () => (await partsOf(field.ops, id)).get('away')?.state === 'queued', { what: 'the order to be held' });
    const aborted = await field.ops.cli('executions', 'abort', id);
    expect(`${aborted.stdout}${aborted.stderr}`).toContain('away');
    await away.start();
    await connected(away, DOMAIN, field.sites);
    await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', { what: 'the end' });
    expect((await partsOf(field.ops, id)).get('away')).toMatchObject({ outcome: 'skipped' });
    expect(await marked(field, 'jobs')).toHaveLength(2);
  });

  it('wait for the starter where what has to be known is too large to be held', async () => {
    const padding = `\n# ${'x'.repeat(60_000)}`;
    await makeType(field, 'Large', {
      Work: shell(`${mark(field, 'large')}${padding}`),
      Rest: shell(`true${padding}`),
    });
    await deploy(field, 'Large', 'large', [away]);
    await away.stop();
    const id = await start(field.ops, {
      type: 'Large',
      resource: 'large',
      command: 'Work',
      filter: { include: ['name=away'] },
      queue: '1h',
    });
    await waitFor(async () => (await partsOf(field.ops, id)).get('away')?.state === 'queued', { what: 'the order to be held' });
    await home.stop();
    await away.start();
    await connected(away, DOMAIN, [holder]);
    await home.start();
    await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', { what: 'the end' });
    expect((await partsOf(field.ops, id)).get('away')).toMatchObject({ outcome: 'succeeded' });
    expect(await marked(field, 'large')).toEqual(['away']);
  });

  it('are decided when they come, and not when they were made', async () => {
    const [capability] = await away.list('capabilities');
    await away.stop();
    const id = await queued();
    await waitFor(async () => (await partsOf(field.ops, id)).get('away')?.state === 'queued', { what: 'the order to be held' });
    // alone, so that nothing is handed over before its operator has changed its mind
    await home.stop();
    await holder.stop();
    await away.start();
    await away.delete('capability', capability?.metadata.name ?? '');
    await holder.start();
    await home.start();
    await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', { what: 'the end' });
    expect((await partsOf(field.ops, id)).get('away')).toMatchObject({ outcome: 'refused' });
    expect(await marked(field, 'jobs')).toHaveLength(2);
    expect(await ok(away, 'audit', 'show')).toContain('EXECUTE');
  });
});
