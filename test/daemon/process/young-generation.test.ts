import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { YOUNG_BYTES, YoungGeneration } from '../../../daemon/src/process/young-generation.ts';

it('may grow while it is small, and no further; and again after it was made small', () => {
  let size = YOUNG_BYTES / 32;
  let collected = (): void => {};
  const factors: number[] = [];
  const young = new YoungGeneration({
    size: () => size,
    setGrowth: (factor) => factors.push(factor),
    onCollected(look) {
      collected = look;
      return () => {
        collected = () => {};
      };
    },
  });
  young.start();
  collected();
  expect(factors).toEqual([2]);
  size = YOUNG_BYTES;
  collected();
  collected();
  expect(factors).toEqual([2, 1]);
  size = YOUNG_BYTES / 32;
  collected();
  expect(factors).toEqual([2, 1, 2]);
  young.stop();
  size = YOUNG_BYTES;
  collected();
  expect(factors).toEqual([2, 1, 2]);
});

/** Works, has V8 make its young generation small, and works again; prints its sizes. */
const LIFE = `
import { getHeapSpaceStatistics } from 'node:v8';
import { YoungGeneration } from '${import.meta.resolve('../../../daemon/src/process/young-generation.ts')}';
const size = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size;
let kept = [];
async function work() {
  for (let turn = 0; turn < 500; turn++) {
    for (let index = 0; index < 4000; index++) kept.push({ index, inner: [index] });
    if (kept.length > 50_000) kept = kept.slice(25_000);
    await new Promise((done) => setImmediate(done));
  }
  return size();
}
new YoungGeneration().start();
const first = await work();
kept = [];
// as V8 does by itself when little is allocated for a while
gc({ type: 'major', flavor: 'last-resort' });
const rested = size();
console.log(JSON.stringify({ first, rested, second: await work() }));
`;

it('is as large after a rest as before it, in a real process', async () => {
  const args = ['--expose-gc', '--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', LIFE];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { first, rested, second } = JSON.parse(stdout);
  expect(rested).toBeLessThan(first / 2);
  for (const size of [first, second]) {
    expect(size).toBeGreaterThanOrEqual(YOUNG_BYTES / 2);
    expect(size).toBeLessThanOrEqual(2 * YOUNG_BYTES);
  }
});
