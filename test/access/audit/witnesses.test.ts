import { describe, expect, it } from 'vitest';
import { contradiction, leastMissed } from '../../../daemon/src/access/audit/thinning.ts';
import { Witnesses, type WitnessMember } from '../../../daemon/src/access/audit/witnesses.ts';
import { createAuditWitnessing } from '../../../daemon/src/access/audit/witnessing.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { signAuditHead } from '../../../protocol/audit/heads.ts';
import {
  decodeWitnessed,
  encodeWitnessed,
  encodeWitnessRequest,
  MAX_WITNESS_FRAME_BYTES,
  MAX_WITNESSED_HEADS,
} from '../../../protocol/audit/witness.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseDomainId } from '../../../protocol/ids.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { DTKD_GROUP } from '../../../protocol/kinds/model.ts';
import type { AuditHead } from '../../../protocol/kinds/node.ts';
import { AUTHOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import { Disk } from '../../mesh/log/node.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { waitFor } from '../../wait.ts';
import { MemoryDisk } from './memory-disk.ts';
import { useAuditLogs } from './memory-log.ts';

const KEY = generateSigningKey();
const AUTHOR = generateSigningKey().publicKey;
const STRANGER = generateSigningKey().publicKey;
const MEMBER: WitnessMember = { domain: parseDomainId('d'.repeat(64)), key: AUTHOR, name: 'node1' };

function head(seq: number, hash = String(seq % 10).repeat(64), key = KEY): AuditHead {
  return signAuditHead(key, { seq, hash, time: '2026-01-01T00:00:00.000Z' });
}

async function witness(options: { now?: () => number; members?: WitnessMember[]; ask?: () => Promise<Uint8Array> } = {}) {
  const { now = Date.now, members = [MEMBER], ask = () => Promise.reject(new DtkdError('PEER_AWAY', 'node1 is away')) } = options;
  const disk = new Disk();
  const store = await openObjectStore({ kv: disk, node: 'node0' });
  const witnesses = new Witnesses({ store, kv: store.kv, members: () => members, ask, now, logger: silentLogger });
  await witnesses.start();
  const show = (audit: AuditHead, author: string = AUTHOR) =>
    store.transact((tx) =>
      tx.put(
        {
          apiVersion: `${DTKD_GROUP}/v1`,
          kind: 'Node',
          metadata: {
            name: 'node1',
            uid: 'u',
            resourceVersion: String(audit.seq),
            generation: 1,
            creationTimestamp: '2026-01-01T00:00:00Z',
            annotations: { [AUTHOR_ANNOTATION]: author },
          },
          status: { audit },
        },
        { origin: 'replica' },
      ),
    );
  const seen = async () => decodeWitnessed(await witnesses.answer(AUTHOR, encodeWitnessRequest()));
  return { disk, store, witnesses, show, seen };
}

describe('a witness', () => {
  it("keeps the heads that a member's Node shows, once, and tells them to that member alone", async () => {
    const { witnesses, show, seen } = await witness();
    await show(head(5));
    await show(head(9));
    await show(head(9));
    await waitFor(async () => (await seen()).length === 2, { what: 'both heads' });
    expect((await seen()).map((each) => each.head)).toEqual([head(5), head(9)]);
    expect(decodeWitnessed(await witnesses.answer(STRANGER, encodeWitnessRequest()))).toEqual([]);
    expect(witnesses.conditions()).toEqual([]);
    await expect(witnesses.answer(AUTHOR, Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'FRAME_INVALID' });
  });

  it('takes no head that is not signed', async () => {
    const { witnesses, show, seen } = await witness();
    await show({ ...head(5), seq: 6 });
    await show({ ...head(7), signature: 'garbage' });
    await show(head(8));
    await waitFor(async () => (await seen()).length > 0, { what: 'a head' });
    await witnesses.stop();
    expect((await seen()).map((each) => each.head.seq)).toEqual([8]);
  });

  it.each([
    ['another line in the same place', [head(5), head(6), head(6, 'f'.repeat(64))], 'two different lines 6'],
    ['a place before', [head(5), head(9), head(7)], 'gone back from line 9 to line 7'],
    ['another key', [head(5), head(6, undefined, generateSigningKey())], 'another key'],
  ])('says when a member shows %s', async (_what, heads, expected) => {
    const { witnesses, show } = await witness();
    for (const each of heads) await show(each);
    await waitFor(() => witnesses.conditions().length > 0, { what: 'the condition' });
    expect(witnesses.conditions()[0]).toContain(expected);
  });

  it('still says so after a restart, and forgets those who are members no more', async () => {
    const { store, show, seen } = await witness();
    await show(head(9));
    await show(head(7));
    await waitFor(async () => (await seen()).length === 2, { what: 'both heads' });
    const ports = { store, kv: store.kv, ask: () => Promise.reject(new Error()), now: Date.now, logger: silentLogger };
    const again = new Witnesses({ ...ports, members: () => [MEMBER] });
    await again.start();
    expect(again.conditions()[0]).toContain('gone back');
    await again.stop();
    await store.transact((tx) => tx.delete({ group: DTKD_GROUP, plural: 'nodes', namespace: '', name: 'node1' }));
    await new Witnesses({ ...ports, members: () => [] }).start();
    expect(await seen()).toEqual([]);
  });

  it('keeps what a suspended member has shown over a restart, and asks it nothing', async () => {
    const { store, show, seen, witnesses } = await witness();
    await show(head(5));
    await show(head(9));
    await waitFor(async () => (await seen()).length === 2, { what: 'both heads' });
    await witnesses.stop();
    const peers = [{ key: AUTHOR, displayName: 'node1', self: false, suspended: true }];
    let asked = 0;
    const again = createAuditWitnessing({
      audit: { record() {}, head: async () => undefined, counters: () => ({}) },
      store,
      domains: () => [{ id: MEMBER.domain, peers }],
      requests: {
        ask: async () => {
          asked += 1;
          return encodeWitnessed([]);
        },
        serve: () => {},
      },
      publish: async () => {},
      now: Date.now,
      logger: silentLogger,
    });
    await again.start();
    expect((await seen()).map((each) => each.head)).toEqual([head(5), head(9)]);
    expect([await again.gather(), asked]).toEqual([{ witnesses: [], testimonies: [] }, 0]);
    await again.stop();
  });

  it('is asked, and what it says is judged', async () => {
    const told = encodeWitnessed([
      { head: head(5), seen: 1 },
      { head: { ...head(6), seq: 7 }, seen: 2 },
    ]);
    const { witnesses } = await witness({ ask: async () => told });
    expect(await witnesses.gather()).toEqual({ witnesses: [{ by: 'node1', head: head(5) }], testimonies: [{ node: 'node1', heads: 1 }] });
    const { witnesses: alone } = await witness();
    expect(await alone.gather()).toEqual({ witnesses: [], testimonies: [{ node: 'node1', reason: 'node1 is away' }] });
    const { witnesses: deceived } = await witness({ ask: async () => Uint8Array.of(0xff) });
    expect((await deceived.gather()).testimonies[0]?.reason).toContain('witnessed heads');
  });
});

describe('a node that is alone', () => {
  const open = useAuditLogs();

  it.each([
    ['was cut off', true],
    ['was taken away', false],
  ])('finds that its log %s while no daemon ran, also when the log has grown since', async (_what, keep) => {
    const disk = new MemoryDisk();
    const kv = memoryKv();
    const store = await openObjectStore({ kv, node: 'node0' });
    const run = async () => {
      const audit = await open(disk, kv);
      const requests = { ask: () => Promise.reject(new Error()), serve: () => {} };
      const witnessing = createAuditWitnessing({
        audit,
        store,
        domains: () => [],
        requests,
        publish: async () => {},
        now: Date.now,
        logger: silentLogger,
      });
      await witnessing.start();
      const write = async (count: number) => {
        for (let line = 0; line < count; line += 1)
          audit.record({ who: 'operator', verb: 'create', what: `w${line}`, outcome: 'allowed', because: 'x' });
        await audit.head();
      };
      const verify = async () => audit.verify((await witnessing.gather()).witnesses);
      const stop = async () => {
        await witnessing.stop();
        await audit.close();
      };
      return { write, verify, stop };
    };
    const first = await run();
    await first.write(10);
    const before = disk.copy();
    await first.write(10);
    await first.stop();
    const again = await run();
    expect(await again.verify()).toMatchObject({ ok: true, confirmed: 0 });
    await again.stop();
    disk.files.clear();
    if (keep) for (const [name, bytes] of before.files) disk.files.set(name, bytes);
    const after = await run();
    expect((await after.verify()).problems[0]?.what).toContain("this node's database has seen");
    await after.write(100);
    await after.stop();
    const later = await (await run()).verify();
    expect(later.ok).toBe(false);
    expect(later.problems[0]?.what).toContain('the past was rewritten');
  });
});

describe('what is kept', () => {
  it('is bounded, and old evidence cannot be pushed out by a flood', () => {
    const hour = 3_600_000;
    let heads = Array.from({ length: 200 }, (_, index) => ({ head: head(index), seen: index * hour }));
    const evidence = heads.filter((_, index) => index % 20 === 0);
    let now = 200 * hour;
    for (let seq = 1_000; seq < 4_000; seq += 1) {
      now += 10;
      heads.push({ head: { ...head(1), seq }, seen: now });
      const least = heads.length > MAX_WITNESSED_HEADS ? leastMissed(heads, now) : undefined;
      heads = heads.filter((each) => each !== least);
    }
    expect(heads.length).toBe(MAX_WITNESSED_HEADS);
    for (const each of evidence) expect(heads).toContain(each);
    expect(contradiction(heads)).toBeUndefined();
  });

  it('fits into a frame', () => {
    const heads = Array.from({ length: MAX_WITNESSED_HEADS }, () => ({ head: head(Number.MAX_SAFE_INTEGER), seen: 2 ** 48 - 1 }));
    expect(encodeWitnessed(heads).length).toBeLessThan(MAX_WITNESS_FRAME_BYTES);
    expect(decodeWitnessed(encodeWitnessed(heads))).toHaveLength(MAX_WITNESSED_HEADS);
  });
});
