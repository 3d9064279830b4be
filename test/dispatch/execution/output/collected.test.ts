import { appendFile, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Collected } from '../../../../daemon/src/dispatch/execution/output/collected.ts';
import { followedRecord, readRecords, wholeRecords } from '../../../../daemon/src/dispatch/execution/output/records.ts';
import { removeOld } from '../../../../daemon/src/dispatch/execution/retention.ts';
import { openObjectStore } from '../../../../daemon/src/store/object-store.ts';
import { memoryKv } from '../../../store/memory-kv.ts';
import { record } from '../fake-target.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-collected-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const texts = fc.array(fc.string({ maxLength: 200 }), { maxLength: 30 });

describe('collected output', () => {
  test('is read as it came, in whole records, wherever it is cut, also by a crash', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 1, max: 3_000 }), fc.nat(400), async (given, most, torn) => {
        run += 1;
        const path = join(directory, String(run), '0');
        const first = Collected.begin(path);
        for (const text of given) await first.append(record(text));
        const half = record('half').subarray(0, torn % record('half').length);
        if (given.length > 0) await appendFile(path, half);
        const again = await Collected.resume(path);
        expect(again.offset).toBe(first.offset);
        expect(again.printedAtFirst).toBe(Buffer.byteLength(given.join('')));
        await again.append(record('after'));
        const read: string[] = [];
        for (let offset = 0; ; ) {
          const bytes = await again.read(offset, most);
          if (bytes.length === 0) break;
          read.push(...readRecords(bytes).map(({ d }) => Buffer.from(d).toString()));
          offset += bytes.length;
        }
        expect(read).toEqual([...given, 'after']);
      }),
      { numRuns: 40 },
    );
  });

  test('is counted beyond what is kept', async () => {
    const path = join(directory, '0');
    const one = record('x'.repeat(100));
    const collected = Collected.begin(path, one.length * 2);
    for (let i = 0; i < 5; i += 1) await collected.append(one);
    expect(collected.offset).toBe(5 * one.length);
    expect(collected.dropped).toBe(3 * one.length);
    expect((await stat(path)).size).toBe(2 * one.length);
    expect((await collected.read(2 * one.length, 1_000)).length).toBe(0);
  });

  test('is made out of nothing only when there is some', async () => {
    const collected = Collected.begin(join(directory, 'none', '0'));
    expect((await collected.read(0, 1_000)).length).toBe(0);
    await expect(stat(join(directory, 'none'))).rejects.toThrow();
    expect((await Collected.resume(join(directory, 'none', '0'))).offset).toBe(0);
  });
});

describe('records', () => {
  test('are never read from bytes that are none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          expect(wholeRecords(bytes)).toBeLessThanOrEqual(bytes.length);
          readRecords(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'FRAME_INVALID' });
        }
      }),
    );
  });

  test('are text where they are text, and bytes where not', () => {
    const [text] = readRecords(record('größer\n'));
    const [bytes] = readRecords(record('', { d: Uint8Array.of(0xff, 0x00) }));
    expect(text === undefined ? undefined : followedRecord(text)).toMatchObject({ s: 'out', text: 'größer\n' });
    expect(bytes === undefined ? undefined : followedRecord(bytes)).toMatchObject({ base64: '/wA=' });
  });
});

test('old executions go, and the oldest output beyond what is kept', async () => {
  const store = await openObjectStore({ kv: memoryKv(), node: 'desk' });
  const put = (id: string, finishedAt: string) =>
    store.transact((tx) =>
      tx.put({
        apiVersion: 'dtkd.dev/v1',
        kind: 'Execution',
        metadata: { name: id, namespace: 'desk', uid: id, resourceVersion: '', generation: 1, creationTimestamp: '' },
        spec: { starter: 'desk', user: 'ops@desk', header: '', targets: [] },
        status: { phase: 'Finished', parts: [], finishedAt },
      }),
    );
  const ids = ['aa', 'bb', 'cc', 'dd'].map((name) => name.repeat(32));
  const [old = '', first = '', second = '', open = ''] = ids;
  await put(old, '2026-01-01T00:00:00Z');
  for (const id of [first, second, open]) await put(id, '2026-02-01T00:00:00Z');
  for (const id of [...ids, 'ee'.repeat(32)]) {
    await mkdir(join(directory, id));
    await writeFile(join(directory, id, '0'), 'x'.repeat(100));
  }
  await removeOld({
    store,
    node: 'desk',
    directory,
    keep: { keepForMs: 10 * 86_400_000, keepBytes: 100 },
    open: (id) => id === open,
    now: Date.parse('2026-02-02T00:00:00Z'),
  });
  const left = await store.list({ group: 'dtkd.dev', plural: 'executions' });
  expect(left.items.map(({ metadata }) => metadata.name)).toEqual([first, second, open]);
  const there = await Promise.all(
    [...ids, 'ee'.repeat(32)].map((id) =>
      stat(join(directory, id)).then(
        () => true,
        () => false,
      ),
    ),
  );
  expect(there.filter(Boolean)).toHaveLength(2);
  expect(there[3]).toBe(true);
  await store.close();
});
