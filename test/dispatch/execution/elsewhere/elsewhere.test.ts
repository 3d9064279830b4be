import { describe, expect, test } from 'vitest';
import { encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../../protocol/encoding/frames.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { DISPATCH_PROTOCOL, type DispatchEvent } from '../../../../protocol/orders/messages.ts';
import type { Part } from '../../../../protocol/orders/outcome.ts';
import { planAnswer } from '../../../../protocol/requests/follow.ts';
import { waitFor } from '../../../wait.ts';
import { FakeNetwork } from '../../fake-members.ts';
import { fail, hang, type Script, succeed } from '../fake-target.ts';
import { serveStarted } from '../serve-started.ts';
import { closedWorlds, EXEC, linesOf, OPS, outcomes, partsOf, showOf, textOf, type World } from '../world.ts';

const inWorld = closedWorlds();

/** A starter, targets, and a third node that looks on. */
async function threeSides(targets: Record<string, Script>): Promise<{ starter: World; looker: World; network: FakeNetwork }> {
  const network = new FakeNetwork();
  const starter = await inWorld({ network, targets });
  const looker = await inWorld({ network, name: 'looker' });
  serveStarted(network.node('desk'), () => starter.executions);
  return { starter, looker, network };
}

describe('an execution of another node', () => {
  test('is shown and followed by what its targets say, when the starter is gone', async () => {
    const { starter, looker, network } = await threeSides({ web1: hang, web2: fail });
    const { metadata } = await starter.executions.dispatch(OPS, EXEC);
    const web1 = await waitFor(() => starter.targets.get('web1')?.only);
    await waitFor(() => starter.targets.get('web2')?.parts.size === 1);
    web1.out('one\n');
    network.stop('desk');
    const lines = linesOf(looker.executions, metadata.name.slice(0, 10));
    await waitFor(() => starter.targets.get('web1')?.requests.some(({ type }) => type === 'attach') === true);
    network.reset('looker', 'web1');
    web1.out('two\n');
    web1.end();
    const all = await lines;
    expect(textOf(all, 0)).toBe('one\ntwo\n');
    expect(all.at(-1)).toEqual({ end: { phase: 'Finished' } });
    expect(outcomes(partsOf(await showOf(looker.executions, metadata.name)))).toEqual({ web1: 'succeeded', web2: 'failed' });
  });

  test('that is paused says so of what has not had its turn', async () => {
    const { starter, looker } = await threeSides({ web1: fail, web2: succeed });
    const { metadata } = await starter.executions.dispatch(OPS, { ...EXEC, batch: '1', pauseOnFailure: true });
    expect((await linesOf(starter.executions, metadata.name)).at(-1)).toEqual({ end: { phase: 'Paused', pause: 1 } });
    const object = await showOf(looker.executions, metadata.name);
    expect(object['status']).toMatchObject({ phase: 'Paused' });
    expect(partsOf(object)[1]).toMatchObject({ node: 'web2', state: 'waiting', paused: true, reason: expect.stringContaining('paused') });
    const lines = await linesOf(looker.executions, metadata.name);
    expect(lines.at(-1)).toEqual({ end: { phase: 'Paused' } });
    await act(starter, metadata.name, 'resume');
    await linesOf(starter.executions, metadata.name);
    const [, ran] = partsOf(await showOf(looker.executions, metadata.name));
    expect(ran).toMatchObject({ outcome: 'succeeded' });
    expect(ran?.reason).toBeUndefined();
  });

  test('that pauses, and goes on, says so to who follows it elsewhere all the time', async () => {
    const { starter, looker } = await threeSides({ web1: hang, web2: hang, web3: hang });
    const { metadata } = await starter.executions.dispatch(OPS, { ...EXEC, batch: '1', pauseOnFailure: true });
    const web1 = await waitFor(() => starter.targets.get('web1'));
    await waitFor(() => web1.parts.size === 1);
    const first = linesOf(looker.executions, metadata.name);
    await waitFor(() => web1.requests.some(({ type }) => type === 'attach'));
    web1.only.end({ outcome: 'failed' });
    const paused = await first;
    expect(paused.at(-1)).toEqual({ end: { phase: 'Paused' } });
    expect(paused.some(({ part }) => part?.state === 'waiting' && part.paused === true)).toBe(true);
    await act(starter, metadata.name, 'resume');
    const web2 = await waitFor(() => starter.targets.get('web2'));
    await waitFor(() => web2.parts.size === 1);
    const second = linesOf(looker.executions, metadata.name);
    await waitFor(() => web2.requests.some(({ type }) => type === 'attach'));
    web2.only.end();
    const web3 = await waitFor(() => starter.targets.get('web3'));
    await waitFor(() => web3.parts.size === 1);
    web3.only.end();
    const all = await second;
    expect(all.at(-1)).toEqual({ end: { phase: 'Finished' } });
    expect(all.filter(({ part }) => part?.index === 2).at(-1)?.part).toEqual(expect.not.objectContaining({ paused: true }));
  });

  test('is not asked for at its targets while nobody takes a line', async () => {
    const { starter, looker } = await threeSides({ web1: hang });
    const { metadata } = await starter.executions.dispatch(OPS, EXEC);
    const web1 = await waitFor(() => starter.targets.get('web1'));
    await waitFor(() => web1.parts.size === 1);
    const gone = new AbortController();
    const lines = (await looker.executions.follow(OPS, metadata.name, { signal: gone.signal }))[Symbol.asyncIterator]();
    await lines.return?.();
    // who follows it later asks later
    const taken = (await looker.executions.follow(OPS, metadata.name, { signal: gone.signal }))[Symbol.asyncIterator]();
    web1.only.out('one\n');
    for (let line = await taken.next(); line.done !== true && line.value.output === undefined; ) line = await taken.next();
    expect(web1.requests.filter(({ type }) => type === 'attach').length).toBe(1);
    gone.abort();
    await taken.return?.();
  });

  test('ends as it was last heard of, when all who know of a part are lost for long', async () => {
    const { starter, looker, network } = await threeSides({ web1: hang, web2: succeed });
    const { metadata } = await starter.executions.dispatch(OPS, EXEC);
    await waitFor(() => starter.targets.get('web1')?.parts.size === 1 && starter.targets.get('web2')?.parts.size === 1);
    network.stop('desk');
    const lines = linesOf(looker.executions, metadata.name);
    await waitFor(() => starter.targets.get('web1')?.requests.some(({ type }) => type === 'attach') === true);
    network.stop('web1');
    const all = await lines;
    expect(all.filter(({ part }) => part?.index === 0).at(-1)?.part).toMatchObject({ outcome: 'unknown', code: 'PEER_AWAY' });
    expect(textOf(all, 1)).toBe('hello\n');
    expect(all.at(-1)).toEqual({ end: { phase: 'Finished' } });
  });

  test('is told by the starter for targets that are gone, and the rest is counted', async () => {
    const { starter, looker, network } = await threeSides({ web1: succeed, web2: succeed });
    const { metadata } = await starter.executions.dispatch(OPS, EXEC);
    await linesOf(starter.executions, metadata.name);
    network.stop('web1');
    const lines = await linesOf(looker.executions, metadata.name);
    expect(textOf(lines, 0)).toBe('hello\n');
    expect(textOf(lines, 1)).toBe('hello\n');
    expect(outcomes(partsOf(await showOf(looker.executions, metadata.name)))).toEqual({ web1: 'succeeded', web2: 'succeeded' });
    network.stop('desk');
    const less = await linesOf(looker.executions, metadata.name);
    expect(less.at(-1)).toEqual({ end: { phase: 'Finished', missing: 1 } });
  });

  test('is ended from there, what runs and what was not told yet', async () => {
    const { starter, looker } = await threeSides({ web1: hang, web2: succeed });
    const { metadata } = await starter.executions.dispatch(OPS, { ...EXEC, threads: 1 });
    await waitFor(() => starter.targets.get('web1')?.parts.size === 1);
    const answer = await act(looker, metadata.name, 'abort');
    expect(answer).toMatchObject({ notTold: [] });
    await linesOf(starter.executions, metadata.name);
    expect(outcomes(partsOf(await showOf(starter.executions, metadata.name)))).toEqual({ web1: 'failed', web2: 'skipped' });
    expect(starter.targets.get('web2')?.parts.size).toBe(0);
  });

  test('is not what somebody says who has no part in it', async () => {
    const { starter, looker, network } = await threeSides({ web1: fail, liar: succeed });
    const { metadata } = await starter.executions.dispatch(OPS, { ...EXEC, filter: { include: ['name=web1'] } });
    await linesOf(starter.executions, metadata.name);
    const truth = starter.targets.get('web1')?.only;
    const liar = starter.targets.get('liar');
    if (liar === undefined || truth === undefined) throw new Error('both are there');
    liar.lie = (request, send) => {
      if (request.type !== 'find') return false;
      const part = { ...truth.part, outcome: 'succeeded' as const, node: 'web1' };
      // with the order that it has got hold of, with another id, and with nothing
      send({ type: 'part', id: truth.id, part, order: Uint8Array.from(truth.order) });
      send({ type: 'part', id: `${truth.id.slice(0, 60)}0000`, part, order: Uint8Array.from(truth.order) });
      send({ type: 'part', id: truth.id, part });
      send({ type: 'end' });
      return true;
    };
    expect(outcomes(partsOf(await showOf(looker.executions, metadata.name)))).toEqual({ web1: 'failed' });
    network.stop('desk');
    expect(outcomes(partsOf(await showOf(looker.executions, metadata.name)))).toEqual({ web1: 'failed' });
  });

  test('is told by its target, however often somebody else tells of it before', async () => {
    const { starter, looker, network } = await threeSides({ web1: fail, liar: succeed });
    const { metadata } = await starter.executions.dispatch(OPS, { ...EXEC, filter: { include: ['name=web1'] } });
    await linesOf(starter.executions, metadata.name);
    network.stop('desk');
    const truth = starter.targets.get('web1')?.only;
    if (truth === undefined) throw new Error('it ran');
    const { id } = truth;
    const frameOf = (event: DispatchEvent) => encodeFrame(encodeCbor(event));
    const word = (part: Part) => frameOf({ type: 'part', id, part, order: Uint8Array.from(truth.order) });
    const lied = Promise.withResolvers<void>();
    network.node('liar').handle(DISPATCH_PROTOCOL, (stream) => {
      const lie = word({ ...truth.part, outcome: 'succeeded' });
      stream.once('close', lied.resolve);
      stream.end(Buffer.concat([...Array.from({ length: 8_192 }, () => lie), frameOf({ type: 'end' })]));
    });
    network.node('web1').handle(DISPATCH_PROTOCOL, async (stream) => {
      await lied.promise;
      stream.end(Buffer.concat([word(truth.part), frameOf({ type: 'end' })]));
    });
    expect(outcomes(partsOf(await showOf(looker.executions, metadata.name)))).toEqual({ web1: 'failed' });
  });

  test.each(['there', 'gone'])('is repeated from there, when its starter is %s', async (starterIs) => {
    const { starter, looker, network } = await threeSides({ web1: succeed, web2: fail, web3: fail });
    const { metadata } = await starter.executions.dispatch(OPS, EXEC);
    await linesOf(starter.executions, metadata.name);
    if (starterIs === 'gone') network.stop('desk');
    const plan = planAnswer.parse(await act(looker, metadata.name, 'retry', { dryRun: true }));
    expect(plan.targets.map(({ node }) => node)).toEqual(['web2', 'web3']);
    const web2 = starter.targets.get('web2');
    if (web2 !== undefined) web2.script = succeed;
    const again = (await act(looker, metadata.name, 'retry')) as ApiObject;
    await linesOf(looker.executions, again.metadata.name);
    expect(outcomes(partsOf(await showOf(looker.executions, again.metadata.name)))).toEqual({ web2: 'succeeded', web3: 'failed' });
    // and once more, here
    const third = (await act(looker, again.metadata.name, 'retry')) as ApiObject;
    await linesOf(looker.executions, third.metadata.name);
    expect(outcomes(partsOf(await showOf(looker.executions, third.metadata.name)))).toEqual({ web3: 'failed' });
    expect(starter.targets.get('web1')?.parts.size).toBe(1);
  });

  test('is not repeated by the beginning of its id: a plan that begins alike can be made by anybody', async () => {
    const { starter, looker, network } = await threeSides({ web1: fail });
    const { metadata } = await starter.executions.dispatch(OPS, EXEC);
    await linesOf(starter.executions, metadata.name);
    network.stop('desk');
    const short = metadata.name.slice(0, 40);
    expect(planAnswer.parse(await act(looker, short, 'retry', { dryRun: true })).targets).toHaveLength(1);
    await expect(act(looker, short, 'retry')).rejects.toMatchObject({ code: 'BAD_REQUEST', next: expect.stringContaining(metadata.name) });
    expect(starter.targets.get('web1')?.parts.size).toBe(1);
    expect(await act(looker, metadata.name, 'retry')).toMatchObject({ kind: 'Execution' });
  });

  test('is repeated as far as somebody tells of it, and the rest is said', async () => {
    const { starter, looker, network } = await threeSides({ web1: fail, web2: fail });
    const { metadata } = await starter.executions.dispatch(OPS, EXEC);
    await linesOf(starter.executions, metadata.name);
    network.stop('desk');
    network.stop('web2');
    const plan = planAnswer.parse(await act(looker, metadata.name, 'retry', { dryRun: true }));
    expect(plan.targets.map(({ node }) => node)).toEqual(['web1']);
    expect(plan.notes.join()).toContain('1 of its 2 targets');
  });

  test('needs more digits where two begin alike, and is not found where nobody tells', async () => {
    const { starter, looker } = await threeSides({ web1: succeed });
    const found: string[] = [];
    for (let i = 0; i < 2; i += 1) found.push((await starter.executions.dispatch(OPS, EXEC)).metadata.name);
    await expect(showOf(looker.executions, '000000')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await showOf(looker.executions, found[0]?.slice(0, 20) ?? '')).metadata.name).toBe(found[0]);
  });

  test('is not waited for where a member says nothing', async () => {
    const { starter, looker, network } = await threeSides({ web1: succeed });
    const { metadata } = await starter.executions.dispatch(OPS, EXEC);
    await linesOf(starter.executions, metadata.name);
    network.node('mute').handle(DISPATCH_PROTOCOL, () => undefined);
    expect(outcomes(partsOf(await showOf(looker.executions, metadata.name)))).toEqual({ web1: 'succeeded' });
  });
});

async function act({ executions }: World, id: string, what: string, body: unknown = {}): Promise<unknown> {
  const signal = AbortSignal.timeout(60_000);
  return executions.actions.get('executions')?.({
    principal: OPS,
    rest: [id, what],
    method: 'POST',
    query: new URLSearchParams(),
    body,
    signal,
  });
}
