import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeCbor } from '../../../protocol/encoding/cbor.ts';
import { isRecord } from '../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { order } from '../../../protocol/orders/order.ts';
import { executionIdOf } from '../../../protocol/orders/plan-tree.ts';
import { type FollowLine, planAnswer } from '../../../protocol/requests/follow.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import { waitFor } from '../../wait.ts';
import { type FakePart, fail, hang, type Lie, record, type Script, succeed } from './fake-target.ts';
import { closedWorlds, EXEC, fieldsOf, linesOf, OPS, outcomes, partsOf, runToEnd, showOf, textOf, type World, world } from './world.ts';

const DEV: Principal = { type: 'user', home: 'self', name: 'dev', uid: 'uid-dev', display: 'dev@desk' };
const inWorld = closedWorlds();

describe('an execution', () => {
  test('runs at its targets and collects what they say', async () => {
    const w = await inWorld({ targets: { web1: succeed, web2: fail } });
    const { lines, parts } = await runToEnd(w);
    expect(outcomes(parts)).toEqual({ web1: 'succeeded', web2: 'failed' });
    expect(textOf(lines, 0)).toBe('hello\n');
    expect(parts[0]).toMatchObject({ offset: record('hello\n').length, printed: 6 });
    expect(lines.at(-1)).toEqual({ end: { phase: 'Finished' } });
    expect(w.targets.get('web1')?.only.user).toBe('ops');
    expect(w.targets.get('web1')?.only.starts).toBe(1);
  });

  test('is stored before anybody is told, and as it ended', async () => {
    const w = await inWorld({ targets: { web1: hang } });
    const object = await w.executions.dispatch(OPS, EXEC);
    expect(object.metadata.annotations).toEqual({ 'dtkd.dev/creator': 'ops/uid-ops@self' });
    const ref = { group: 'dtkd.dev', plural: 'executions', namespace: 'desk', name: object.metadata.name };
    expect(partsOf(await w.store.get(ref))).toHaveLength(1);
    await waitFor(() => w.targets.get('web1')?.parts.size === 1);
    w.targets.get('web1')?.only.end({ outcome: 'failed', exitStatus: 7 });
    await linesOf(w.executions, object.metadata.name);
    expect(partsOf(await w.store.get(ref))[0]).toMatchObject({ outcome: 'failed', exitStatus: 7 });
    expect(w.executions.counts()).toEqual({ running: 0, parts: 0 });
  });

  test('reaches its targets while it is stored, and tells nobody where it cannot be', async () => {
    const w = await inWorld({ targets: { web1: succeed } });
    const web1 = w.targets.get('web1');
    Object.assign(w.store, {
      transact: async () => {
        await waitFor(() => web1?.streams.size === 1, { what: 'a stream to be open' });
        throw new DtkdError('DISK_FULL', 'the disk is full');
      },
    });
    await expect(w.executions.dispatch(OPS, EXEC)).rejects.toMatchObject({ code: 'DISK_FULL' });
    await waitFor(() => w.network.openStreams === 0, { what: 'the stream to be closed' });
    expect(web1?.requests).toEqual([]);
  });

  test('reaches a target anew whose stream was lost before anything was said on it', async () => {
    const w = await inWorld({ targets: { web1: succeed } });
    const web1 = w.targets.get('web1');
    const transact = w.store.transact.bind(w.store);
    let lost = false;
    Object.assign(w.store, {
      transact: async (...asked: Parameters<typeof transact>) => {
        if (!lost) {
          await waitFor(() => web1?.streams.size === 1, { what: 'a stream to be open' });
          for (const stream of web1?.streams ?? []) stream.destroy();
          await waitFor(() => w.network.openStreams === 0, { what: 'both to see it' });
        }
        lost = true;
        return transact(...asked);
      },
    });
    const { parts } = await runToEnd(w);
    expect(outcomes(parts)).toEqual({ web1: 'succeeded' });
    expect(w.network.opened).toHaveLength(2);
    expect(web1?.requests.map(({ type }) => type)).toEqual(['order']);
  });

  test('does not try again what cannot be brought to a target of another version', async () => {
    const w = await inWorld({ targets: { 'web-old': succeed } });
    let tried = 0;
    w.network.beforeOpen = () => {
      tried += 1;
      throw new DtkdError('VERSION_TOO_OLD', 'it runs another version of dtkd');
    };
    const object = await w.executions.dispatch(OPS, EXEC);
    await linesOf(w.executions, object.metadata.name);
    const parts = partsOf(await showOf(w.executions, object.metadata.name));
    expect(parts).toMatchObject([{ node: 'web-old', outcome: 'unreachable', code: 'VERSION_TOO_OLD' }]);
    // ahead of its turn, and at its turn
    expect(tried).toBeLessThanOrEqual(2);
  });

  test('runs on this node alone without a filter, without a network', async () => {
    const w = await inWorld({ targets: { web1: succeed } });
    w.local.script = (part) => {
      part.run();
      part.out('here\n');
      part.end();
    };
    const { lines, parts } = await runToEnd(w, { exec: { argv: ['/bin/true'] } });
    expect(outcomes(parts)).toEqual({ desk: 'succeeded' });
    expect(textOf(lines, 0)).toBe('here\n');
    expect(w.network.opened).toEqual([]);
  });
});

describe('the outcomes', () => {
  test('are told apart', async () => {
    const w = await inWorld({
      targets: {
        'web-ok': succeed,
        'web-exit3': fail,
        'web-refused': (part) => part.end({ outcome: 'refused', code: 'FORBIDDEN', reason: 'no capability' }),
        'web-stopped': succeed,
        'web-killed': hang,
        'web-maintenance': succeed,
        'web-cut': hang,
        'web-flood': (part) => {
          part.run();
          for (let i = 0; i < 200; i += 1) part.out('x'.repeat(10_000));
          part.end({ outcome: 'succeeded', exitStatus: 0, dropped: 5 });
        },
        'web-timeout': (part) => {
          part.run();
          part.end({ outcome: 'failed', code: 'DEADLINE', reason: 'it took longer than 1s' });
        },
      },
    });
    w.specs.set('web-maintenance', { maintenance: { reason: 'new disks' } });
    w.network.stop('web-stopped');
    const object = await w.executions.dispatch(OPS, EXEC);
    const lines = linesOf(w.executions, object.metadata.name);
    await waitFor(() => w.targets.get('web-killed')?.parts.size === 1 && w.targets.get('web-cut')?.parts.size === 1);
    w.network.cut('desk', 'web-cut');
    w.network.stop('web-killed');
    w.targets.get('web-cut')?.only.out('while nobody listened\n');
    w.targets.get('web-cut')?.only.end();
    w.network.heal('desk', 'web-cut');
    const all = await lines;
    const parts = partsOf(await showOf(w.executions, object.metadata.name));
    expect(outcomes(parts)).toEqual({
      'web-ok': 'succeeded',
      'web-exit3': 'failed',
      'web-refused': 'refused',
      'web-stopped': 'unreachable',
      'web-killed': 'unknown',
      'web-maintenance': 'skipped',
      'web-cut': 'succeeded',
      'web-flood': 'succeeded',
      'web-timeout': 'failed',
    });
    expect(textOf(all, parts.find(({ node }) => node === 'web-cut')?.index ?? -1)).toBe('while nobody listened\n');
    expect(textOf(all, parts.find(({ node }) => node === 'web-flood')?.index ?? -1)).toHaveLength(2_000_000);
    expect(w.targets.get('web-maintenance')?.requests).toEqual([]);
  });

  test('change from unknown to what was found out', async () => {
    const w = await inWorld({ targets: { web1: hang } });
    const object = await w.executions.dispatch(OPS, EXEC);
    const id = object.metadata.name;
    await waitFor(() => w.targets.get('web1')?.parts.size === 1);
    w.network.cut('desk', 'web1');
    await linesOf(w.executions, id);
    expect(outcomes(partsOf(await showOf(w.executions, id)))).toEqual({ web1: 'unknown' });
    w.targets.get('web1')?.only.end();
    w.network.heal('desk', 'web1');
    await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.outcome === 'succeeded');
    expect(w.targets.get('web1')?.only.starts).toBe(1);
  });
});

describe('following', () => {
  test('has no gap and no repetition, however often contact is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 60, max: 4_000 }), { minLength: 1, maxLength: 8 }), async (cuts) => {
        const w = await world({
          targets: {
            web1: async (part) => {
              part.run();
              for (let i = 0; i < 60; i += 1) {
                part.out(`line ${i}\n`);
                if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
              }
              part.end();
            },
          },
        });
        try {
          let turn = 0;
          w.network.breaks = () => {
            const back = cuts[turn];
            turn += 1;
            return back === undefined ? undefined : { back };
          };
          const { lines, parts } = await runToEnd(w);
          const all = Array.from({ length: 60 }, (_none, i) => `line ${i}\n`).join('');
          expect(textOf(lines, 0)).toBe(all);
          expect(outcomes(parts)).toEqual({ web1: 'succeeded' });
          expect(w.targets.get('web1')?.only.starts).toBe(1);
          const pieces = lines.flatMap(({ output }) => output ?? []);
          for (const [at, piece] of pieces.entries()) expect(piece.offset).toBe(at === 0 ? 0 : pieces[at - 1]?.next);
          // from any place that was told
          const place = pieces[Math.floor(pieces.length / 2)]?.offset ?? 0;
          const rest = await linesOf(w.executions, parts[0] === undefined ? '' : idOf(lines), OPS, new Map([[0, place]]));
          expect(rest.flatMap(({ output }) => output ?? [])[0]?.offset ?? place).toBe(place);
          expect(all.endsWith(textOf(rest, 0))).toBe(true);
        } finally {
          await w.close();
        }
      }),
      { numRuns: 12 },
    );
  });

  test('tells a slow reader all of it, and how a part ended after its output', async () => {
    const w = await inWorld({ targets: { web1: succeed, web2: succeed } });
    const object = await w.executions.dispatch(OPS, EXEC);
    await waitFor(() => w.executions.counts().parts === 0);
    const lines = await linesOf(w.executions, object.metadata.name.slice(0, 12));
    for (const index of [0, 1]) {
      const output = lines.findIndex((line) => line.output?.index === index);
      const end = lines.findIndex((line) => line.part?.index === index && line.part.state === 'ended');
      expect(output).toBeGreaterThan(0);
      expect(end).toBeGreaterThan(output);
    }
  });
});

test('a follow tells nothing from when the right to see the execution has ended', async () => {
  let mayRead = true;
  let going: FakePart | undefined;
  const w = await inWorld({
    decide: (_principal, { verb }) =>
      verb !== 'READ' || mayRead ? { allowed: true, because: 'a test' } : { allowed: false, reason: 'a test' },
    targets: {
      web1: (part) => {
        part.run();
        part.out('before\n');
        going = part;
      },
    },
  });
  const object = await w.executions.dispatch(OPS, EXEC);
  const lines = await w.executions.follow(OPS, object.metadata.name, { signal: AbortSignal.timeout(60_000) });
  let text = '';
  const reading = (async () => {
    for await (const line of lines) text += textOf([line], 0);
  })();
  await waitFor(() => text === 'before\n');
  const asked = await w.executions.started.attach(DEV, object.metadata.name, 0);
  expect(asked.part()).toMatchObject({ state: 'running' });
  mayRead = false;
  going?.out('after\n');
  expect(() => asked.part(), 'who asks over the wire').toThrow('right to see');
  await expect(asked.read(0, 1_024)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(reading).rejects.toMatchObject({ code: 'FORBIDDEN' });
  expect(text).toBe('before\n');
  going?.end();
});

describe('offsets', () => {
  test('that are between no two records are refused', async () => {
    const w = await inWorld({ targets: { web1: succeed } });
    const { id } = await runToEnd(w);
    await expect(linesOf(w.executions, id, OPS, new Map([[0, 1]]))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(textOf(await linesOf(w.executions, id, OPS, new Map([[0, 1_000]])), 0)).toBe('');
  });

  test('come in an address or in a body', async () => {
    const w = await inWorld({ targets: { web1: succeed } });
    const { id, lines } = await runToEnd(w);
    const next = lines.flatMap(({ output }) => output ?? [])[0]?.next ?? 0;
    const ask = (method: 'GET' | 'POST', query: string, body: unknown) =>
      w.executions.actions.get('executions')?.({
        principal: OPS,
        rest: [id, 'follow'],
        method,
        query: new URLSearchParams(query),
        body,
        signal: AbortSignal.timeout(60_000),
      });
    for (const answer of [await ask('GET', `from={"0":${next}}`, undefined), await ask('POST', '', { from: { 0: next } })]) {
      const got: FollowLine[] = [];
      for await (const line of (answer as { stream: AsyncIterable<FollowLine> }).stream) got.push(line);
      expect(got.some(({ output }) => output !== undefined)).toBe(false);
      expect(got.at(-1)).toEqual({ end: { phase: 'Finished' } });
    }
    await expect(ask('GET', 'from=x', undefined)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(ask('GET', 'from={"a":1}', undefined)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});

describe('targets that lie', () => {
  const other = 'ab'.repeat(32);
  const cases: [string, Lie, string][] = [
    [
      'tells of another execution',
      (request, send) => {
        if (request.type !== 'order') return false;
        send({ type: 'part', id: other, part: { index: 0, node: 'web1', what: '', state: 'ended', outcome: 'succeeded' } });
        return false;
      },
      'succeeded',
    ],
    [
      'floods with other executions',
      (_request, send) => {
        for (let i = 0; i < 500; i += 1) {
          send({ type: 'part', id: other, part: { index: 0, node: 'web1', what: '', state: 'ended', outcome: 'succeeded' } });
        }
        return true;
      },
      'unknown',
    ],
    [
      'tells of another index only',
      (request, send) => {
        if (request.type !== 'order') return false;
        const id = executionIdOf(decodeCbor(request.order, order, 'an order').header);
        send({ type: 'part', id, part: { index: 1, node: 'web1', what: '', state: 'ended', outcome: 'succeeded' } });
        return false;
      },
      'succeeded',
    ],
    [
      'sends output from the wrong offset',
      (_request, send) => {
        send({ type: 'records', offset: 7, records: record('x') });
        return true;
      },
      'unknown',
    ],
    [
      'sends output that is none',
      (_request, send) => {
        send({ type: 'records', offset: 0, records: Uint8Array.from(Buffer.from('0000ffffffffffff')) });
        return true;
      },
      'unknown',
    ],
    [
      'sends bytes that are no frame',
      (_request, _send, stream) => {
        stream.end(Buffer.alloc(64, 0xff));
        return true;
      },
      'unknown',
    ],
    [
      'says that it could not be reached',
      (request, send) => {
        if (request.type !== 'order') return false;
        const id = executionIdOf(decodeCbor(request.order, order, 'an order').header);
        send({ type: 'part', id, part: { index: 0, node: 'web1', what: '', state: 'ended', outcome: 'unreachable' } });
        send({ type: 'end' });
        return true;
      },
      'unknown',
    ],
    ['says nothing at all', () => true, 'unknown'],
    [
      'says the end without a word',
      (_request, send) => {
        send({ type: 'end' });
        return true;
      },
      'unknown',
    ],
    [
      'refuses to take it',
      (_request, send) => {
        send({ type: 'error', code: 'ORDER_INVALID', message: 'no' });
        send({ type: 'end' });
        return true;
      },
      'refused',
    ],
    [
      'has too much to do, always',
      (_request, send) => {
        send({ type: 'error', code: 'TOO_MANY_REQUESTS', message: 'later' });
        send({ type: 'end' });
        return true;
      },
      'refused',
    ],
    [
      'says the same again and again',
      (request, send) => {
        if (request.type !== 'order') return true;
        const id = executionIdOf(decodeCbor(request.order, order, 'an order').header);
        for (let i = 0; i < 400; i += 1)
          send({ type: 'part', id, part: { index: 0, node: 'web1', what: '', state: i % 2 === 0 ? 'accepted' : 'running' } });
        return true;
      },
      'unknown',
    ],
    [
      'sends output without any',
      (_request, send) => {
        send({ type: 'records', offset: 0, records: new Uint8Array() });
        return true;
      },
      'unknown',
    ],
  ];
  test.each(cases)('one that %s', async (_name, lie, outcome) => {
    const w = await inWorld({ targets: { web1: succeed }, timing: outcome === 'unknown' ? { answerMs: 100 } : {} });
    const target = w.targets.get('web1');
    if (target !== undefined) target.lie = lie;
    const { id, parts } = await runToEnd(w);
    // on a slow machine the patience may be over while an order is on its way: that is unknown until the target has answered
    if (outcome === 'refused') {
      await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.outcome === outcome, { what: 'the outcome' });
    } else expect(parts[0]?.outcome).toBe(outcome);
  });

  test('one that goes on for ever is given up after its time', async () => {
    const w = await inWorld({ targets: { web1: hang } });
    const { parts } = await runToEnd(w, { ...EXEC, timeout: '50ms' });
    expect(parts[0]).toMatchObject({ outcome: 'unknown', code: 'DEADLINE' });
  });
});

describe('the order of turns', () => {
  const webs = (script: Script) => Object.fromEntries(Array.from({ length: 6 }, (_none, i) => [`web${i + 1}`, script]));

  test('goes one by one and stops after a failure', async () => {
    const w = await inWorld({ targets: { ...webs(succeed), web3: fail } });
    const { parts } = await runToEnd(w, { ...EXEC, threads: 1, keepGoing: false });
    expect(outcomes(parts)).toEqual({
      web1: 'succeeded',
      web2: 'succeeded',
      web3: 'failed',
      web4: 'skipped',
      web5: 'skipped',
      web6: 'skipped',
    });
    expect(w.targets.get('web4')?.requests).toEqual([]);
  });

  test('keeps so many going at a time', async () => {
    let now = 0;
    let most = 0;
    const count: Script = async (part) => {
      now += 1;
      most = Math.max(most, now);
      part.run();
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      part.end();
    };
    const w = await inWorld({ targets: webs(count) });
    const { parts } = await runToEnd(w, { ...EXEC, threads: 2 });
    expect(new Set(parts.map(({ outcome }) => outcome))).toEqual(new Set(['succeeded']));
    expect(most).toBe(2);
  });

  test('is stored as paused when that is told', async () => {
    const w = await inWorld({ targets: { ...webs(succeed), web2: fail }, timing: { saveMs: 3_600_000 } });
    const { metadata } = await w.executions.dispatch(OPS, { ...EXEC, batch: '34%', pauseOnFailure: true, keepGoing: false });
    expect((await linesOf(w.executions, metadata.name)).at(-1)).toEqual({ end: { phase: 'Paused', pause: 1 } });
    const stored = fieldsOf(await w.store.get({ group: 'dtkd.dev', plural: 'executions', namespace: 'desk', name: metadata.name }));
    expect(stored.status?.phase).toBe('Paused');
    expect(stored.status?.parts.map(({ state }) => state)).toEqual(['ended', 'ended', 'ended', 'waiting', 'waiting', 'waiting']);
  });

  test('pauses after a batch with a failure, and goes on or ends as it is told', async () => {
    const audited: string[] = [];
    const audit = { record: ({ verb }: { verb: string }) => void audited.push(verb) };
    const w = await inWorld({ targets: { ...webs(succeed), web2: fail }, audit });
    const request = { ...EXEC, batch: '34%', pauseOnFailure: true, keepGoing: false };
    const first = await w.executions.dispatch(OPS, request);
    const lines = await linesOf(w.executions, first.metadata.name);
    expect(lines.at(-1)).toEqual({ end: { phase: 'Paused', pause: 1 } });
    await act(w, first.metadata.name, 'resume');
    expect((await linesOf(w.executions, first.metadata.name)).at(-1)).toEqual({ end: { phase: 'Finished' } });
    expect(Object.values(outcomes(partsOf(await showOf(w.executions, first.metadata.name)))).sort()).toEqual([
      'failed',
      ...Array<string>(5).fill('succeeded'),
    ]);
    const second = await w.executions.dispatch(OPS, request);
    await linesOf(w.executions, second.metadata.name);
    await act(w, second.metadata.name, 'abort');
    await linesOf(w.executions, second.metadata.name);
    const ended = outcomes(partsOf(await showOf(w.executions, second.metadata.name)));
    expect(ended['web4']).toBe('skipped');
    expect(Object.values(ended).filter((one) => one === 'skipped')).toHaveLength(3);
    expect(audited).toEqual(['dispatch', 'resume', 'dispatch', 'abort']);
  });

  test('a late resume of one pause does not end the next', async () => {
    const w = await inWorld({ targets: webs(fail) });
    const { metadata } = await w.executions.dispatch(OPS, { ...EXEC, batch: '2', pauseOnFailure: true, keepGoing: false });
    const pausesOf = async () => fieldsOf(await showOf(w.executions, metadata.name)).status?.pauses;
    expect((await linesOf(w.executions, metadata.name)).at(-1)).toEqual({ end: { phase: 'Paused', pause: 1 } });
    expect(await pausesOf()).toBe(1);
    await act(w, metadata.name, 'resume', { pause: 1 });
    expect((await linesOf(w.executions, metadata.name)).at(-1)).toEqual({ end: { phase: 'Paused', pause: 2 } });
    const late = act(w, metadata.name, 'resume', { pause: 1 });
    await expect(late).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('is in pause 2, not 1') });
    expect(await pausesOf()).toBe(2);
    expect(fieldsOf(await showOf(w.executions, metadata.name)).status?.phase).toBe('Paused');
    await act(w, metadata.name, 'resume', { pause: 2 });
    expect((await linesOf(w.executions, metadata.name)).at(-1)).toEqual({ end: { phase: 'Finished' } });
  });
});

describe('ending, repeating, coming back', () => {
  test('an abort ends what runs and does not start the rest', async () => {
    const w = await inWorld({ targets: { web1: hang, web2: succeed } });
    const { metadata } = await w.executions.dispatch(OPS, { ...EXEC, threads: 1 });
    await waitFor(() => w.targets.get('web1')?.parts.size === 1);
    expect(await act(w, metadata.name, 'abort')).toMatchObject({ notTold: [] });
    await linesOf(w.executions, metadata.name);
    const parts = partsOf(await showOf(w.executions, metadata.name));
    expect(outcomes(parts)).toEqual({ web1: 'failed', web2: 'skipped' });
    expect(parts[0]?.code).toBe('ABORTED');
    expect(w.targets.get('web2')?.requests).toEqual([]);
  });

  test('an abort while a target is being reached tells it nothing', async () => {
    const w = await inWorld({ targets: { web1: succeed } });
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    w.network.beforeOpen = () => {
      reached.resolve();
      return go.promise;
    };
    const { metadata } = await w.executions.dispatch(OPS, EXEC);
    await reached.promise;
    const aborted = act(w, metadata.name, 'abort');
    await new Promise((resolve) => setImmediate(resolve));
    go.resolve();
    await aborted;
    await linesOf(w.executions, metadata.name);
    expect(outcomes(partsOf(await showOf(w.executions, metadata.name)))).toEqual({ web1: 'skipped' });
    await waitFor(() => w.network.openStreams === 0);
    expect(w.targets.get('web1')?.parts.size).toBe(0);
  });

  test('an abort says which targets it could not tell', async () => {
    const w = await inWorld({ targets: { web1: hang } });
    const { metadata } = await w.executions.dispatch(OPS, EXEC);
    await waitFor(() => w.targets.get('web1')?.parts.size === 1);
    w.network.cut('desk', 'web1');
    expect(await act(w, metadata.name, 'abort')).toMatchObject({ notTold: [{ node: 'web1' }] });
  });

  test('a retry takes exactly what did not succeed', async () => {
    const w = await inWorld({ targets: { web1: succeed, web2: fail, web3: succeed } });
    w.network.stop('web3');
    const { id, parts } = await runToEnd(w);
    expect(outcomes(parts)).toEqual({ web1: 'succeeded', web2: 'failed', web3: 'unreachable' });
    w.network.start('web3');
    const web3 = w.network.node('web3');
    w.targets.get('web3')?.listen(web3);
    const plan = planAnswer.parse(await act(w, id, 'retry', { dryRun: true }));
    expect(plan.targets.map(({ node }) => node)).toEqual(['web2', 'web3']);
    const again = (await act(w, id, 'retry')) as ApiObject;
    await linesOf(w.executions, again.metadata.name);
    expect(outcomes(partsOf(await showOf(w.executions, again.metadata.name)))).toEqual({ web2: 'failed', web3: 'succeeded' });
    expect(fieldsOf(again).spec.request?.retryOf).toBe(id);
    expect(w.targets.get('web1')?.parts.size).toBe(1);
  });

  test('a starter that comes back goes on with what it had told, and tells nobody else', async () => {
    const w = await inWorld({ targets: { web1: hang, web2: hang, web3: succeed }, timing: { answerMs: 200 } });
    const { metadata } = await w.executions.dispatch(OPS, { ...EXEC, threads: 1, batch: '2' });
    await waitFor(() => w.targets.get('web1')?.parts.size === 1);
    w.targets.get('web1')?.only.out('before\n');
    await w.restart();
    w.targets.get('web1')?.only.out('after\n');
    w.targets.get('web1')?.only.end();
    const lines = await linesOf(w.executions, metadata.name);
    expect(textOf(lines, 0)).toBe('before\nafter\n');
    const parts = partsOf(await showOf(w.executions, metadata.name));
    expect(outcomes(parts)).toEqual({ web1: 'succeeded', web2: 'skipped', web3: 'skipped' });
    expect(parts[1]?.reason).toContain('restarted');
    expect(parts[2]?.reason).toContain('restarted');
    expect(w.targets.get('web3')?.requests).toEqual([]);
    expect(w.targets.get('web1')?.only.starts).toBe(1);
  });

  test('a starter that was down for longer than a command may take asks its target before it gives up', async () => {
    let now = Date.now();
    const w = await inWorld({ targets: { web1: hang }, now: () => now, timing: { graceMs: 60_000 } });
    const { metadata } = await w.executions.dispatch(OPS, EXEC);
    await waitFor(async () => partsOf(await showOf(w.executions, metadata.name))[0]?.state === 'running');
    now += 12 * 3_600_000;
    await w.restart();
    const stored: unknown[] = [];
    w.store.subscribe((changes) => void stored.push(...changes.map(({ object }) => object?.['status'])));
    w.targets.get('web1')?.only.end();
    await linesOf(w.executions, metadata.name);
    expect(JSON.stringify(stored)).not.toContain('unknown');
    expect(outcomes(partsOf(await showOf(w.executions, metadata.name)))).toEqual({ web1: 'succeeded' });
  });

  test('what is over is shown and followed after a restart, too', async () => {
    const w = await inWorld({ targets: { web1: succeed } });
    const { id } = await runToEnd(w);
    await w.restart();
    const lines = await linesOf(w.executions, id.slice(0, 8));
    expect(textOf(lines, 0)).toBe('hello\n');
    expect(lines.at(-1)).toEqual({ end: { phase: 'Finished' } });
  });

  test('what runs cannot be deleted', async () => {
    const w = await inWorld({ targets: { web1: hang } });
    const object = await w.executions.dispatch(OPS, EXEC);
    await expect(w.executions.handler.delete(object, { dryRun: false })).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('orders for the absent', () => {
  test('are held, and found out about when the target is back', async () => {
    const deposits: string[] = [];
    const w = await inWorld({
      targets: { web1: succeed },
      holding: {
        deposit: async ({ index, order: { user, order: bytes } }) => {
          deposits.push(`${index} ${user?.name} ${bytes.length > 0}`);
          held = bytes;
          return { holders: ['desk', 'web2'] };
        },
      },
    });
    let held: Uint8Array | undefined;
    w.network.stop('web1');
    const { id, lines, parts } = await runToEnd(w, { ...EXEC, queue: '1h' });
    expect(lines.at(-1)).toEqual({ end: { phase: 'Running' } });
    expect(parts[0]).toMatchObject({ state: 'queued', holders: ['desk', 'web2'] });
    expect(deposits).toEqual(['0 ops true']);
    w.network.start('web1');
    const target = w.targets.get('web1');
    target?.listen(w.network.node('web1'));
    target?.take(held ?? new Uint8Array());
    w.network.rest('desk', 'web1');
    await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.outcome === 'succeeded');
    expect(target?.only.starts).toBe(1);
  });

  test('are taken back by an abort, which says who was not reached', async () => {
    const w = await inWorld({
      targets: { web1: succeed },
      holding: { deposit: async () => ({ holders: ['desk', 'web2'] }), cancel: async () => ({ notReached: ['web2'] }) },
    });
    w.network.stop('web1');
    const { id } = await runToEnd(w, { ...EXEC, queue: '1h' });
    expect(await act(w, id, 'abort')).toMatchObject({ notTold: [{ node: 'web1', reason: expect.stringContaining('web2') }] });
    expect(partsOf(await showOf(w.executions, id))[0]).toMatchObject({ outcome: 'unknown', code: 'ABORTED' });
  });

  test('were never delivered when their time is over and only this node had them', async () => {
    const w = await inWorld({ targets: { web1: succeed }, holding: { deposit: async () => ({ holders: ['desk'] }) } });
    w.network.stop('web1');
    const { id } = await runToEnd(w, { ...EXEC, queue: '100ms' });
    await waitFor(async () => partsOf(await showOf(w.executions, id))[0]?.state === 'ended');
    expect(partsOf(await showOf(w.executions, id))[0]).toMatchObject({ outcome: 'unreachable', code: 'ORDER_EXPIRED' });
  });
});

describe('limits', () => {
  test('of executions that one user has running', async () => {
    const w = await inWorld({ targets: { web1: hang } });
    for (let i = 0; i < 64; i += 1) await w.executions.dispatch(OPS, EXEC);
    await expect(w.executions.dispatch(OPS, EXEC)).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    const other = DEV;
    await w.executions.dispatch(other, EXEC);
    expect(w.executions.counts().running).toBe(65);
  });

  test('of what is seen of others', async () => {
    const w = await inWorld({
      targets: { web1: succeed },
      decide: (principal) =>
        principal.type === 'user' && principal.name === 'ops' ? { allowed: true, because: 'its own' } : { allowed: false, reason: 'no' },
    });
    const { id } = await runToEnd(w);
    w.network.stop('web1');
    const other = DEV;
    await expect(showOf(w.executions, id, other)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(linesOf(w.executions, id, other)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await w.executions.started.find(other, id)).toBeUndefined();
    await expect(w.executions.started.attach(other, id, 0)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(w.executions.started.abort(other, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('bad requests', () => {
  test.each([
    [{ filter: { include: ['name=nobody'] } }, 'NO_MATCH'],
    [{ exec: undefined }, 'BAD_REQUEST'],
    [{ get: { path: '/etc/hosts' } }, 'BAD_REQUEST'],
    [{ batch: '0' }, 'BAD_REQUEST'],
    [{ queue: '8d' }, 'BAD_REQUEST'],
    [{ filter: { include: ['name=a', 'name=b'] } }, 'BAD_REQUEST'],
  ])('%j', async (change, code) => {
    const w = await inWorld({ targets: { web1: succeed } });
    await expect(w.executions.dispatch(OPS, { ...EXEC, ...change })).rejects.toMatchObject({ code });
    expect(w.targets.get('web1')?.requests).toEqual([]);
  });

  test('no target is fine where that was said', async () => {
    const w = await inWorld({ targets: { web1: succeed } });
    const object = await w.executions.dispatch(OPS, { ...EXEC, filter: { include: ['name=nobody'] }, allowEmpty: true });
    expect(fieldsOf(object).status).toMatchObject({ phase: 'Finished', parts: [] });
  });

  test('ids that are none, or unknown', async () => {
    const w = await inWorld({});
    await expect(showOf(w.executions, 'xyz')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(showOf(w.executions, 'abcdef')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

function idOf(lines: readonly FollowLine[]): string {
  const metadata = lines[0]?.execution?.['metadata'];
  return isRecord(metadata) && typeof metadata['name'] === 'string' ? metadata['name'] : '';
}

async function act(w: World, id: string, what: string, body: unknown = {}): Promise<unknown> {
  const signal = AbortSignal.timeout(60_000);
  return w.executions.actions.get('executions')?.({
    principal: OPS,
    rest: [id, what],
    method: 'POST',
    query: new URLSearchParams(),
    body,
    signal,
  });
}
