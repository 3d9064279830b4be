/** An order that may have been taken is never called refused, skipped or unreachable, whatever a target that is in trouble says of it. */
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../../protocol/errors.ts';
import { waitFor } from '../../wait.ts';
import type { FakePart, FakeTarget, Lie } from './fake-target.ts';
import { closedWorlds, EXEC, OPS, partsOf, runToEnd, STARTER, showOf } from './world.ts';

const inWorld = closedWorlds();

const run = (part: FakePart) => part.run();

describe('an order that was taken', () => {
  test.each<ErrorCode>(['CONTENT_ALTERED', 'BAD_REQUEST', 'DISK_FULL', 'INTERNAL', 'TIMEOUT'])(
    'is not refused when its target says %s afterwards',
    async (code) => {
      const w = await inWorld({ targets: { web1: run } });
      const target = w.targets.get('web1');
      if (target === undefined) throw new Error('no target');
      target.lie = (request, send, stream) => {
        if (request.type !== 'order') return false;
        target.lie = undefined;
        const part = target.take(request.order);
        send({ type: 'part', id: part.id, part: part.part });
        send({ type: 'error', code, message: 'its output cannot be read' });
        send({ type: 'end' });
        stream.end();
        setTimeout(() => part.end(), 50);
        return true;
      };
      const { parts } = await runToEnd(w);
      expect(parts[0]).toMatchObject({ outcome: 'succeeded' });
      expect(target.only.starts).toBe(1);
    },
  );

  test.each<ErrorCode>(['INTERNAL', 'DISK_FULL', 'NOT_FOUND'])(
    'without a word is not refused when it is brought again: %s',
    async (code) => {
      const w = await inWorld({ targets: { web1: run } });
      const target = w.targets.get('web1');
      if (target === undefined) throw new Error('no target');
      let orders = 0;
      target.lie = (request, send, stream) => {
        if (request.type !== 'order') return false;
        orders += 1;
        if (orders === 1) {
          target.take(request.order);
          stream.destroy();
        } else {
          target.lie = undefined;
          send({ type: 'error', code, message: 'the journal cannot be read now' });
          send({ type: 'end' });
          stream.end();
          setTimeout(() => target.only.end(), 50);
        }
        return true;
      };
      const { parts } = await runToEnd(w);
      expect(parts[0]).toMatchObject({ outcome: 'succeeded' });
      expect(target.only.starts).toBe(1);
    },
  );
});

describe('an order that is on its way as nothing is waited for any longer', () => {
  /** A target that has too much to do, and then does not answer before the part was given up. */
  async function slow(answer: (target: FakeTarget, send: Parameters<Lie>[1], order: Uint8Array) => void) {
    const w = await inWorld({ targets: { web1: run } });
    const target = w.targets.get('web1');
    if (target === undefined) throw new Error('no target');
    const busy = { type: 'error', code: 'TOO_MANY_REQUESTS', message: 'later' } as const;
    let given = false;
    target.lie = async (request, send, stream) => {
      if (request.type !== 'order') return false;
      if (given) {
        target.lie = undefined;
        await waitFor(async () => partsOf(await showOf(w.executions, await id))[0]?.state === 'ended');
        answer(target, send, request.order);
      } else send(busy);
      given = true;
      send({ type: 'end' });
      stream.end();
      return true;
    };
    const id = w.executions.dispatch(OPS, EXEC).then(({ metadata }) => metadata.name);
    return { w, target, id: await id };
  }

  test('may have been taken: it is unknown, and then what the target says', async () => {
    const { w, target, id } = await slow((of, send, order) => {
      const part = of.take(order);
      send({ type: 'part', id: part.id, part: part.part });
      setTimeout(() => part.end(), 50);
    });
    await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.outcome === 'unknown', { what: 'it to be given up' });
    await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.outcome === 'succeeded', { what: 'the outcome' });
    expect(target.only.starts).toBe(1);
  });

  test('is refused once the target says so', async () => {
    const { w, target, id } = await slow((_of, send) => send({ type: 'error', code: 'TOO_MANY_REQUESTS', message: 'still too much' }));
    await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.outcome === 'refused', { what: 'the outcome' });
    expect(partsOf(await showOf(w.executions, id))[0]).toMatchObject({ code: 'TOO_MANY_REQUESTS', reason: 'still too much' });
    expect(target.parts.size).toBe(0);
  });
});

describe('a target that is removed while its command runs', () => {
  /** Waiting for contact would take longer than the test may. */
  const timing = { lostMs: 600_000, graceMs: 600_000 };

  async function started() {
    const w = await inWorld({ targets: { web1: run }, timing });
    const id = (await w.executions.dispatch(OPS, EXEC)).metadata.name;
    await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.state === 'running', { what: 'it to run' });
    return { w, id };
  }

  const ofRemoved = { outcome: 'unknown', code: 'REMOVED', reason: expect.stringContaining('removed from the domain') };

  test('is waited for no longer, and that is said', async () => {
    const { w, id } = await started();
    w.network.remove('web1');
    w.network.reset(STARTER, 'web1');
    await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.state === 'ended', { what: 'it to be given up' });
    expect(partsOf(await showOf(w.executions, id))[0]).toMatchObject(ofRemoved);
  });

  test('is not waited for after a restart, either', async () => {
    const { w, id } = await started();
    await w.restart();
    w.network.remove('web1');
    w.network.reset(STARTER, 'web1');
    await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.state === 'ended', { what: 'it to be given up' });
    expect(partsOf(await showOf(w.executions, id))[0]).toMatchObject(ofRemoved);
  });
});

describe('a file that was read', () => {
  test('has permissions, and never the right to run as its owner: a target that says so is not believed', async () => {
    const w = await inWorld({ targets: { web1: run } });
    const target = w.targets.get('web1');
    if (target === undefined) throw new Error('no target');
    target.lie = (request, send, stream) => {
      if (request.type !== 'order') return false;
      const part = target.take(request.order);
      part.end({ outcome: 'succeeded', file: { digest: 'e'.repeat(64), size: 1, mode: 0o4755 } });
      send({ type: 'part', id: part.id, part: part.part });
      send({ type: 'end' });
      stream.end();
      return true;
    };
    const { parts } = await runToEnd(w, { get: { path: '/etc/motd' }, filter: { include: ['name=web.*'] } });
    expect(parts[0]).toMatchObject({ outcome: 'unknown' });
    expect(parts[0]?.file).toBeUndefined();
  });
});

describe('an order that was held for its target, which never came', () => {
  test.each([
    [false, 'unreachable'],
    [true, 'unknown'],
  ])('if this node may have handed it over: %s, %s', async (mayHaveDelivered, outcome) => {
    let now = Date.now();
    const w = await inWorld({
      targets: { web1: run },
      now: () => now,
      holding: { deposit: async () => ({ holders: ['desk'] }), mayHaveDelivered: () => mayHaveDelivered },
    });
    w.network.stop('web1');
    const object = await w.executions.dispatch(OPS, { ...EXEC, queue: '1s' });
    await waitFor(async () => partsOf(await showOf(w.executions, object.metadata.name))[0]?.state === 'queued', { what: 'the queueing' });
    now += 5_000;
    await waitFor(async () => partsOf(await showOf(w.executions, object.metadata.name))[0]?.outcome === outcome, { what: 'the outcome' });
  });
});
