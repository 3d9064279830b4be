import { describe, expect, test } from 'vitest';
import type { Transaction } from '../../../daemon/src/store/object-store.types.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import { waitFor } from '../../wait.ts';
import { fail, hang, succeed } from './fake-target.ts';
import { closedWorlds, EXEC, fieldsOf, OPS, outcomes, partsOf, type World } from './world.ts';

const DEV: Principal = { type: 'user', home: 'self', name: 'dev', uid: 'uid-dev', display: 'dev@desk' };
const inWorld = closedWorlds();
const forever = new AbortController().signal;
const told = (w: World) => waitFor(() => w.targets.get('web1')?.parts.size === 1);

describe('whoever starts an execution', () => {
  test('finds it again: what it records is stored with it, or neither is', async () => {
    const w = await inWorld({ targets: { web1: succeed } });
    const record = (tx: Transaction, id: string) => tx.putRow('i/x', Buffer.from(id));
    const { metadata } = await w.executions.dispatch(OPS, EXEC, { record });
    expect(Buffer.from((await w.store.kv.get('i/x')) ?? []).toString()).toBe(metadata.name);
    const refused = () => {
      throw new Error('not so');
    };
    await expect(w.executions.dispatch(OPS, EXEC, { record: refused })).rejects.toThrow('not so');
    await w.executions.ended(OPS, metadata.name, forever);
    expect((await w.store.list({ group: 'dtkd.dev', plural: 'executions', namespace: 'desk' })).items).toHaveLength(1);
  });

  test('may have as many at a time as it says itself, if it keeps record of them', async () => {
    const w = await inWorld({ targets: { web1: hang } });
    const start = () => w.executions.dispatch(OPS, EXEC, { record: () => undefined });
    await Promise.all(Array.from({ length: 70 }, start));
    await w.executions.dispatch(OPS, EXEC);
    expect(w.executions.counts().running).toBe(71);
  });
});

describe('what is prepared', () => {
  test('begins when it is told to, and is then as any other', async () => {
    const w = await inWorld({ targets: { web1: succeed, web2: fail } });
    const stored = async () => (await w.store.list({ group: 'dtkd.dev', plural: 'executions', namespace: 'desk' })).items.length;
    const prepared = await w.executions.prepare(OPS, EXEC);
    expect({ stored: await stored(), ...w.executions.counts() }).toEqual({ stored: 0, running: 0, parts: 0 });
    const { metadata } = await prepared.dispatch();
    const object = await w.executions.ended(OPS, metadata.name, forever);
    expect(outcomes(partsOf(object))).toEqual({ web1: 'succeeded', web2: 'failed' });
    expect(await stored()).toBe(1);
  });
});

describe('the end of an execution', () => {
  test('is waited for, and stored when it is told', async () => {
    const w = await inWorld({ targets: { web1: hang, web2: fail } });
    const { metadata } = await w.executions.dispatch(OPS, EXEC);
    const ended = w.executions.ended(OPS, metadata.name, forever);
    await told(w);
    w.targets.get('web1')?.only.end();
    const object = await ended;
    expect(fieldsOf(object).status?.phase).toBe('Finished');
    expect(outcomes(partsOf(object))).toEqual({ web1: 'succeeded', web2: 'failed' });
    const ref = { group: 'dtkd.dev', plural: 'executions', namespace: 'desk', name: metadata.name };
    expect(partsOf(await w.store.get(ref))).toEqual(partsOf(object));
    expect(outcomes(partsOf(await w.executions.ended(OPS, metadata.name, forever)))).toEqual({ web1: 'succeeded', web2: 'failed' });
  });

  test.each([
    { other: succeed, says: ['succeeded', 'stored'] },
    { other: fail, says: ['stored'] },
  ])('is told before it is stored if all have ended well, and not before that: $says', async ({ other, says }) => {
    const w = await inWorld({ targets: { web1: hang, web2: other } });
    const { metadata } = await w.executions.dispatch(OPS, EXEC);
    const heard: string[] = [];
    const ended = w.executions.ended(OPS, metadata.name, forever, () => heard.push('succeeded')).then(() => heard.push('stored'));
    await told(w);
    const ref = { group: 'dtkd.dev', plural: 'executions', namespace: 'desk', name: metadata.name };
    await waitFor(async () => partsOf(await w.store.get(ref)).some(({ state }) => state === 'ended'));
    expect(heard).toEqual([]);
    w.targets.get('web1')?.only.end();
    await ended;
    expect(heard).toEqual(says);
  });

  test('comes also of one that an earlier daemon started', async () => {
    const w = await inWorld({ targets: { web1: hang } });
    const { metadata } = await w.executions.dispatch(OPS, EXEC);
    await told(w);
    const before = w.executions.ended(OPS, metadata.name, forever).catch((error: unknown) => error);
    await w.restart();
    expect(await before).toMatchObject({ code: 'UNAVAILABLE' });
    const after = w.executions.ended(OPS, metadata.name, forever);
    w.targets.get('web1')?.only.end();
    expect(outcomes(partsOf(await after))).toEqual({ web1: 'succeeded' });
    await w.restart();
    expect(outcomes(partsOf(await w.executions.ended(OPS, metadata.name, forever)))).toEqual({ web1: 'succeeded' });
  });

  test('is given up with the signal, and not told to those who may not read it', async () => {
    const w = await inWorld({
      targets: { web1: hang },
      decide: ({ name }) => (name === 'dev' ? { allowed: false, reason: 'no' } : { allowed: true, because: 'a test' }),
    });
    const { metadata } = await w.executions.dispatch(OPS, EXEC);
    const controller = new AbortController();
    const ended = w.executions.ended(OPS, metadata.name, controller.signal).catch((error: unknown) => error);
    controller.abort();
    expect(await ended).toMatchObject({ code: 'ABORTED' });
    await expect(w.executions.ended(OPS, metadata.name, controller.signal)).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(w.executions.ended(DEV, metadata.name, forever)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(w.executions.ended(OPS, 'f'.repeat(64), forever)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
