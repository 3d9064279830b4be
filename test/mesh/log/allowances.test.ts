import { beforeEach, expect, it } from 'vitest';
import { Allowances } from '../../../daemon/src/mesh/log/allowances.ts';
import { Author } from './author.ts';
import { keyOfApp, Node, Roster } from './node.ts';

let time = 0;
beforeEach(() => {
  time = 0;
});
const work = { atOnce: 1_000, perSecond: 100, ticks: () => time };

it('are spent at once and come back with time, each author its own', () => {
  const allowances = new Allowances<string>(work);
  allowances.spend('a', 1_500);
  expect([allowances.has('a'), allowances.has('b')]).toEqual([false, true]);
  time = 5_000;
  expect(allowances.has('a')).toBe(false);
  time = 5_010;
  expect(allowances.has('a')).toBe(true);
  time = 1_000_000;
  allowances.spend('a', 999);
  expect(allowances.has('a')).toBe(true);
  allowances.spend('a', 1);
  expect(allowances.has('a')).toBe(false);
});

it('let nobody tell his whole log anew for ever, and take all of it in the end', async () => {
  const roster = new Roster();
  const node = await Node.start({ name: 'honest', roster, work });
  const [greedy, other] = [new Author(), new Author()];
  roster.add(greedy.key, 'greedy');
  roster.add(other.key, 'other');
  const names = Array.from({ length: 100 }, (_, index) => `app${index}`);
  const results: string[] = [];
  let last = greedy.open(names);
  let author = greedy;
  for (let times = 0; times < 20; times += 1) {
    results.push(await node.log.receive(last.bytes));
    if (times === 19) break;
    author = author.next();
    last = author.open(names);
  }
  const applied = results.filter((result) => result === 'applied').length;
  expect([applied >= 2, applied <= 6, results.at(-1)]).toEqual([true, true, 'gap']);
  expect(node.log.counters()['delayed']).toBe(20 - applied);
  expect(await node.log.receive(other.open(['one']).bytes)).toBe('applied');
  expect(await node.log.receive(other.set(keyOfApp('one'), undefined).bytes)).toBe('applied');
  time = 10_000;
  expect(await node.log.receive(last.bytes)).toBe('applied');
});
