import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Decide } from '../../../daemon/src/dispatch/dispatch.types.ts';
import { decodeCbor, encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { signingKeyFromSeed } from '../../../protocol/keys/signing.ts';
import { type Order, order as orderSchema } from '../../../protocol/orders/order.ts';
import { keyOf } from '../fake-members.ts';
import {
  bundleOf,
  commandWork,
  exec,
  from,
  orderOf,
  outputOf,
  ownerKey,
  policyObject,
  SERVICE,
  SITE,
  TARGET,
  targetKey,
  type World,
  world,
} from './world.ts';

let site: World;
let allowed: boolean;
const asked: Parameters<Decide>[1][] = [];
const decide: Decide = (_principal, question) => {
  asked.push(question);
  return allowed ? { allowed: true, because: 'capability c1' } : { allowed: false, reason: 'it has nothing' };
};

beforeEach(async () => {
  allowed = true;
  asked.length = 0;
  site = await world({ decide });
});
afterEach(() => site.close());

const SHOW = { Show: { script: { inline: 'echo shown' } } };

async function part(
  given: ReturnType<typeof orderOf>,
  bundle?: Uint8Array,
  user: { name: string; uid: string } | undefined = { name: 'ops', uid: 'u' },
) {
  return (await site.target.accept(from(site, user), { order: given.bytes, bundle })).ended;
}

function changed(bytes: Uint8Array, change: (order: Order) => object): Uint8Array {
  return encodeCbor(change(decodeCbor(bytes, orderSchema, 'an order')));
}

describe('orders that are none', () => {
  const order = orderOf({ work: exec('/bin/true'), count: 5, index: 2 });

  it.each([
    ['another index', changed(order.bytes, (one) => ({ ...one, index: 3 }))],
    ['a shorter proof', changed(order.bytes, (one) => ({ ...one, proof: one.proof.slice(1) }))],
    [
      'another header',
      changed(order.bytes, (one) => ({ ...one, header: decodeCbor(orderOf({ work: exec('/bin/true') }).bytes, orderSchema, 'x').header })),
    ],
    ['the entry of another target', orderOf({ work: exec('/bin/true'), entry: { key: keyOf('other', SITE) } }).bytes],
    ['the entry of another starter', orderOf({ work: exec('/bin/true'), starter: 'other' }).bytes],
    ['another domain', orderOf({ work: exec('/bin/true'), entry: { domain: 'e'.repeat(64) } }).bytes],
    [
      'this node itself as the starter',
      orderOf({ work: exec('/bin/true'), entry: { domain: '', key: targetKey.publicKey, starter: targetKey.publicKey } }).bytes,
    ],
    ['a life of a month', orderOf({ work: exec('/bin/true'), header: { notAfter: Date.now() + 30 * 86_400_000 } }).bytes],
    [
      'an end before its beginning',
      orderOf({ work: exec('/bin/true'), header: { notBefore: Date.now() + 60_000, notAfter: Date.now() } }).bytes,
    ],
    ['a date in the far future', orderOf({ work: exec('/bin/true'), header: { createdAt: Date.now() + 40 * 86_400_000 } }).bytes],
    ['no CBOR', Uint8Array.from([0xff, 0xff])],
    ['too many bytes', new Uint8Array(300_000)],
  ])('are not taken: %s', async (_what, bytes) => {
    await expect(site.target.accept(from(site), { order: bytes })).rejects.toMatchObject({
      code: expect.stringMatching(/^(ORDER|FRAME)_INVALID$/),
    });
    expect(asked).toEqual([]);
  });

  it('never pass for the one that they were, whatever byte is changed', async () => {
    allowed = false;
    await fc.assert(
      fc.asyncProperty(fc.nat(order.bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const bytes = Uint8Array.from(order.bytes);
        bytes[at] = (bytes[at] ?? 0) ^ by;
        const taken = await site.target.accept(from(site), { order: bytes }).catch((error: unknown) => error);
        // A header can say something else, but then it is another execution, of the node that brings it.
        expect(taken).not.toMatchObject({ id: order.id });
        if (taken instanceof Error) expect(taken).toMatchObject({ code: expect.stringMatching(/^(ORDER|FRAME)_INVALID$/) });
      }),
      { numRuns: 200 },
    );
  });
});

describe('orders that are refused', () => {
  it('come from the operator of another node', async () => {
    const order = orderOf({ work: exec('/bin/true') });
    const refused = await (
      await site.target.accept({ ...from(site), user: undefined } as Parameters<typeof site.target.accept>[0], { order: order.bytes })
    ).ended;
    expect(refused).toMatchObject({
      outcome: 'refused',
      code: 'FORBIDDEN',
      reason: expect.stringContaining('the operator of desk has no rights on web1'),
    });
    expect(site.audited).toMatchObject([{ who: 'operator@desk', outcome: 'denied' }]);
  });

  it('come from whom this node grants nothing, and stay refused', async () => {
    allowed = false;
    const order = orderOf({ work: exec('/bin/true') });
    expect(await part(order)).toMatchObject({ outcome: 'refused', code: 'FORBIDDEN', reason: expect.stringContaining('it has nothing') });
    expect(site.audited).toMatchObject([{ outcome: 'denied' }]);
    allowed = true;
    expect(await part(order)).toMatchObject({ outcome: 'refused' });
    await site.crash();
    expect(await part(order)).toMatchObject({ outcome: 'refused' });
    expect(await site.store.get({ group: 'dtkd.dev', plural: 'executions', namespace: TARGET, name: order.id })).toBeUndefined();
  });

  it('ask about the resource as its owner describes it', async () => {
    const { bytes, code } = bundleOf({ commands: SHOW, resource: { labels: { tier: 'front' } } });
    await part(orderOf({ work: commandWork('Show', code) }), bytes);
    expect(asked[0]).toMatchObject({
      verb: 'EXECUTE',
      group: 'dtkd.dev',
      plural: 'resources',
      name: SERVICE.object,
      lineage: ['service'],
      object: {
        kind: 'Resource',
        metadata: { namespace: TARGET, labels: { tier: 'front' } },
        spec: { model: 'shop', type: 'Service', name: 'web' },
      },
    });
  });

  it('are too late', async () => {
    const late = orderOf({ work: exec('/bin/true'), header: { createdAt: Date.now() - 120_000, notAfter: Date.now() - 1_000 } });
    expect(await part(late)).toMatchObject({ outcome: 'refused', code: 'ORDER_EXPIRED' });
  });

  const { bytes: good, code } = bundleOf({ commands: SHOW });
  const stranger = signingKeyFromSeed(Buffer.alloc(32, 7));

  it.each([
    ['no bundle', undefined, commandWork('Show', code), 'CONTENT_MISSING'],
    ['a bundle of another owner', bundleOf({ commands: SHOW, key: stranger }).bytes, commandWork('Show', code), 'SIGNATURE_INVALID'],
    [
      'a bundle of an owner that is not trusted',
      bundleOf({ commands: SHOW, key: stranger }).bytes,
      commandWork('Show', bundleOf({ commands: SHOW, key: stranger }).code, { owner: stranger.publicKey }),
      'UNTRUSTED',
    ],
    ['a bundle that was changed', altered(good), commandWork('Show', code), 'SIGNATURE_INVALID'],
    [
      'a resource that is not deployed here',
      bundleOf({ commands: SHOW, resource: { deployments: [{ node: TARGET }] } }).bytes,
      commandWork('Show', code),
      'NOT_DEPLOYED',
    ],
    [
      'a resource that was made anew',
      bundleOf({ commands: SHOW, resource: { uid: 'other' } }).bytes,
      commandWork('Show', code),
      'CONFLICT',
    ],
    [
      'a resource under another type',
      good,
      commandWork('Show', code, { resource: { ...commandWork('Show', code).resource, type: 'Harmless' } }),
      'ORDER_INVALID',
    ],
    [
      'code that has changed since',
      bundleOf({ commands: { Show: { script: { inline: 'echo other' } } } }).bytes,
      commandWork('Show', code),
      'CODE_CHANGED',
    ],
    ['code that was not planned', good, commandWork('Show', {}), 'CODE_CHANGED'],
    ['a command that is not there', good, commandWork('Stop', code), 'NOT_FOUND'],
    ['options that the command does not have', good, commandWork('Show', code, { options: { loud: true } }), 'INVALID'],
  ])('bring %s', async (_what, bundle, work, expected) => {
    const refused = await part(orderOf({ work }), bundle);
    expect(refused).toMatchObject({ outcome: 'refused', code: expected });
    expect(refused.startedAt).toBeUndefined();
  });

  it('bring code that is not what is pinned', async () => {
    expect(await part(orderOf({ work: commandWork('Show', code) }), good)).toMatchObject({ outcome: 'succeeded' });
    const pinned = await site.store.get({ group: 'dtkd.dev', plural: 'policies', namespace: TARGET, name: 'node' });
    expect(pinned?.['spec']).toMatchObject({
      pins: { 'type/Service@builder': { digest: code['type/Service'], publisher: ownerKey.publicKey } },
    });
    const next = bundleOf({ commands: { Show: { script: { inline: 'echo newer' } } }, revision: 2 });
    const order = orderOf({ work: commandWork('Show', next.code) });
    expect(await part(order, next.bytes)).toMatchObject({
      outcome: 'refused',
      code: 'CODE_CHANGED',
      reason: expect.stringContaining('dtkd policy pin type/Service'),
    });
    await site.store.transact((tx) =>
      tx.put(
        policyObject({
          trust: [{ node: 'builder', key: ownerKey.publicKey, follow: true }],
          pins: { 'type/Service@builder': { digest: code['type/Service'] ?? '', publisher: ownerKey.publicKey } },
        }),
      ),
    );
    const followed = await site.target.accept(from(site), {
      order: orderOf({ work: commandWork('Show', next.code) }).bytes,
      bundle: next.bytes,
    });
    expect((await outputOf(followed)).out).toBe('newer\n');
  });

  it('bring an older bundle than is installed: the newer one counts', async () => {
    const newer = bundleOf({ commands: SHOW, resource: { properties: { port: 2 }, deployments: [] }, revision: 5 });
    expect(await part(orderOf({ work: commandWork('Show', newer.code) }), newer.bytes)).toMatchObject({ code: 'NOT_DEPLOYED' });
    const moved = bundleOf({ commands: SHOW, resource: { properties: { port: 2 } }, revision: 5 });
    expect(await part(orderOf({ work: commandWork('Show', moved.code) }), moved.bytes)).toMatchObject({ outcome: 'succeeded' });
    const older = bundleOf({ commands: { Show: { script: { inline: 'echo old' } } }, revision: 4 });
    expect(await part(orderOf({ work: commandWork('Show', older.code) }), older.bytes)).toMatchObject({
      outcome: 'refused',
      code: 'CODE_CHANGED',
    });
  });
});

describe('orders that are not carried out', () => {
  it('skip a node in maintenance, but not those of its own operator', async () => {
    site.node.spec = { maintenance: { reason: 'new disks' } };
    expect(await part(orderOf({ work: exec('/bin/true') }))).toMatchObject({
      outcome: 'skipped',
      code: 'MAINTENANCE',
      reason: 'web1 is in maintenance: new disks',
    });
    const own = orderOf({ work: exec('/bin/true'), entry: { domain: '', key: targetKey.publicKey, starter: targetKey.publicKey } });
    const mine = await site.target.accept({ type: 'self', principal: { type: 'operator', name: 'operator' } }, { order: own.bytes });
    expect(await mine.ended).toMatchObject({ outcome: 'succeeded' });
    expect(await site.store.get({ group: 'dtkd.dev', plural: 'executions', namespace: TARGET, name: own.id })).toBeUndefined();
  });

  it('are unknown if this node may have forgotten them', async () => {
    const before = orderOf({ work: exec('/bin/true') });
    site.members.restored = Date.now() + 1_000;
    expect(await part(before)).toMatchObject({ outcome: 'unknown' });
    site.members.restored = Date.now() - 60_000;
    expect(await part(orderOf({ work: exec('/bin/true') }))).toMatchObject({ outcome: 'succeeded' });
  });

  it('are refused where a user is named as whom nothing may run, also by a step that may never come', async () => {
    const refused = { outcome: 'refused', code: 'FORBIDDEN', reason: expect.stringContaining('policy set users=daemon') };
    expect(await part(orderOf({ work: { type: 'exec', argv: ['/bin/true'], env: {}, user: 'daemon' } }))).toMatchObject(refused);
    const steps = [{ command: 'Look', 'on-failure': [{ command: 'Mend' }] }];
    const { bytes, code } = bundleOf({
      commands: {
        Go: { workflow: { steps } },
        Look: { script: { inline: 'echo on' } },
        Mend: { script: { inline: 'id', user: 'daemon' } },
      },
    });
    expect(await part(orderOf({ work: commandWork('Go', code) }), bytes)).toMatchObject(refused);
  });

  it('fail where what they name is not there', async () => {
    expect(await part(orderOf({ work: exec('/nowhere/program') }))).toMatchObject({ outcome: 'failed', code: 'INVALID' });
  });
});

function altered(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = Buffer.from(copy).indexOf('uid-web');
  copy[at] = 0x76;
  return copy;
}
