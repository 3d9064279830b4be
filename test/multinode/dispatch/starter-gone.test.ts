/** Who starts a command may go away: what it started goes on, and anybody who may see it follows it from anywhere. */
import { describe, expect, it } from 'vitest';
import { useStage } from '../../harness/use-stage.ts';
import { addUser } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';
import { allow, deploy, makeType, mark, marked, openField, openGate, partsOf, phaseOf, shell, start, waitForGate } from './field.ts';

const stage = useStage();
const LINES = 2_000;

describe('a starter that is killed', () => {
  it('is not needed to follow what it started to its end, without gap or repetition', async () => {
    const field = await openField(stage.current, { names: ['one', 'two', 'three'] });
    const [one, two, three] = field.sites;
    if (one === undefined || two === undefined || three === undefined) throw new Error('three sites');
    const watcher = await addUser(three, 'watcher');
    for (const site of [one, two]) await allow(site, one, watcher);
    const count = `i=0; while [ $i -lt ${LINES} ]; do echo "$DTKD_NODE $i"; i=$((i+1)); done`;
    await makeType(field, 'Talker', {
      Talk: shell(`${mark(field, 'talks')}; ${count}; ${waitForGate(field, 'talk')}; echo "$DTKD_NODE last"; exit 7`),
    });
    await deploy(field, 'Talker', 'talker', [two, three]);
    // `three` is a target as well, and its own user watches
    await allow(three, one, watcher);
    const id = await start(field.ops, {
      type: 'Talker',
      resource: 'talker',
      command: 'Talk',
      filter: { include: ['.*'] },
      threads: 2,
      keepGoing: true,
    });
    await waitFor(async () => (await marked(field, 'talks')).length === 2, { what: 'both to talk' });
    const following = watcher.cli('executions', 'follow', id, '-o', 'json');
    await one.kill9();
    await openGate(field, 'talk');
    const { code, stdout } = await following;
    expect(code).not.toBe(0);
    const lines = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { node?: string; text?: string; stream?: string });
    for (const node of ['two', 'three']) {
      const text = lines
        .filter((line) => line.node === node && line.stream === 'out')
        .map((line) => line.text ?? '')
        .join('\n')
        .replaceAll('\n\n', '\n');
      const said = text.split('\n').filter((line) => line !== '');
      expect(said).toEqual([...Array.from({ length: LINES }, (_, index) => `${node} ${index}`), `${node} last`]);
    }
    const parts = await partsOf(watcher, id);
    for (const node of ['two', 'three']) expect(parts.get(node)).toMatchObject({ outcome: 'failed', exitStatus: 7 });

    await one.start();
    await waitFor(async () => (await phaseOf(field.ops, id)) === 'Finished', { what: 'the starter to learn the end' });
    const learnt = await partsOf(field.ops, id);
    for (const node of ['two', 'three']) expect(learnt.get(node)).toMatchObject({ outcome: 'failed', exitStatus: 7 });
    expect((await marked(field, 'talks')).sort()).toEqual(['three', 'two']);
  });
});

describe('a starter that waits for a word', () => {
  it('has it said at other nodes, too, to who follows what is paused', async () => {
    const field = await openField(stage.current, { names: ['one', 'two', 'three'] });
    const [one, two, three] = field.sites;
    if (one === undefined || two === undefined || three === undefined) throw new Error('three sites');
    const watcher = await addUser(three, 'watcher');
    for (const site of field.sites) await allow(site, one, watcher);
    await makeType(field, 'Breaker', { Break: shell(`${mark(field, 'breaks')}; exit 7`) });
    await deploy(field, 'Breaker', 'breaker', [two, three]);
    const id = await start(field.ops, {
      type: 'Breaker',
      resource: 'breaker',
      command: 'Break',
      filter: { include: ['.*'] },
      batch: '1',
      pauseOnFailure: true,
    });
    const { code, stderr } = await watcher.cli('executions', 'follow', id);
    expect(code, stderr).toBe(23);
    expect(stderr).toContain(`It is paused. Go on, at one: dtkd executions resume ${id.slice(0, 12)}\n`);
    expect(await marked(field, 'breaks')).toHaveLength(1);
    expect((await field.ops.cli('executions', 'resume', id)).code).toBe(20);
    expect((await watcher.cli('executions', 'follow', id)).code).toBe(20);
    expect(await marked(field, 'breaks')).toHaveLength(2);
  });
});
