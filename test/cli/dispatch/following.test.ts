import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ApiClient } from '../../../cli/client/api.ts';
import { executionOf } from '../../../cli/dispatch/execution.ts';
import { Following } from '../../../cli/dispatch/following.ts';
import { HeldOutput } from '../../../cli/dispatch/held-output.ts';
import { type Ending, exitStatusOf } from '../../../cli/dispatch/summary.ts';
import type { Outcome, PartState } from '../../../protocol/orders/words.ts';
import { ended, executionObject, FINISHED, ID, output, part } from './fake-execution.ts';

/** What a daemon has of each target, and the answers that it gives from offsets on; each is cut after so many lines. */
class FakeFollow {
  readonly #chunks: string[];
  readonly #cuts: number[];
  asked: string[] = [];

  constructor(chunks: string[], cuts: number[]) {
    this.#chunks = chunks;
    this.#cuts = cuts;
  }

  async *daemonLines(path: string): AsyncGenerator<unknown> {
    this.asked.push(path);
    const from: Record<string, number> = JSON.parse(new URLSearchParams(path.split('?')[1]).get('from') ?? '{}');
    const cut = this.#cuts.shift();
    yield* this.lines(from['0'] ?? 0, cut);
  }

  async *lines(from: number, cut: number | undefined): AsyncGenerator<unknown> {
    let left = cut ?? Number.POSITIVE_INFINITY;
    let offset = 0;
    const all: unknown[] = [{ execution: executionObject([part(0, { node: 'node1' })]) }];
    for (const chunk of this.#chunks) {
      if (offset >= from) all.push(output(0, 'node1', offset, ['out', chunk]));
      offset += chunk.length;
    }
    for (const line of [...all, ended(0, 'node1', 'succeeded'), FINISHED]) {
      if (left === 0) throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
      left -= 1;
      yield line;
    }
  }
}

async function follow(fake: FakeFollow): Promise<{ text: string; ending: Ending }> {
  let text = '';
  const client: Pick<ApiClient, 'daemonLines'> = fake;
  const following = new Following(
    client,
    {
      view: {
        show: (event) => {
          if (event.type === 'output') text += event.records.map(({ bytes }) => bytes.toString()).join('');
        },
        end: () => undefined,
      },
      signal: new AbortController().signal,
      waitForQueued: true,
      onContact: () => undefined,
      pause: async () => undefined,
    },
    ID,
  );
  return { ending: await following.run(), text };
}

describe('following', () => {
  it('shows all output once, however often it is cut', async () => {
    const chunks = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 5 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(chunks, fc.array(fc.nat(8), { maxLength: 8 }), async (parts, cuts) => {
        const fake = new FakeFollow(parts, [...cuts]);
        expect(await follow(fake)).toEqual({ text: parts.join(''), ending: 'finished' });
      }),
    );
  });

  it('drops what a daemon repeats', async () => {
    const fake = new FakeFollow(['one', 'two'], []);
    const whole = fake.lines.bind(fake);
    fake.lines = () => whole(0, undefined);
    fake.daemonLines = async function* (path: string) {
      this.asked.push(path);
      yield* this.asked.length === 1
        ? (async function* () {
            let count = 0;
            for await (const line of whole(0, undefined)) if (count++ < 2) yield line;
          })()
        : whole(0, undefined);
    };
    expect(await follow(fake)).toEqual({ text: 'onetwo', ending: 'finished' });
    expect(fake.asked).toHaveLength(2);
  });
});

describe('orders that wait for absent targets', () => {
  async function until(waitForQueued: boolean): Promise<{ ending: Ending; asked: number }> {
    const queued = { execution: executionObject([part(0, { node: 'node1', state: 'queued' })]) };
    const answers = [
      [queued, { end: { phase: 'Running' } }],
      [queued, { end: { phase: 'Running' } }],
      [queued, ended(0, 'node1', 'succeeded'), FINISHED],
    ];
    let asked = 0;
    const client: Pick<ApiClient, 'daemonLines'> = {
      async *daemonLines() {
        yield* answers[asked++] ?? [];
      },
    };
    const view = { show: () => undefined, end: () => undefined };
    const { signal } = new AbortController();
    const following = new Following(client, { view, signal, waitForQueued, onContact: () => undefined, pause: async () => undefined }, ID);
    return { ending: await following.run(), asked };
  }

  it('are waited for only if that is wished', async () => {
    expect(await until(false)).toEqual({ ending: 'queued', asked: 1 });
    expect(await until(true)).toEqual({ ending: 'finished', asked: 3 });
  });
});

describe('the exit status', () => {
  const of = (outcomes: (Outcome | PartState)[], ending: Ending = 'finished', missing = 0): number => {
    const parts = outcomes.map((word, index) =>
      word === 'queued' || word === 'running' || word === 'waiting' || word === 'accepted' || word === 'ended'
        ? part(index, { node: `node${index}`, state: word })
        : part(index, { node: `node${index}`, state: 'ended', outcome: word }),
    );
    return exitStatusOf(executionOf(executionObject(parts)), ending, missing);
  };

  it('is 0 only if every target succeeded', () => {
    expect(of(['succeeded', 'succeeded'])).toBe(0);
    const word = fc.constantFrom<(Outcome | PartState)[]>(
      'failed',
      'refused',
      'unreachable',
      'skipped',
      'unknown',
      'queued',
      'running',
      'waiting',
      'accepted',
    );
    fc.assert(
      fc.property(
        fc.array(fc.constant<Outcome>('succeeded')),
        word,
        fc.constantFrom<Ending[]>('finished', 'paused', 'queued', 'running'),
        (well, other, ending) => {
          expect(of([...well, other], ending)).not.toBe(0);
        },
      ),
    );
  });

  it('tells the worst', () => {
    expect(of(['failed', 'unknown', 'skipped'])).toBe(20);
    expect(of(['refused'])).toBe(20);
    expect(of(['unknown', 'unreachable'])).toBe(22);
    expect(of(['succeeded', 'unreachable', 'skipped'])).toBe(21);
    expect(of(['succeeded'], 'finished', 1)).toBe(22);
    expect(of(['failed', 'waiting'], 'paused')).toBe(23);
    expect(of(['succeeded', 'queued'], 'queued')).toBe(24);
    expect(of(['succeeded', 'running'], 'running')).toBe(22);
  });
});

describe('output that is held back', () => {
  it('is the same in memory and in files', () => {
    const write = fc.record({ index: fc.nat(2), err: fc.boolean(), text: fc.string({ maxLength: 30 }) });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 40 }), fc.constantFrom(0, 60, 10_000), (writes, limit) => {
        const held = new HeldOutput(limit);
        for (const { index, err, text } of writes) held.screen(index)[err ? 'err' : 'out'](text);
        for (const index of [0, 1, 2]) {
          const shown: [boolean, string][] = [];
          held.release(index, { out: (text) => shown.push([false, String(text)]), err: (text) => shown.push([true, String(text)]) });
          expect(shown).toEqual(writes.filter((one) => one.index === index).map(({ err, text }) => [err, Buffer.from(text).toString()]));
        }
        held.close();
      }),
      { numRuns: 30 },
    );
  });
});
