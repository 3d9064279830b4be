import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventRecorder } from '../../daemon/src/store/event-recorder.ts';
import type { LocalStore } from '../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import { CREATOR_ANNOTATION } from '../../protocol/rights/principal.ts';
import { waitFor } from '../wait.ts';
import { memoryKv } from './memory-kv.ts';

let store: LocalStore;
const errors: unknown[] = [];
beforeEach(async () => {
  store = await openObjectStore({ kv: memoryKv(), node: 'node0' });
});
afterEach(() => store.close());

const recorderAt = (now: () => number) => new EventRecorder({ store, node: 'node0', now, onError: (error) => errors.push(error) });
const about = (name: string, meta: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'node0', uid: `uid-${name}`, resourceVersion: '1', generation: 1, creationTimestamp: '', ...meta },
});
const events = async () => (await store.list({ group: '', plural: 'events' })).items;

describe('Events', () => {
  it('count what happens again, and bear what decides who sees them, as it is now', async () => {
    let now = 1_000_000;
    const recorder = recorderAt(() => now);
    const told = { type: 'Normal', reason: 'Ready', message: 'it is' } as const;
    recorder.record({ about: about('web', { labels: { a: 'b' }, annotations: { [CREATOR_ANNOTATION]: 'ops', other: 'x' } }), ...told });
    await waitFor(async () => (await events()).length === 1, { what: 'the Event' });
    const [first] = await events();
    expect(first).toMatchObject({ count: 1, metadata: { labels: { a: 'b' }, annotations: { 'dtkd.dev/object-creator': 'ops' } } });
    expect(Object.keys(first?.metadata.annotations ?? {})).toHaveLength(1);
    now += 5_000;
    recorder.record({ about: about('web'), ...told });
    await waitFor(async () => (await events())[0]?.['count'] === 2, { what: 'the Event to be counted' });
    const [again] = await events();
    expect(again).toMatchObject({ firstTimestamp: '1970-01-01T00:16:40Z', lastTimestamp: '1970-01-01T00:16:45Z' });
    expect([again?.metadata.labels, again?.metadata.annotations]).toEqual([undefined, undefined]);
  });

  it('are gathered into one transaction, and written at once when the recorder is closed', async () => {
    const recorder = recorderAt(Date.now);
    const before = (await store.figures()).commits;
    for (const name of ['a', 'b', 'a']) recorder.record({ about: about(name), type: 'Normal', reason: 'Ready', message: 'it is' });
    await recorder.close();
    expect((await events()).map(({ count, metadata }) => [metadata.name.slice(0, 1), count])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect((await store.figures()).commits).toEqual({ ...before, batches: before.batches + 1, transactions: before.transactions + 1 });
  });

  it('of a clock that was ahead go once it is right again', async () => {
    let now = Date.parse('2030-01-01T00:00:00Z');
    const recorder = recorderAt(() => now);
    const tell = (name: string) => recorder.record({ about: about(name), type: 'Normal', reason: 'Ready', message: 'it is' });
    tell('ahead');
    await waitFor(async () => (await events()).length === 1);
    now -= 365 * 24 * 3_600_000;
    for (let index = 0; index < 60; index++) tell(`app-${index}`);
    await recorder.close();
    const names = (await events()).map(({ metadata }) => metadata.name);
    expect(names).toHaveLength(60);
    expect(names.some((name) => name.startsWith('ahead'))).toBe(false);
  });

  it('of a storm are left out, and then written again', async () => {
    const recorder = recorderAt(Date.now);
    const tell = (name: string) => recorder.record({ about: about(name), type: 'Normal', reason: 'Ready', message: 'it is' });
    for (let index = 0; index < 1_000; index++) tell(`app-${index}`);
    await waitFor(async () => (await events()).length === 100, { what: 'those that were taken' });
    await waitFor(
      async () => {
        tell('later');
        return (await events()).some(({ metadata }) => metadata.name.startsWith('later.'));
      },
      { what: 'one more' },
    );
    expect(errors).toEqual([]);
  });
});
