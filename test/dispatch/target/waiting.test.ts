/** Orders that were taken and wait: what has changed meanwhile counts when they are about to start. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PartHandle } from '../../../daemon/src/dispatch/target/target.types.ts';
import { hashHex } from '../../../protocol/keys/signing.ts';
import { from, noContent, orderOf, outputOf, ownerKey, policyObject, STARTER, shell, type World, world } from './world.ts';

const CONTENT = Buffer.from('hello\n');

let site: World;
let allowed: boolean;
/** How far the clock of the target was set ahead. */
let ahead: number;
/** What is being fetched comes. */
let come: () => void;
let asked: Promise<void>;

beforeEach(async () => {
  allowed = true;
  ahead = 0;
  const wanted = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  asked = wanted.promise;
  come = arrived.resolve;
  site = await world({
    now: () => Date.now() + ahead,
    decide: () => (allowed ? { allowed: true, because: 'capability c1' } : { allowed: false, reason: 'it has nothing' }),
    policy: { trust: [{ node: 'builder', key: ownerKey.publicKey }], limits: { concurrency: 1 } },
    content: {
      ...noContent,
      fetch: async () => {
        wanted.resolve();
        await arrived.promise;
        const path = join(site.directory, 'fetched');
        await writeFile(path, CONTENT);
        return path;
      },
    },
  });
});
afterEach(() => site.close());

const marker = () => join(site.directory, 'marker');
const marks = async () => readFile(marker(), 'utf8').catch(() => '');
const accept = async (bytes: Uint8Array): Promise<PartHandle> => site.target.accept(from(site), { order: bytes });
const put = () => orderOf({ work: { type: 'put', path: marker(), mode: 0o640, size: CONTENT.length, digest: hashHex(CONTENT) } });
const decisions = () => site.audited.length;

/** What takes rights away, and how what waits is told then. */
const LOSSES: [string, string, () => void][] = [
  [
    'who may not any more',
    'FORBIDDEN',
    () => {
      allowed = false;
    },
  ],
  ['a starter that is no longer a member', 'NOT_A_MEMBER', () => site.network.remove(STARTER)],
];

describe('an order is decided again as it is about to start', () => {
  it.each(LOSSES)('after it waited for a place: %s', async (_what, code, lose) => {
    const gate = join(site.directory, 'gate');
    await accept(orderOf({ work: shell(`until test -e ${gate}; do sleep 0.01; done`) }).bytes);
    const part = await accept(orderOf({ work: shell(`echo x >>${marker()}`) }).bytes);
    expect(part.part()).toMatchObject({ state: 'accepted' });
    lose();
    await writeFile(gate, '');
    expect(await part.ended).toMatchObject({ outcome: 'refused', code });
    expect(await marks()).toBe('');
    expect(site.audited.at(-1)).toMatchObject({ outcome: 'denied' });
  });

  it.each(LOSSES)('after what it needs was fetched: %s', async (_what, code, lose) => {
    const part = await accept(put().bytes);
    await asked;
    lose();
    come();
    expect(await part.ended).toMatchObject({ outcome: 'refused', code });
    expect(await marks()).toBe('');
  });

  it('and by the policy as it is then', async () => {
    const part = await accept(put().bytes);
    await asked;
    await site.store.transact((tx) => tx.put(policyObject({ trust: [], limits: { concurrency: 2 } })));
    come();
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    expect(await marks()).toBe('hello\n');
  });
});

describe('what an order may that waited for a place', () => {
  const policy = (limits: object) => ({ trust: [], limits: { concurrency: 1, ...limits } });

  it('is what the policy says as it starts', async () => {
    await site.store.transact((tx) => tx.put(policyObject(policy({ users: ['daemon'], environment: ['PATH', 'HIDDEN'] }))));
    const gate = join(site.directory, 'gate');
    await accept(orderOf({ work: shell(`until test -e ${gate}; do sleep 0.01; done`) }).bytes);
    const asOther = await accept(orderOf({ work: { type: 'exec', argv: ['/bin/true'], env: {}, user: 'daemon' } }).bytes);
    const seeing = await accept(orderOf({ work: shell('env') }).bytes);
    await site.store.transact((tx) => tx.put(policyObject(policy({ users: [], environment: ['PATH'] }))));
    await writeFile(gate, '');
    expect(await asOther.ended).toMatchObject({ outcome: 'refused', code: 'FORBIDDEN' });
    expect((await outputOf(seeing)).out).not.toContain('HIDDEN');
  });
});

describe('what waits', () => {
  it('starts as soon as more may run at a time', async () => {
    const gate = join(site.directory, 'gate');
    const running = await accept(orderOf({ work: shell(`until test -e ${gate}; do sleep 0.01; done`) }).bytes);
    const part = await accept(orderOf({ work: shell('true') }).bytes);
    expect(part.part()).toMatchObject({ state: 'accepted' });
    await site.store.transact((tx) => tx.put(policyObject({ trust: [], limits: { concurrency: 2 } })));
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    await writeFile(gate, '');
    expect(await running.ended).toMatchObject({ outcome: 'succeeded' });
  });

  it('starts when the clock says so, also if that was set ahead meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const createdAt = Date.now();
      const notBefore = createdAt + 3 * 3_600_000;
      const order = orderOf({ work: shell('true'), header: { createdAt, notBefore, notAfter: notBefore + 60_000 } });
      const part = await accept(order.bytes);
      expect(part.part()).toMatchObject({ state: 'accepted' });
      ahead = notBefore - createdAt;
      await vi.advanceTimersByTimeAsync(60_000);
      vi.useRealTimers();
      expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('an order that did not wait', () => {
  it('is decided once', async () => {
    expect(await (await accept(orderOf({ work: shell('true') }).bytes)).ended).toMatchObject({ outcome: 'succeeded' });
    expect(decisions()).toBe(1);
  });

  it('is decided once more, if something had to be fetched', async () => {
    come();
    expect(await (await accept(put().bytes)).ended).toMatchObject({ outcome: 'succeeded' });
    expect(decisions()).toBe(2);
  });
});
