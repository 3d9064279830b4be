/** Executions that pause after a batch, and everything that may happen until somebody resumes them: each target starts at most once, and every outcome is reported as it is. */
import { describe, expect, it } from 'vitest';
import { connected } from '../../harness/domain.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser, revoke, type SiteUser } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';
import { allow, DOMAIN, deploy, type Field, makeType, mark, marked, ok, openField, partsOf, phaseOf, shell, start } from './field.ts';

const stage = useStage({ story: true });
let field: Field;
let one: Site;
let watcher: SiteUser;

async function paused(command: string): Promise<string> {
  const request = { type: 'Breaker', resource: 'breaker', command, filter: { include: ['.*'] }, batch: '1', pauseOnFailure: true };
  const id = await start(field.ops, request);
  await untilPaused(id);
  return id;
}

async function untilPaused(id: string): Promise<void> {
  await waitFor(async () => (await phaseOf(field.ops, id)) === 'Paused', { what: 'the execution to pause' });
}

/** What became of the parts, by node. */
async function outcomesOf(id: string): Promise<Record<string, string>> {
  return Object.fromEntries([...(await partsOf(field.ops, id))].map(([node, { outcome, state }]) => [node, outcome ?? state]));
}

/** Nodes in the order of the plan. */
async function orderOf(id: string): Promise<string[]> {
  return [...(await partsOf(field.ops, id)).keys()];
}

describe('an execution that pauses', () => {
  it('goes on once, however many say so, where it was started, and is not retried meanwhile', async () => {
    field = await openField(stage.current, { names: ['one', 'two', 'three'] });
    one = field.home;
    const [, , three] = field.sites;
    if (three === undefined) throw new Error('three sites');
    watcher = await addUser(three, 'watcher');
    for (const site of field.sites) await allow(site, one, watcher);
    const commands = ['First', 'Second', 'Third', 'Fourth'].map((name) => [name, shell(`${mark(field, name)}; exit 7`)] as const);
    await makeType(field, 'Breaker', Object.fromEntries(commands));
    await deploy(field, 'Breaker', 'breaker', field.sites);

    const id = await paused('First');
    expect((await field.ops.cli('executions', 'retry', id)).stderr).toContain('2 of 3 targets');
    const elsewhere = await watcher.cli('executions', 'resume', id);
    expect([elsewhere.code, elsewhere.stderr]).toEqual([6, expect.stringContaining('Resume it at one')]);
    expect((await field.ops.cli('executions', 'resume', id)).code).toBe(23);
    await untilPaused(id);
    const both = await Promise.all([field.ops.cli('executions', 'resume', id), field.ops.cli('executions', 'resume', id)]);
    for (const { code, stderr } of both) expect([6, 20], stderr).toContain(code);
    await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', { what: 'the execution to end' });
    expect(await marked(field, 'First')).toEqual(await orderOf(id));
    expect(await ok(one, 'audit', 'show')).toMatch(/ops@one +resume +executions\//);
  });

  it('is aborted from any node', async () => {
    const id = await paused('Second');
    const { code, stderr } = await watcher.cli('executions', 'abort', id);
    expect(code, stderr).toBe(0);
    await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', { what: 'the abort to arrive' });
    const [first = '', ...rest] = await orderOf(id);
    expect(await outcomesOf(id)).toEqual({ [first]: 'failed', ...Object.fromEntries(rest.map((node) => [node, 'skipped'])) });
    expect((await field.ops.cli('executions', 'resume', id)).code).toBe(6);
    expect(await marked(field, 'Second')).toEqual([first]);
  });

  it('is decided anew by each target when it goes on', async () => {
    const id = await paused('Third');
    const [first = '', second = '', last = ''] = await orderOf(id);
    const [losing, resting] = [second, last].map((name) => field.sites.find((site) => site.name === name));
    if (losing === undefined || resting === undefined) throw new Error('three sites');
    for (const grant of await losing.list('capabilities')) await revoke(losing, grant.metadata.name);
    await ok(resting, 'node', 'maintain', 'on');
    await field.ops.cli('executions', 'resume', id);
    await untilPaused(id);
    await field.ops.cli('executions', 'resume', id);
    await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', { what: 'the execution to end' });
    expect(await outcomesOf(id)).toEqual({ [first]: 'failed', [second]: 'refused', [last]: 'skipped' });
    expect(await marked(field, 'Third')).toEqual([first]);
    await ok(resting, 'node', 'maintain', 'off');
    await allow(losing, one, field.ops);
  });

  it('is over when its starter is killed: the rest was not told, and runs when it is retried', async () => {
    const id = await paused('Fourth');
    const [first = ''] = await orderOf(id);
    await one.kill9();
    await one.start();
    await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', { what: 'the starter to take it up' });
    expect(Object.values(await outcomesOf(id)).sort()).toEqual(['failed', 'skipped', 'skipped']);
    expect((await field.ops.cli('executions', 'resume', id)).stderr).toContain('not paused');
    expect(await marked(field, 'Fourth')).toEqual([first]);
    await connected(one, DOMAIN, field.sites);
    const plan = await field.ops.cli('executions', 'retry', id, '--dry-run');
    expect(plan.stdout).toContain('3 targets would be told');
  });
});
