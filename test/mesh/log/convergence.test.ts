import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { Author } from './author.ts';
import { Node, Roster } from './node.ts';

const names = ['a', 'b', 'c', 'd'];

/** What an author does next. */
const act = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constant('set' as const), name: fc.constantFrom(...names) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('delete' as const), name: fc.constantFrom(...names) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('epoch' as const), parts: fc.integer({ min: 1, max: 3 }) }) },
);

/** Signs all that the acts make. */
function history(acts: readonly (typeof act extends fc.Arbitrary<infer T> ? T : never)[], author: Author, live: Set<string>): Uint8Array[] {
  author.open();
  let generation = 1;
  for (const step of acts) {
    generation += 1;
    if (step.act === 'set') {
      live.add(step.name);
      author.app(step.name, { generation });
    } else if (step.act === 'delete') {
      if (live.delete(step.name)) author.set(`sid.sightlineinnovation.com/dtapps/${step.name}`, undefined);
    } else {
      reopen(author, [...live], step.parts, generation);
    }
  }
  return author.entries.map((entry) => entry.bytes);
}

/** A new epoch whose opening comes in several entries. */
function reopen(author: Author, live: readonly string[], parts: number, generation: number): void {
  const before = { epoch: author.epoch, seq: author.seq };
  author.next();
  for (let part = 0; part < parts; part += 1) {
    const values = live
      .filter((_, index) => index % parts === part)
      .map((name) => [`sid.sightlineinnovation.com/dtapps/${name}`, author.value(name, { generation })] as const);
    author.sign(author.doc.write(new Map(values)), { open: true, openEnd: part === parts - 1, lineage: part === 0 ? [before] : [] });
  }
}

describe('replicas of the same entries', () => {
  it('show the same objects, whatever the order, the doubles, the gaps and the restarts', async () => {
    const keys = [generateSigningKey(), generateSigningKey()];
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(fc.array(act, { maxLength: 14 }), fc.array(act, { maxLength: 14 })),
        fc.infiniteStream(fc.nat()),
        async (histories, random) => {
          const roster = new Roster();
          const live = new Set<string>();
          const shown = new Set<string>();
          const entries: Uint8Array[] = [];
          for (const [index, acts] of histories.entries()) {
            const key = keys[index] ?? generateSigningKey();
            roster.add(key, `author-${index}`);
            live.clear();
            entries.push(...history(acts, new Author(key), live));
            for (const name of live) shown.add(`author-${index}/${name}`);
          }
          let shuffled = await Node.start({ name: 'shuffled', roster });
          const ordered = await Node.start({ name: 'ordered', roster });
          const synced = await Node.start({ name: 'synced', roster });
          for (const entry of entries) expect(await ordered.log.receive(entry)).toBe('applied');
          for (let count = entries.length * 2; count > 0; count -= 1) {
            const pick = random.next().value ?? 0;
            await shuffled.log.receive(entries[pick % entries.length] ?? new Uint8Array());
            if (pick % 17 === 0) shuffled = await shuffled.restart();
            if (pick % 19 === 0) await synced.pull(shuffled, (pick % 5) * 400);
          }
          await shuffled.pull(ordered, 1_000);
          await synced.pull(shuffled, 1);
          expect(await ordered.names()).toEqual([...shown].sort());
          expect(await shuffled.shown()).toEqual(await ordered.shown());
          expect(await synced.shown()).toEqual(await ordered.shown());
          expect(await shuffled.log.isBehind(await ordered.log.heads())).toBe(false);
          expect(await ordered.log.isBehind(await synced.log.heads())).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('an opening in several entries', () => {
  it('shows the older state until it is whole, then the difference', async () => {
    const roster = new Roster();
    const node = await Node.start({ name: 'node', roster });
    const author = new Author();
    roster.add(author.key, 'author');
    author.open(['gone', 'kept']);
    reopen(author, ['kept', 'new'], 2, 5);
    const [first, begin, end] = author.entries.map((entry) => entry.bytes);
    if (first === undefined || begin === undefined || end === undefined) throw new Error('three entries');
    await node.log.receive(first);
    await node.log.receive(begin);
    expect(await node.names()).toEqual(['author/gone', 'author/kept']);
    const late = await Node.start({ name: 'late', roster });
    await late.pull(node);
    expect(await late.names()).toEqual(['author/gone', 'author/kept']);
    const again = await node.restart();
    expect(await again.log.receive(end)).toBe('applied');
    expect(await again.names()).toEqual(['author/kept', 'author/new']);
    expect((await again.disk.rows('l/')).filter(([key]) => key.includes('/e/'))).toHaveLength(2);
    await late.pull(again);
    expect(await late.shown()).toEqual(await again.shown());
  });

  it('keeps nobody from what the older state became meanwhile, as long as its author does not give the rest', async () => {
    const roster = new Roster();
    const [behind, ahead] = [await Node.start({ name: 'behind', roster }), await Node.start({ name: 'ahead', roster })];
    const author = new Author();
    roster.add(author.key, 'author');
    author.open(['first']);
    author.app('second');
    reopen(author, ['first', 'second'], 2, 5);
    const [first, second, begin] = author.entries.map((entry) => entry.bytes);
    if (first === undefined || second === undefined || begin === undefined) throw new Error('three entries');
    for (const entry of [first, second]) await ahead.log.receive(entry);
    for (const entry of [first, begin]) await behind.log.receive(entry);
    expect(await behind.names()).toEqual(['author/first']);
    await behind.pull(ahead);
    await ahead.pull(behind);
    expect(await behind.names()).toEqual(['author/first', 'author/second']);
    expect(await behind.log.heads()).toEqual(await ahead.log.heads());
  });
});
