import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { waitFor } from '../../wait.ts';
import { expected, Informer } from './informer.ts';
import { type FakeNode, Nodes, putModel } from './nodes.ts';

const NODES = 3;
const node = fc.integer({ min: 0, max: NODES - 1 });
const name = fc.constantFrom('a', 'b', 'c', 'd');

type Step =
  | { do: 'put' | 'delete'; on: number; name: string; text: number }
  | { do: 'own'; name: string; text: number }
  | { do: 'cut' | 'away' | 'known' | 'denied' | 'well' | 'remove' | 'leave' | 'join' | 'restart'; on: number }
  | { do: 'reconnect' | 'restart here' | 'settle' | 'begin anew' }
  | { do: 'others list'; limit: number }
  | { do: 'pause'; turns: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), on: node, name, text: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), on: node, name, text: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('own' as const), name, text: fc.nat(9) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('cut', 'away', 'known', 'denied', 'well', 'well', 'restart'), on: node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('remove', 'leave', 'join', 'join'), on: node }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('reconnect', 'restart here', 'settle', 'begin anew', 'begin anew') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('others list' as const), limit: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pause' as const), turns: fc.nat(30) }) },
);

/** Found by chance: what went wrong once. */
const FOUND: [Step[], number][] = [
  [[{ do: 'restart here' }, { do: 'restart', on: 2 }, { do: 'put', on: 2, name: 'a', text: 0 }, { do: 'cut', on: 0 }], 0],
  [
    [
      { do: 'remove', on: 2 },
      { do: 'remove', on: 1 },
      { do: 'others list', limit: 0 },
      { do: 'denied', on: 0 },
    ],
    0,
  ],
  [
    [
      { do: 'cut', on: 1 },
      { do: 'put', on: 0, name: 'c', text: 0 },
      { do: 'others list', limit: 0 },
      { do: 'restart here' },
      { do: 'put', on: 0, name: 'a', text: 0 },
    ],
    0,
  ],
  [[{ do: 'begin anew' }, { do: 'remove', on: 0 }, { do: 'join', on: 0 }, { do: 'pause', turns: 1 }], 0],
  [[{ do: 'put', on: 0, name: 'a', text: 0 }, { do: 'others list', limit: 0 }, { do: 'reconnect' }, { do: 'cut', on: 0 }], 0],
  [
    [
      { do: 'delete', on: 1, name: 'a', text: 0 },
      { do: 'begin anew' },
      { do: 'begin anew' },
      { do: 'settle' },
      { do: 'put', on: 0, name: 'd', text: 0 },
      { do: 'away', on: 0 },
    ],
    0,
  ],
  [[{ do: 'begin anew' }, { do: 'denied', on: 0 }], 0],
  [
    [
      { do: 'cut', on: 1 },
      { do: 'put', on: 1, name: 'c', text: 0 },
      { do: 'begin anew' },
      { do: 'others list', limit: 0 },
      { do: 'put', on: 1, name: 'd', text: 0 },
      { do: 'cut', on: 0 },
    ],
    1,
  ],
];

describe('an informer', () => {
  test('holds the truth after any sequence of changes, cuts, restarts, denials and removals; a dead site deletes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), fc.constantFrom(0, 0, 1, 3), async (steps, limit) => {
        const nodes = await Nodes.open(NODES);
        const informer = new Informer(nodes, { limit });
        try {
          for (const one of nodes.others) await one.put('a', 'begin');
          informer.start();
          const world = new World(nodes, informer);
          await world.settle();
          for (const one of steps) await world.take(one);
          await world.settle();
          await world.returnAll();
          await world.settle();
          if (limit === 0) expect(informer.sequence.faults).toEqual([]);
        } finally {
          await informer.stop();
          await nodes.close();
        }
      }),
      { numRuns: 40, examples: FOUND },
    );
  });
});

/** The nodes, and what has to be remembered of those that went. */
class World {
  readonly #nodes: Nodes;
  readonly #informer: Informer;
  readonly #listing: Promise<unknown>[] = [];
  #joined = 0;
  #lasts = 0;
  readonly #remembered = new Map<string, readonly ApiObject[]>();

  constructor(nodes: Nodes, informer: Informer) {
    this.#nodes = nodes;
    this.#informer = informer;
  }

  async take(one: Step): Promise<void> {
    if (one.do === 'own') return putModel(this.#nodes.store, 'node0', one.name, String(one.text));
    if (one.do === 'settle') return this.settle();
    if (one.do === 'pause') {
      for (let turn = 0; turn < one.turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      return;
    }
    if (one.do === 'others list') {
      // at the same time as all that follows
      this.#listing.push(this.#nodes.page({ limit: one.limit, timeoutMs: 10_000 }).catch(() => undefined));
      return;
    }
    if (one.do === 'reconnect' || one.do === 'restart here' || one.do === 'begin anew') {
      await this.#informer.stop();
      if (one.do === 'begin anew') this.#informer.forget();
      if (one.do === 'restart here') await this.#nodes.restart();
      return this.#informer.start();
    }
    const other = 'on' in one ? this.#nodes.others[one.on] : undefined;
    if (other === undefined) return;
    if (one.do === 'join' && !other.member) {
      other.member = true;
      await this.#turn(other, 'well');
      // who holds this has seen it after it came back, and does not only look so
      return other.put('joined', String(this.#joined++));
    }
    if (!other.member || one.do === 'join') return;
    if (one.do === 'leave') {
      // this node is told later
      other.member = false;
      return;
    }
    if (one.do === 'put') return other.put(one.name, String(one.text));
    if (one.do === 'delete') return other.delete(one.name);
    if (one.do === 'cut') return other.cut();
    if (one.do === 'restart') return other.restart();
    await this.#turn(other, one.do);
  }

  async #turn(other: FakeNode, to: 'away' | 'known' | 'denied' | 'well' | 'remove'): Promise<void> {
    if (to === 'away' || to === 'known') {
      // what it showed last is what was seen of it: who has seen this has seen all before it, also what came and went
      if (other.mood === 'well') {
        await other.put('last', String(this.#lasts++));
        await this.settle();
        this.#remembered.set(other.name, await other.rows());
      }
      // who denied it before was shown nothing
      else if (other.mood === 'denied') {
        await this.settle();
        this.#remembered.set(other.name, []);
      }
    }
    if (to === 'remove') other.member = false;
    else other.mood = to;
    if (to !== 'well') other.cut();
    this.#nodes.changed();
    if (to === 'well') this.#nodes.federation.rightsChanged(other.name);
  }

  async returnAll(): Promise<void> {
    await Promise.all(this.#listing);
    for (const other of this.#nodes.others) await this.#turn(other, other.member ? 'well' : 'remove');
  }

  async settle(): Promise<void> {
    this.#nodes.changed();
    const agree = async () => JSON.stringify(this.#informer.view()) === JSON.stringify(await expected(this.#nodes, this.#remembered));
    await waitFor(agree, { what: 'the informer to agree' }).catch(async () => {
      expect({ held: this.#informer.view(), log: this.#informer.log.slice(-30) }).toEqual({
        held: await expected(this.#nodes, this.#remembered),
        log: [],
      });
    });
  }
}

describe('pages', () => {
  test('show every row of a node that was there throughout once, in order, while nodes come and go', async () => {
    const move = fc.record({ on: node, to: fc.constantFrom('away', 'known', 'well', 'denied', 'leave', 'join') });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(7), { minLength: NODES, maxLength: NODES }),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.option(move), { maxLength: 12 }),
        fc.boolean(),
        async (counts, limit, moves, selected) => {
          const nodes = await Nodes.open(NODES);
          try {
            for (const [index, other] of nodes.others.entries()) {
              for (let row = 0; row < (counts[index] ?? 0); row++)
                await other.put(`m${row}`, 'x', { tier: row % 2 === 0 ? 'front' : 'back' });
            }
            for (let row = 0; row < 3; row++) await putModel(nodes.store, 'node0', `m${row}`, '', { tier: 'front' });
            const touched = new Set<string>();
            const names: string[] = [];
            let next: string | undefined = '';
            let asked = new Set<string>();
            let completeness: { node: string; state: string }[] = [];
            for (let page = 0; next !== undefined && page < 200; page++) {
              const one = await nodes.page({ limit, continue: next, ...(selected ? { labelSelector: 'tier=front' } : {}) });
              names.push(...one.names);
              completeness = one.completeness;
              asked = new Set(nodes.others.filter(({ member }) => member).map((other) => other.name));
              next = one.next;
              const now = moves[page];
              const other = now === undefined || now === null ? undefined : nodes.others[now.on];
              if (now === undefined || now === null || other === undefined) continue;
              touched.add(other.name);
              if (now.to === 'leave' || now.to === 'join') other.member = now.to === 'join';
              else other.mood = now.to;
            }
            expect(next).toBeUndefined();
            expect(names).toEqual([...new Set(names)].sort());
            for (const other of [
              ...nodes.others,
              { name: 'node0', member: true, rows: async () => (await nodes.store.list({ group: 'dtkd.dev', plural: 'models' })).items },
            ]) {
              const all = (await other.rows()).filter(({ metadata }) => !selected || metadata.labels?.['tier'] === 'front');
              const whole = all.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
              const shown = names.filter((one) => one.startsWith(`${other.name}/`));
              const state = completeness.find(({ node: stated }) => stated === other.name)?.state;
              // complete, or stated not to be
              if (!touched.has(other.name) || state === 'answered') expect(shown).toEqual(whole);
              if (shown.length < whole.length && asked.has(other.name)) expect(state).toMatch(/unreachable|denied/);
            }
          } finally {
            await nodes.close();
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
