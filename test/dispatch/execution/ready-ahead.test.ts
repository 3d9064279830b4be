/** Orders that targets make ready before their turn: nothing starts without the word, and nothing twice. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Timing } from '../../../daemon/src/dispatch/execution/limits.ts';
import { RunsAhead } from '../../../daemon/src/dispatch/execution/run/runs-ahead.ts';
import type { DispatchRequestSpec } from '../../../protocol/kinds/execution.ts';
import { waitFor } from '../../wait.ts';
import { keyFor, modelsOf } from '../plan/world.ts';
import type { FakeTarget, Script } from './fake-target.ts';
import { succeed } from './fake-target.ts';
import { closedWorlds, OPS, outcomes, partsOf, STARTER, type World } from './world.ts';

const inWorld = closedWorlds();
const forever = new AbortController().signal;
afterEach(() => vi.useRealTimers());

const START: DispatchRequestSpec = { model: 'demo', resource: 'web', command: 'start', only: ['web1'], threads: 1 };

/** A resource of the starter that is deployed on one other node. */
async function withWeb(script: Script = succeed, now = Date.now, timing: Partial<Timing> = {}): Promise<{ w: World; target: FakeTarget }> {
  const w = await inWorld({
    now,
    timing,
    targets: { web1: script },
    keyOf: (node) => keyFor(node).publicKey,
    models: modelsOf({
      nodes: { [STARTER]: {}, web1: {} },
      types: { Service: { commands: { start: { script: { inline: 'true' } } } } },
      resources: { web: { type: 'Service', on: ['web1'] } },
    }),
  });
  const target = w.targets.get('web1');
  if (target === undefined) throw new Error('no target');
  return { w, target };
}

const asked = (target: FakeTarget) => target.requests.map(({ type }) => type);
const brought = (target: FakeTarget) => waitFor(() => target.requests.length > 0, { what: 'the order to come' });

async function outcomeOf(w: World, id: string) {
  return outcomes(partsOf(await w.executions.ended(OPS, id, forever)));
}

describe('an order that is made ready before its turn', () => {
  test('starts on the word, and not before', async () => {
    let later = 0;
    const { w, target } = await withWeb(succeed, () => Date.now() + later);
    const prepared = await w.executions.prepare(OPS, START);
    await brought(target);
    expect(target.parts.size).toBe(0);
    later = 10_000;
    const before = Date.now() + later - 1_000;
    const { metadata } = await prepared.dispatch();
    expect(await outcomeOf(w, metadata.name)).toEqual({ web1: 'succeeded' });
    expect(asked(target)).toEqual(['prepare']);
    expect({ words: target.words, starts: target.only.starts }).toEqual({ words: 1, starts: 1 });
    const { status } = await w.executions.ended(OPS, metadata.name, forever);
    // it began with the word, not when it was made
    expect(Date.parse((status as { startedAt: string }).startedAt)).toBeGreaterThanOrEqual(before);
  });

  test('is let go of when its plan does not count any more, and the next one is brought', async () => {
    const { w, target } = await withWeb();
    const prepared = await w.executions.prepare(OPS, START);
    await brought(target);
    await w.store.transact(async (tx) => {
      await tx.put({
        apiVersion: 'dtkd.dev/v1',
        kind: 'Resource',
        metadata: { name: 'other', namespace: STARTER, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
      });
    });
    const { metadata } = await prepared.dispatch();
    expect(await outcomeOf(w, metadata.name)).toEqual({ web1: 'succeeded' });
    expect(asked(target)).toEqual(['prepare', 'order']);
    expect({ words: target.words, starts: target.only.starts }).toEqual({ words: 0, starts: 1 });
    await waitFor(() => target.streams.size === 0, { what: 'the stream to be let go of' });
  });

  test('is let go of when the daemon stops, and after a while', async () => {
    const { w, target } = await withWeb();
    await w.executions.prepare(OPS, START);
    await brought(target);
    await waitFor(() => target.streams.size === 0, { what: 'the stream to be let go of', timeoutMs: 30_000 });
    await w.executions.prepare(OPS, START);
    await waitFor(() => target.streams.size === 1, { what: 'the order to come' });
    await w.restart();
    await waitFor(() => target.streams.size === 0, { what: 'the stream to be let go of' });
    expect({ words: target.words, parts: target.parts.size }).toEqual({ words: 0, parts: 0 });
  });

  test.each(['FRAME_INVALID', 'TOO_MANY_REQUESTS', 'FORBIDDEN'] as const)(
    'is brought at its turn to a target that does not take it ahead: %s',
    async (code) => {
      const { w, target } = await withWeb();
      target.lie = (request, send, stream) => {
        if (request.type !== 'prepare') return false;
        send({ type: 'error', code, message: 'not so' });
        send({ type: 'end' });
        stream.end();
        return true;
      };
      const { metadata } = await (await w.executions.prepare(OPS, START)).dispatch();
      expect(await outcomeOf(w, metadata.name)).toEqual({ web1: 'succeeded' });
      expect(asked(target)).toEqual(['prepare', 'order']);
      expect(target.only.starts).toBe(1);
    },
  );

  test('is brought at its turn to a target that does not say in time whether it takes it ahead', async () => {
    const { w, target } = await withWeb(succeed, Date.now, { connectMs: 300, answerMs: 1_500 });
    target.lie = ({ type }) => type === 'prepare';
    const { metadata } = await (await w.executions.prepare(OPS, START)).dispatch();
    expect(await outcomeOf(w, metadata.name)).toEqual({ web1: 'succeeded' });
    expect([asked(target), target.only.starts]).toEqual([['prepare', 'order'], 1]);
  });

  test('is let go of at once also where the target has not said yet whether it takes it ahead', async () => {
    const { w, target } = await withWeb(succeed, Date.now, { answerMs: 600_000 });
    target.lie = ({ type }) => type === 'prepare';
    await w.executions.prepare(OPS, START);
    await brought(target);
    await w.restart();
    await waitFor(() => target.streams.size === 0, { what: 'the stream to be let go of' });
  });

  test('is brought again when its stream was lost, whether or not the word had come', async () => {
    const lost = await withWeb();
    const first = await lost.w.executions.prepare(OPS, START);
    await brought(lost.target);
    for (const stream of lost.target.streams) stream.destroy();
    expect(await outcomeOf(lost.w, (await first.dispatch()).metadata.name)).toEqual({ web1: 'succeeded' });
    expect({ words: lost.target.words, starts: lost.target.only.starts }).toEqual({ words: 0, starts: 1 });

    const { w, target } = await withWeb();
    for (const taken of [true, false]) {
      target.parts.clear();
      target.onGo = (order, stream) => {
        target.onGo = undefined;
        if (taken) target.take(order);
        stream.destroy();
        return true;
      };
      const { metadata } = await (await w.executions.prepare(OPS, START)).dispatch();
      expect(await outcomeOf(w, metadata.name)).toEqual({ web1: 'succeeded' });
      expect(target.only.starts).toBe(1);
    }
    expect(target.words).toBe(2);
  });

  test('is brought anew to a target that has let go of it', async () => {
    const { w, target } = await withWeb();
    target.onGo = (_order, stream) => {
      const event = { type: 'error', code: 'UNAVAILABLE', message: 'it was let go of' } as const;
      target.say(stream, event);
      target.say(stream, { type: 'end' });
      stream.end();
      return true;
    };
    const { metadata } = await (await w.executions.prepare(OPS, START)).dispatch();
    expect(await outcomeOf(w, metadata.name)).toEqual({ web1: 'succeeded' });
    expect(asked(target)).toEqual(['prepare', 'order']);
    expect(target.only.starts).toBe(1);
  });

  test('leaves nothing behind where nobody keeps record of it', async () => {
    const { w, target } = await withWeb();
    const prepared = await w.executions.prepare(OPS, START);
    await brought(target);
    const refused = () => {
      throw new Error('not so');
    };
    await expect(prepared.dispatch({ record: refused })).rejects.toThrow('not so');
    await waitFor(() => target.streams.size === 0, { what: 'the stream to be let go of' });
    expect({ words: target.words, taken: target.parts.size, ...w.executions.counts() }).toEqual({
      words: 0,
      taken: 0,
      running: 0,
      parts: 0,
    });
  });
});

describe('an execution that is made before it begins', () => {
  const made = () => ({ run: { approach: vi.fn(), close: vi.fn(async () => undefined) } });

  test('is given away once, or let go of', () => {
    const ahead = new RunsAhead();
    const [one, two] = [made(), made()];
    const take = ahead.keep(one, 1_000);
    expect(one.run.approach).toHaveBeenCalledWith(true);
    expect([take(true), take(true)]).toEqual([one, undefined]);
    const leave = ahead.keep(two, 1_000);
    expect([leave(false), leave(true)]).toEqual([undefined, undefined]);
    expect([one.run.close.mock.calls.length, two.run.close.mock.calls.length]).toEqual([0, 1]);
  });

  test('is let go of when its time is over, and when the daemon stops', () => {
    vi.useFakeTimers();
    const ahead = new RunsAhead();
    const [one, two, three] = [made(), made(), made()];
    const take = ahead.keep(one, 1_000);
    vi.advanceTimersByTime(1_000);
    expect([take(true), one.run.close.mock.calls.length]).toEqual([undefined, 1]);
    ahead.keep(two, 1_000);
    ahead.stop();
    expect(two.run.close).toHaveBeenCalledOnce();
    ahead.keep(three, 1_000);
    expect([three.run.approach.mock.calls.length, three.run.close.mock.calls.length]).toEqual([0, 1]);
    vi.runAllTimers();
    expect(two.run.close).toHaveBeenCalledOnce();
  });
});
