/** What a target said in a file settles a part as if it had been asked; what it says later over a connection agrees. */
import { describe, expect, test } from 'vitest';
import { carriedConversation } from '../../../daemon/src/dispatch/execution/part/carried-conversation.ts';
import { PartDriver } from '../../../daemon/src/dispatch/execution/part/part-driver.ts';
import type { Part } from '../../../protocol/orders/outcome.ts';
import { silentLogger } from '../../silent-logger.ts';
import { waitFor } from '../../wait.ts';
import { domainId, keyOf } from '../fake-members.ts';
import { record } from './fake-target.ts';
import { closedWorlds, EXEC, fieldsOf, linesOf, OPS, partsOf, showOf, textOf, type World } from './world.ts';

const open = closedWorlds();
const site = domainId('site');
const FROM = { domain: site, target: keyOf('web1', site) };

/** An execution whose one target is away: its order is held. */
async function queued(holding: object = {}): Promise<{ w: World; id: string }> {
  const w = await open({
    targets: { web1: () => undefined },
    // its target never comes
    timing: { connectMs: 1_000, answerMs: 1_000 },
    holding: {
      deposit: async () => ({ holders: ['desk'] }),
      mayHaveDelivered: () => true,
      cancel: async () => ({ notReached: ['web1'] }),
      ...holding,
    },
  });
  w.network.stop('web1');
  const object = await w.executions.dispatch(OPS, { ...EXEC, queue: '1h' });
  const id = object.metadata.name;
  await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.state === 'queued', { what: 'the queueing' });
  return { w, id };
}

const ended = (more: Partial<Part> = {}): Part => ({
  index: 0,
  node: 'web1',
  what: 'test',
  state: 'ended',
  outcome: 'succeeded',
  exitStatus: 0,
  startedAt: 1,
  endedAt: 2,
  ...more,
});

describe('an answer in a file', () => {
  test('counts as dropped only what is neither in it nor was collected before', async () => {
    const [one, two] = [record('one\n'), record('two\n')];
    const part = ended({ offset: 3 * one.length });
    const heard = async (offset: number, records: Uint8Array) => {
      const conversation = carriedConversation('x', { part, records });
      await conversation.ask({ type: 'attach', id: 'x', index: 0, offset, follow: true }, 1);
      return [await conversation.next(1), await conversation.next(1)];
    };
    const rest = new Uint8Array();
    expect(await heard(0, rest)).toMatchObject([{ part: { offset: 0, dropped: 3 * one.length } }, { type: 'end' }]);
    expect(await heard(2 * one.length, rest)).toMatchObject([{ part: { offset: 2 * one.length, dropped: one.length } }, { type: 'end' }]);
    expect(await heard(one.length, Buffer.concat([one, two]))).toMatchObject([
      { part: { offset: 2 * one.length, dropped: one.length } },
      { offset: one.length, records: Uint8Array.from(two) },
    ]);
  });

  test('ends the part that waited, with its output; again it is known', async () => {
    const { w, id } = await queued();
    const records = record('from afar\n');
    const answer = { part: ended({ offset: records.length }), records };
    expect(await w.executions.answered(FROM, { id, index: 0 }, answer)).toBe('taken');
    const [part] = partsOf(await w.store.get({ group: 'dtkd.dev', plural: 'executions', namespace: 'desk', name: id }));
    expect(part).toMatchObject({ state: 'ended', outcome: 'succeeded', exitStatus: 0, startedAt: 1, endedAt: 2 });
    expect(part?.holders).toBeUndefined();
    expect(await w.executions.answered(FROM, { id, index: 0 }, answer)).toBe('known');
    expect(textOf(await linesOf(w.executions, id), 0)).toBe('from afar\n');
    await w.restart();
    expect(await w.executions.answered(FROM, { id, index: 0 }, answer)).toBe('known');
    expect(textOf(await linesOf(w.executions, id), 0)).toBe('from afar\n');
  });

  test('is heard after a restart of the starter, and of what is not in it says so', async () => {
    const { w, id } = await queued();
    await w.restart();
    const records = record('the beginning\n');
    const answer = { part: ended({ offset: records.length + 1_000, dropped: 5, outcome: 'failed', exitStatus: 3 }), records };
    expect(await w.executions.answered(FROM, { id, index: 0 }, answer)).toBe('taken');
    expect(partsOf(await showOf(w.executions, id))[0]).toMatchObject({
      outcome: 'failed',
      exitStatus: 3,
      offset: records.length,
      dropped: 1_005,
    });
    expect(textOf(await linesOf(w.executions, id), 0)).toBe('the beginning\n');
  });

  test('finds out what had been given up', async () => {
    const { w, id } = await queued();
    await w.executions.started.abort(OPS, id);
    expect(partsOf(await showOf(w.executions, id))[0]).toMatchObject({ state: 'ended', outcome: 'unknown', code: 'ABORTED' });
    const skipped = ended({ outcome: 'skipped', code: 'ABORTED', reason: 'withdrawn before it arrived' });
    expect(await w.executions.answered(FROM, { id, index: 0 }, { part: skipped, records: new Uint8Array() })).toBe('taken');
    expect(partsOf(await showOf(w.executions, id))[0]).toMatchObject({
      state: 'ended',
      outcome: 'skipped',
      reason: 'withdrawn before it arrived',
    });
  });

  test('that comes twice at once, of what nobody looked for any more, puts its output once', async () => {
    const records = record('from afar\n');
    const answer = { part: ended({ offset: records.length }), records };
    let appended = 0;
    const sink = {
      offset: 0,
      async append(more: Uint8Array) {
        appended += 1;
        if (appended === 1) driver.answered(answer);
        for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
        this.offset += more.length;
      },
    };
    const second = { first: 1, last: 1 };
    const driver = new PartDriver({
      id: 'ab'.repeat(32),
      part: ended({ outcome: 'unknown' }),
      self: 'desk',
      line: {
        open: () => Promise.reject(new Error('away')),
        maybeThere: () => false,
        isGone: () => false,
        onChange: () => () => undefined,
      },
      sink,
      user: undefined,
      notAfter: 0,
      settleUntil: 0,
      timeoutMs: 1,
      timing: {
        connectMs: 1_000,
        answerMs: 1_000,
        lostMs: 1_000,
        graceMs: 1_000,
        abortMs: 1_000,
        tailMs: 1_000,
        saveAfterMs: 1,
        saveMs: 1,
        backoffMs: second,
        settlingMs: second,
      },
      now: () => 10,
      logger: silentLogger,
      onChange: () => undefined,
      note: () => undefined,
    });
    driver.resume();
    await driver.over;
    await new Promise(setImmediate);
    expect(driver.answered(answer)).toBe(true);
    await waitFor(() => driver.part.outcome === 'succeeded', { what: 'the answer to be heard' });
    expect(appended).toBe(1);
    expect(driver.offset).toBe(records.length);
    driver.close();
  });

  test('counts of the target of that part alone', async () => {
    const { w, id } = await queued();
    const answer = { part: ended(), records: new Uint8Array() };
    const other = { domain: site, target: keyOf('web2', site) };
    await expect(w.executions.answered(other, { id, index: 0 }, answer)).rejects.toMatchObject({ code: 'ORDER_INVALID' });
    await expect(w.executions.answered({ ...FROM, domain: 'x' }, { id, index: 0 }, answer)).rejects.toMatchObject({
      code: 'ORDER_INVALID',
    });
    await expect(w.executions.answered(FROM, { id, index: 1 }, answer)).rejects.toMatchObject({ code: 'ORDER_INVALID' });
    await expect(w.executions.answered(FROM, { id: 'ab'.repeat(32), index: 0 }, answer)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(partsOf(await showOf(w.executions, id))[0]?.state).toBe('queued');
  });

  test('whose output is none changes nothing for good: the target is asked when it is there', async () => {
    const { w, id } = await queued();
    const bad = { part: ended({ offset: 3 }), records: Uint8Array.of(1, 2, 3) };
    await w.executions.answered(FROM, { id, index: 0 }, bad);
    expect(textOf(await linesOf(w.executions, id).catch(() => []), 0)).toBe('');
    expect(fieldsOf(await showOf(w.executions, id)).status?.parts).toHaveLength(1);
  });
});
