/** Members and users who want this node to come to harm: its disk, its memory, or a second start of what ran before. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Decide } from '../../../daemon/src/dispatch/dispatch.types.ts';
import { executionRef } from '../../../daemon/src/dispatch/target/execution-object.ts';
import { JOURNAL, JOURNAL_END } from '../../../daemon/src/dispatch/target/journal-row.ts';
import { MAX_UNSTARTED_BYTES_PER_STARTER } from '../../../daemon/src/dispatch/target/limits.ts';
import { LivePart } from '../../../daemon/src/dispatch/target/live-part.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { executionKind } from '../../../protocol/kinds/execution.ts';
import type { Work } from '../../../protocol/orders/order.ts';
import { encodeEntry, encodeHeader, executionIdOf, merkleProofs, merkleRoot } from '../../../protocol/orders/plan-tree.ts';
import { keyOf } from '../fake-members.ts';
import { exec, from, orderOf, SITE, STARTER, shell, starter, TARGET, type World, world } from './world.ts';

const operator = { type: 'operator', name: 'operator' } as const;
const DAY_MS = 24 * 3_600_000;
/** Nearly as large as an order may be. */
const LARGE = 'x'.repeat(120_000);

let site: World;
let allowed: boolean;
let now: () => number;
const decide: Decide = () => (allowed ? { allowed: true, because: 'capability c1' } : { allowed: false, reason: 'it has nothing' });

beforeEach(async () => {
  allowed = true;
  now = Date.now;
  site = await world({ decide, now: () => now(), policy: { limits: { concurrency: 1 } } });
});
afterEach(() => site.close());

/** One plan whose parts are all for this target. */
function planOf(works: readonly Work[]): { id: string; orders: Uint8Array[] } {
  const entries = works.map((work) =>
    encodeEntry({ node: TARGET, key: keyOf(TARGET, SITE), domain: SITE, starter: keyOf(STARTER, SITE), work }),
  );
  const createdAt = Date.now();
  const header = encodeHeader({
    version: 1,
    nonce: new Uint8Array(16),
    starter: STARTER,
    user: 'ops',
    createdAt,
    notBefore: createdAt,
    notAfter: createdAt + 60_000,
    timeoutMs: 60_000,
    count: entries.length,
    root: Uint8Array.from(merkleRoot(entries)),
  });
  const orders = entries.map((entry, index) => encodeCbor({ header, entry, index, proof: merkleProofs(entries)[index] }));
  return { id: executionIdOf(header), orders };
}

async function journalBytes(): Promise<{ rows: number; bytes: number }> {
  const rows = await site.store.kv.page({ gte: JOURNAL, lt: JOURNAL_END });
  return { rows: rows.length, bytes: rows.reduce((sum, [, value]) => sum + value.length, 0) };
}

async function executions(): Promise<number> {
  const { items } = await site.store.list({ group: executionKind.group, plural: executionKind.plural, namespace: TARGET });
  return items.length;
}

function forbid(): void {
  allowed = false;
}

function maintain(): void {
  site.node.spec = { maintenance: { reason: 'disks' } };
}

function restore(): void {
  site.members.restored = Date.now();
}

describe('what nobody may do here', () => {
  const count = MAX_UNSTARTED_BYTES_PER_STARTER / 240_000 + 20;

  it.each([
    ['refused', 'refused', () => forbid(), {}],
    ['skipped, in maintenance', 'skipped', () => maintain(), {}],
    ['unknown, after the disk was restored', 'unknown', () => restore(), { createdAt: Date.now() - 1_000 }],
  ])('fills no disk and makes no objects: %s', async (_name, outcome, prepare, header) => {
    prepare();
    for (let at = 0; at < count; at += 1) {
      const order = orderOf({ work: exec('/bin/echo', LARGE, LARGE), header });
      const part = await site.target.accept(from(site), { order: order.bytes });
      expect(part.part()).toMatchObject({ state: 'ended', outcome });
    }
    expect((await journalBytes()).bytes).toBeLessThan(MAX_UNSTARTED_BYTES_PER_STARTER * 1.1);
    expect(await executions()).toBe(0);
    // The next daemon counts them again.
    await site.crash();
    const before = await journalBytes();
    await site.target.accept(from(site), { order: orderOf({ work: exec('/bin/echo', LARGE, LARGE), header }).bytes });
    expect(await journalBytes()).toEqual(before);
    expect((await site.target.find(operator, '')).length).toBeLessThan(100);
  });

  it('is no matter of the state of this node: an operator of another is refused, whatever else', async () => {
    site.node.spec = { maintenance: {} };
    const { bytes } = orderOf({ work: exec('/bin/true') });
    const source = { type: 'member', member: starter(site), user: undefined } as const;
    expect((await site.target.accept(source, { order: bytes })).part()).toMatchObject({ outcome: 'refused', code: 'FORBIDDEN' });
  });
});

describe('what somebody may do here', () => {
  it('does not make an object larger than can be written', async () => {
    await site.target.accept(from(site), { order: orderOf({ work: shell('sleep 60') }).bytes });
    const plan = planOf(Array.from({ length: 30 }, () => exec('/bin/echo', LARGE, LARGE)));
    const taken = await Promise.allSettled(plan.orders.map((order) => site.target.accept(from(site), { order })));
    expect(taken.filter(({ status }) => status === 'rejected')).not.toHaveLength(0);
    const object = await site.store.get(executionRef(TARGET, plan.id));
    expect(JSON.stringify(object).length).toBeLessThan(5 * 1024 * 1024);
    // What was not taken is not known, and never started.
    const { rows } = await journalBytes();
    expect(rows - 1).toBe(taken.filter(({ status }) => status === 'fulfilled').length);
  });

  it('does not fill the memory with what waits, also not for later', async () => {
    await site.target.accept(from(site), { order: orderOf({ work: shell('sleep 60') }).bytes });
    const later = { notBefore: Date.now() + DAY_MS / 2, notAfter: Date.now() + DAY_MS };
    const outcomes: (string | undefined)[] = [];
    for (let at = 0; at < 160; at += 1) {
      const order = orderOf({ work: exec('/bin/echo', LARGE, LARGE), ...(at % 2 === 0 ? { header: later } : {}) });
      outcomes.push((await site.target.accept(from(site), { order: order.bytes })).part().code);
    }
    expect(outcomes).toContain('TOO_MANY_REQUESTS');
    expect(site.target.counts().known).toBeLessThan(150);
  });

  it('keeps nothing of the frame that an order came in', async () => {
    const order = orderOf({ work: exec('/bin/true') });
    const frame = new Uint8Array(1024 * 1024);
    frame.set(order.bytes);
    const part = await site.target.accept(from(site), { order: frame.subarray(0, order.bytes.length) });
    if (!(part instanceof LivePart)) throw new Error('it is not in memory');
    const { bytes, header } = part.checked;
    for (const kept of [part.order, bytes, header.root, header.nonce]) expect(kept.buffer.byteLength).toBe(order.bytes.length);
  });

  it('that ends as refused after it waited is told by its object as well', async () => {
    const gate = orderOf({ work: shell('sleep 60') });
    const next = orderOf({ work: shell('echo on') });
    await site.target.accept(from(site), { order: gate.bytes });
    const part = await site.target.accept(from(site), { order: next.bytes });
    expect(part.part()).toMatchObject({ state: 'accepted' });
    await site.target.abort(operator, gate.id);
    allowed = false;
    expect(await part.ended).toMatchObject({ outcome: 'refused', code: 'FORBIDDEN' });
    const object = await site.store.get(executionRef(TARGET, next.id));
    expect(object?.['status']).toMatchObject({ phase: 'Finished', parts: [{ state: 'ended', outcome: 'refused' }] });
  });

  it('is shown as of whom this node knows, whatever the order says', async () => {
    const order = orderOf({ work: shell('true'), header: { user: 'operator@web1', starter: 'web1' } });
    await (await site.target.accept(from(site), { order: order.bytes })).ended;
    const object = await site.store.get(executionRef(TARGET, order.id));
    expect(object?.['spec']).toMatchObject({ user: 'ops@desk', starter: STARTER });
  });

  it('is known until a day after nobody may start it any more', async () => {
    const notAfter = Date.now() + 60_000;
    const order = orderOf({ work: shell('true'), header: { notAfter } });
    await (await site.target.accept(from(site), { order: order.bytes })).ended;
    const known: [string, number][] = [];
    for await (const { id, until } of site.target.ended(SITE)) known.push([id, until]);
    expect(known).toEqual([[order.id, notAfter + DAY_MS]]);
  });

  it('is not started again when the clock went ahead, all was forgotten, and it came back', async () => {
    const log = join(site.directory, 'log');
    const order = orderOf({ work: shell(`echo x >>${log}`) });
    expect(await (await site.target.accept(from(site), { order: order.bytes })).ended).toMatchObject({ outcome: 'succeeded' });
    now = () => Date.now() + 400 * DAY_MS;
    await site.crash();
    await expect.poll(() => journalBytes().then(({ rows }) => rows)).toBe(0);
    now = Date.now;
    expect((await site.target.accept(from(site), { order: order.bytes })).part()).toMatchObject({ outcome: 'unknown', code: 'CONFLICT' });
    await site.crash();
    expect((await site.target.accept(from(site), { order: order.bytes })).part()).toMatchObject({ outcome: 'unknown' });
    expect(await readFile(log, 'utf8')).toBe('x\n');
    // What is ordered since is not touched by that.
    const fresh = orderOf({ work: shell(`echo y >>${log}`), header: { createdAt: Date.now() + 1_000, notAfter: Date.now() + 60_000 } });
    expect(await (await site.target.accept(from(site), { order: fresh.bytes })).ended).toMatchObject({ outcome: 'succeeded' });
  });
});
