import { appendFile, mkdir, mkdtemp, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Spool } from '../../../daemon/src/dispatch/runner/runner.types.ts';
import { LOG_BEYOND_CAP_BYTES } from '../../../daemon/src/dispatch/runner/spool.ts';
import { walk } from '../../../daemon/src/dispatch/runner/spool-borders.ts';
import { createSpools } from '../../../daemon/src/dispatch/runner/spools.ts';
import { decodeCbor } from '../../../protocol/encoding/cbor.ts';
import { type OutputRecord, outputRecord } from '../../../protocol/orders/records.ts';
import { waitFor } from '../../wait.ts';

const CAP = 1024 * 1024;

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-spool-'));
  path = join(directory, 'ab', '0.spool');
});

afterEach(() => rm(directory, { recursive: true, force: true }));

function record(text: string | Buffer, more: Partial<OutputRecord> = {}): OutputRecord {
  return { t: 1, s: 'out', n: 1, c: 'Start', d: Buffer.from(text), ...more };
}

function decode(bytes: Uint8Array): OutputRecord[] {
  const found: OutputRecord[] = [];
  const { end } = walk(bytes, (start, until) => found.push(decodeCbor(bytes.subarray(start + 4, until), outputRecord, 'record')) > 0);
  expect(end).toBe(bytes.length);
  return found;
}

function texts(bytes: Uint8Array): string[] {
  return decode(bytes).map(({ d }) => Buffer.from(d).toString());
}

async function readAll(spool: Spool, maxBytes = 10_000): Promise<string> {
  const all: string[] = [];
  for (let offset = 0; ; ) {
    const bytes = await spool.read(offset, maxBytes);
    if (bytes.length === 0) return all.join('');
    all.push(...texts(bytes));
    offset += bytes.length;
  }
}

async function written(spool: Spool): Promise<void> {
  const last = spool.offset;
  await waitFor(() => spool.offset > last);
}

describe('a spool', () => {
  it('gives back what was added, from any border', async () => {
    const spool = await createSpools().open(path, CAP);
    expect([spool.offset, (await spool.read(0, 100)).length]).toEqual([0, 0]);
    await expect(stat(path)).rejects.toThrow('ENOENT');
    await Promise.all(['one', 'two', 'three'].map((text) => spool.append(record(text))));
    await spool.close();
    expect(texts(await spool.read(0, 10_000))).toEqual(['one', 'two', 'three']);
    const first = await spool.read(0, 1);
    expect(texts(first)).toEqual(['one']);
    expect(texts(await spool.read(first.length, 10_000))).toEqual(['two', 'three']);
    expect(spool.offset).toBe((await stat(path)).size);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await expect(spool.append(record('late'))).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('refuses offsets that are not borders', async () => {
    const spool = await createSpools().open(path, CAP);
    for (let index = 0; index < 3_000; index += 1) await spool.append(record(`line ${index} with some more text to it`));
    await spool.close();
    expect(spool.offset).toBeGreaterThan(2 * 64 * 1024);
    const second = (await spool.read(0, 1)).length;
    for (const offset of [-1, 1, second + 1, 1.5, spool.offset - 1, spool.offset + 1, Number.NaN, 100_001]) {
      await expect(spool.read(offset, 100), String(offset)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    }
  });

  it('tells of growth, once it can be read', async () => {
    const spool = await createSpools().open(path, CAP);
    const seen: string[] = [];
    let offset = 0;
    const stop = spool.onGrowth(() => {
      const from = offset;
      offset = spool.offset;
      void spool.read(from, CAP).then((bytes) => seen.push(...texts(bytes)));
    });
    await spool.append(record('a'));
    await waitFor(() => seen.length === 1);
    await spool.append(record('b'));
    await waitFor(() => seen.length === 2);
    stop();
    void spool.append(record('c'));
    await written(spool);
    expect(seen).toEqual(['a', 'b']);
    await spool.close();
  });

  it('keeps what fits, and counts the rest', async () => {
    const spool = await createSpools().open(path, 1_000);
    for (let index = 0; index < 50; index += 1) await spool.append(record('0123456789'.repeat(10)));
    await spool.append(record('x'));
    await spool.append(record('the end', { s: 'log', l: 'info' }));
    await spool.close();
    const kept = decode(await spool.read(0, 10_000));
    const output = kept.filter(({ s }) => s === 'out').reduce((sum, { d }) => sum + d.length, 0);
    expect(output + spool.dropped).toBe(5_001);
    expect(kept.at(-1)?.s).toBe('log');
    expect(Buffer.concat(kept.slice(0, -1).map(({ d }) => d)).toString()).toBe('0123456789'.repeat(50 * 10).slice(0, output));
    // Full remains full.
    const again = await createSpools().open(path, 1_000);
    await again.append(record('y'));
    await again.close();
    expect([again.dropped, again.offset]).toEqual([1, spool.offset]);
  });

  it('bounds what dtkd says, too', async () => {
    const spool = await createSpools().open(path, 1_000);
    for (let index = 0; index < 100; index += 1) await spool.append(record('z'.repeat(10_000), { s: 'log' }));
    await spool.close();
    expect(spool.offset).toBeLessThanOrEqual(1_000 + LOG_BEYOND_CAP_BYTES);
    await expect(spool.append(record('z'.repeat(50_000)))).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('goes on after a crash, without what was cut off', async () => {
    const spool = await createSpools().open(path, CAP);
    for (const text of ['one', 'two', 'three']) await spool.append(record(text));
    await spool.close();
    const whole = spool.offset;
    for (const damage of [
      () => appendFile(path, Buffer.from([0, 0, 1, 0, 1, 2])),
      () => appendFile(path, Buffer.from([0])),
      () => appendFile(path, Buffer.alloc(100)),
    ]) {
      await damage();
      const again = await createSpools().open(path, CAP);
      expect(again.offset).toBe(whole);
      expect((await stat(path)).size).toBe(whole);
    }
    await truncate(path, whole - 1);
    const shorter = await createSpools().open(path, CAP);
    await shorter.append(record('four'));
    await shorter.close();
    expect(await readAll(shorter)).toBe('onetwofour');
  });

  it('is the same to all who open it', async () => {
    const spools = createSpools();
    const [one, other] = await Promise.all([spools.open(path, CAP), spools.open(path, CAP)]);
    expect(one).toBe(other);
    await one.append(record('a'));
    expect(await spools.open(path, CAP)).toBe(one);
    await one.close();
    const later = await spools.open(path, CAP);
    expect(later).not.toBe(one);
    await later.append(record('b'));
    await later.close();
    expect(await readAll(later)).toBe('ab');
  });

  it('says when it cannot be written, and goes on counting', async () => {
    const blocked = await createSpools().open(join(directory, 'no'), CAP);
    await mkdir(join(directory, 'no'));
    await blocked.append(record('lost'));
    await waitFor(() => blocked.error);
    await blocked.append(record('too'));
    await blocked.close();
    expect([blocked.error?.code, blocked.dropped, blocked.offset]).toEqual(['INTERNAL', 7, 0]);
  });

  it('makes who adds wait for the disk', async () => {
    const spool = await createSpools().open(path, 64 * CAP);
    let ready = false;
    let waits = 0;
    for (let index = 0; index < 100; index += 1) {
      ready = false;
      const taken = spool.append(record(Buffer.alloc(30_000, 'x'))).then(() => {
        ready = true;
      });
      await Promise.resolve();
      await Promise.resolve();
      if (!ready) waits += 1;
      await taken;
    }
    await spool.close();
    expect(waits).toBeGreaterThan(5);
    expect((await readAll(spool, 300_000)).length).toBe(3_000_000);
  });

  it('gives every reader the same, wherever it stopped', async () => {
    const sizes = fc.array(fc.oneof(fc.nat(60), fc.nat(32 * 1024)), { minLength: 1, maxLength: 60 });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(sizes, fc.array(fc.nat(100_000), { minLength: 1, maxLength: 8 }), async (lengths, maxima) => {
        run += 1;
        const file = join(directory, `p${run}`);
        const spool = await createSpools().open(file, 64 * CAP);
        const all = lengths.map((length, index) => Buffer.alloc(length, String.fromCharCode(97 + (index % 26))));
        for (const d of all) void spool.append(record(d));
        await spool.close();
        for (const reader of [spool, await createSpools().open(file, 64 * CAP)]) {
          const parts: Buffer[] = [];
          for (let offset = 0, turn = 0; ; turn += 1) {
            const max = maxima[turn % maxima.length] ?? 1;
            const bytes = await reader.read(offset, max);
            if (bytes.length === 0) break;
            const records = decode(bytes);
            expect(bytes.length <= max || records.length === 1).toBe(true);
            parts.push(...records.map(({ d }) => Buffer.from(d)));
            offset += bytes.length;
          }
          expect(Buffer.concat(parts).equals(Buffer.concat(all))).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});
