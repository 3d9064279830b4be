/** Parcels between whole sites in one process, whose networks are cut: real facts, logs and stores; orders and modules are stood in for. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createAccess } from '../../daemon/src/access/access.ts';
import { createParcels } from '../../daemon/src/parcels/parcels.ts';
import type { CarriedModule, ImportReport, Parcels, ParcelsOptions } from '../../daemon/src/parcels/parcels.types.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { generateSigningKey } from '../../protocol/keys/signing.ts';
import type { FrameOf, ParcelFrame } from '../../protocol/parcel/parcel.ts';
import { readParcel } from '../../protocol/parcel/reader.ts';
import { ParcelWriter } from '../../protocol/parcel/writer.ts';
import type { Principal } from '../../protocol/rights/principal.ts';
import { type Site, Sites } from '../mesh/sites.ts';
import { silentLogger } from '../silent-logger.ts';
import { waitFor } from '../wait.ts';

const sites = new Sites();
let directory = '';
const OPERATOR: Principal = { type: 'operator', name: 'operator' };
const ADMIN: Principal = { type: 'user', home: 'self', name: 'ada', uid: 'a', display: 'ada@a' };
const USER: Principal = { type: 'user', home: 'self', name: 'eve', uid: 'u', display: 'eve@a' };
const never = new AbortController().signal;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-parcels-'));
});
afterEach(async () => {
  await sites.stop();
  await rm(directory, { recursive: true, force: true });
});

async function parcelsOf({ mesh, store, name }: Site, more: Partial<ParcelsOptions> = {}): Promise<Parcels> {
  const parcels = createParcels({
    domain: (of) => mesh.carrying(of),
    domains: () => mesh.domains().map((domain) => domain.name),
    removedFrom: () => [],
    orders: {
      async *orders() {},
      async *answers() {},
      takeOrder: async () => 'known',
      takeAnswer: async () => 'known',
    },
    modules: { list: async () => [], waiting: () => new Set(), has: async () => false, keep: async () => undefined },
    assertMayManage: async (principal) => {
      if (principal.type !== 'operator' && principal.name !== ADMIN.name) throw new DtkdError('FORBIDDEN', 'no');
    },
    mayRead: async (principal) => principal.type === 'operator',
    rows: store.kv,
    directory: join(directory, name),
    program: 'test',
    logger: silentLogger,
    now: () => Date.now(),
    ...more,
  });
  await parcels.start();
  return parcels;
}

async function exported(from: Parcels, request: object = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await from.export(OPERATOR, request, never)).bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* stream(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

function imported(into: Parcels, bytes: Uint8Array, dryRun = false): Promise<ImportReport> {
  return into.import(OPERATOR, stream(bytes), { dryRun, signal: never });
}

async function framesOf(bytes: Uint8Array): Promise<ParcelFrame[]> {
  const frames: ParcelFrame[] = [];
  for await (const { frame } of readParcel(stream(bytes))) frames.push(frame);
  return frames;
}

/** The same parcel with other frames, sealed by a site or by anybody. */
async function remade(
  bytes: Uint8Array,
  change: (frame: ParcelFrame) => ParcelFrame[],
  seal: (bytes: Uint8Array) => Uint8Array,
): Promise<Buffer> {
  const writer = new ParcelWriter();
  const chunks: Uint8Array[] = [];
  for (const frame of (await framesOf(bytes)).flatMap(change)) {
    if (frame.type === 'head') chunks.push(writer.begin(frame));
    else if (frame.type === 'end') chunks.push(writer.end((_domain, message) => seal(message)));
    else if (frame.type !== 'sum') chunks.push(writer.frame(frame));
  }
  return Buffer.concat(chunks);
}

const carrying = (site: Site) => {
  const domain = site.mesh.carrying('d');
  if (domain === undefined) throw new Error(`${site.name} is not in d`);
  return domain;
};

/** Three sites of a domain that have lost each other. */
async function apart(): Promise<{ a: Site; b: Site; c: Site; from: Parcels[] }> {
  const together = await sites.domain('a', 'b', 'c');
  await together[0]?.expose('one');
  await waitFor(async () => (await Promise.all(together.map((site) => site.apps()))).every((apps) => apps.length === 1), {
    what: 'the app everywhere',
  });
  const keys = together.map((site) => site.view().self);
  const restarted: Site[] = [];
  for (const site of together) restarted.push(await sites.restart(site, { cut: keys }));
  const [a, b, c] = restarted as [Site, Site, Site];
  return { a, b, c, from: await Promise.all([a, b, c].map((site) => parcelsOf(site))) };
}

describe('parcels', () => {
  test('bring sites that never connect to the same objects, by way of one that only carries', async () => {
    const { a, b, c, from } = await apart();
    const [ofA, ofB, ofC] = from as [Parcels, Parcels, Parcels];
    await a.expose('two');
    await a.withdraw('one');
    await c.expose('three');
    const first = await exported(ofA);
    expect(await imported(ofB, first, true)).toMatchObject({ dryRun: true, domains: [{ entries: { new: 2 }, gaps: [] }] });
    expect(await b.apps()).toEqual(['a/one']);
    expect(await imported(ofB, first)).toMatchObject({
      domains: [{ name: 'd', makerName: 'a', entries: { new: 2 } }],
      refused: { count: 0 },
    });
    const second = await exported(ofB);
    expect(await imported(ofC, second)).toMatchObject({ domains: [{ makerName: 'b', entries: { new: 2 } }] });
    expect(await imported(ofC, first)).toMatchObject({ domains: [{ entries: { new: 0 } }] });
    await imported(ofA, await exported(ofC));
    await imported(ofB, await exported(ofC));
    for (const site of [a, b, c]) expect(await site.apps()).toEqual(['a/two', 'c/three']);
    expect(await readdir(join(directory, 'b'))).toEqual([]);
  });

  test('end what a user had passed on here whom its home has deleted', async () => {
    const { a, b, from } = await apart();
    const [ofA, ofB] = from as [Parcels, Parcels];
    const { mesh, store } = b;
    const audit = { record: () => undefined };
    const operator = { authenticate: () => undefined };
    const access = createAccess({ store, node: b, mesh, operator, audit, now: () => Date.now(), logger: silentLogger });
    const put = (site: Site, kind: string, name: string, fields: object = {}) => {
      const metadata = { name, namespace: site.name, uid: `uid-${name}`, resourceVersion: '', generation: 1, creationTimestamp: '' };
      return site.store.transact((tx) => tx.put({ apiVersion: 'dtkd.dev/v1', kind, metadata, ...fields }));
    };
    for (const name of ['ann', 'eve']) await put(a, 'User', name);
    await imported(ofB, await exported(ofA));
    await access.start();
    const home = a.view().self;
    const user = (name: string) => ({ home, name, uid: `uid-${name}` });
    const given = (to: string) => ({
      spec: { to: `${to}@a`, verbs: ['READ', 'MANAGE'], on: { kind: 'models.dtkd.dev' } },
      subject: { ...user(to), kind: 'User' },
    });
    await put(b, 'Capability', 'c-1', given('ann'));
    await put(b, 'Capability', 'c-2', { ...given('eve'), grantor: user('ann'), parent: { name: 'c-1', uid: 'uid-c-1' } });
    const eve = access.remoteUser({ peerKey: home, namespace: 'a' }, user('eve'));
    const mayRead = () => access.decide(eve, { verb: 'READ', group: 'dtkd.dev', plural: 'models', name: 'web' }).allowed;
    expect(mayRead()).toBe(true);
    await a.store.transact((tx) => tx.delete({ group: 'dtkd.dev', plural: 'users', namespace: 'a', name: 'ann' }));
    await imported(ofB, await exported(ofA));
    expect(mayRead()).toBe(false);
    await access.stop();
  });

  test('leave out what is in another one, and say what is missing where that was never taken in', async () => {
    const { a, from } = await apart();
    const [ofA, ofB, ofC] = from as [Parcels, Parcels, Parcels];
    await a.expose('two');
    const first = await exported(ofA);
    const [, , domain] = (await framesOf(first)) as [ParcelFrame, ParcelFrame, FrameOf<'domain'>];
    await a.expose('three');
    const since = { heads: { [domain.domain]: domain.heads }, modules: [] };
    const second = await exported(ofA, { since });
    const entries = (await framesOf(second)).flatMap((frame) => (frame.type === 'entries' ? frame.entries : []));
    expect(entries).toHaveLength(1);
    expect((await framesOf(second))[2]).toMatchObject({ type: 'domain', partial: true });
    expect(await imported(ofB, second)).toMatchObject({ domains: [{ entries: { new: 0 }, gaps: [a.view().self] }] });
    await imported(ofB, first);
    expect(await imported(ofB, second)).toMatchObject({ domains: [{ entries: { new: 1 }, gaps: [] }] });

    // by time: as far as this node had the logs at its last parcel by then
    const now = Date.now();
    const third = await exported(ofA, { since: { time: now } });
    expect((await framesOf(third)).some(({ type }) => type === 'entries')).toBe(false);
    await expect(exported(ofC, { since: { time: now } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('of a time leave out what the other side had by then, and not what this one had', async () => {
    const { a, b, from } = await apart();
    const [ofA, ofB] = from as [Parcels, Parcels];
    await a.expose('two');
    await b.expose('theirs');
    await imported(ofA, await exported(ofB));
    await a.expose('three');
    const back = await exported(ofA, { since: { time: Date.now() } });
    expect(await imported(ofB, back)).toMatchObject({ domains: [{ entries: { new: 2, known: 0 }, gaps: [] }] });
    expect(await b.apps()).toEqual(['a/one', 'a/three', 'a/two', 'b/theirs']);
  });

  test('are not read of somebody who may look after no domain', async () => {
    const { from } = await apart();
    let asked = 0;
    const endless = async function* () {
      for (; asked < 1_000; asked += 1) yield new Uint8Array(1_000);
    };
    await expect(from[1]?.import(USER, endless(), { dryRun: true, signal: never })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(asked).toBe(0);
  });

  test('of many small frames cost no more than their bytes', async () => {
    const { a, b, from } = await apart();
    const file = await exported(from[0] as Parcels);
    const empty: ParcelFrame[] = Array.from({ length: 2_000 }, () => ({ type: 'items', items: [new Uint8Array()] }));
    const size = 20_000;
    const module: ParcelFrame = {
      type: 'module',
      statement: Buffer.from('x'),
      signature: new Uint8Array(64),
      digest: 'ab'.repeat(32),
      size,
    };
    const bit: ParcelFrame[] = Array.from({ length: size }, (_, at) => ({ type: 'piece', bytes: Uint8Array.of(at % 251) }));
    const many = await remade(
      file,
      (frame) => {
        if (frame.type === 'head') return [frame, { type: 'section', name: 'modules' }, module, ...bit];
        return frame.type === 'domain' ? [frame, ...empty] : [frame];
      },
      (bytes) => carrying(a).seal(bytes),
    );
    const copied = vi.spyOn(Buffer, 'concat');
    let [turns, atModule] = [0, 0];
    let others: NodeJS.Immediate;
    const spin = () => {
      turns += 1;
      others = setImmediate(spin);
    };
    const modules = {
      list: async () => [],
      waiting: () => new Set<string>(),
      has: async () => {
        atModule = turns;
        spin();
        return false;
      },
      keep: vi.fn(async () => {
        clearImmediate(others);
      }),
    };
    await imported(await parcelsOf(b, { modules }), many);
    expect(turns - atModule, 'others have their turns meanwhile').toBeGreaterThan(size / 2);
    expect(modules.keep).toHaveBeenCalledWith(
      expect.anything(),
      Uint8Array.from({ length: size }, (_, at) => at % 251),
    );
    const most = Math.max(...copied.mock.calls.map(([list]) => list.length));
    copied.mockRestore();
    expect(most).toBeLessThan(1_000);
  });

  test('make a member known where its admission was not heard of', async () => {
    const { a, b, c, from } = await apart();
    const fresh = await sites.start('fresh', { cut: [b.view().self, c.view().self] });
    await fresh.mesh.join('d', a.address(), await a.token());
    await fresh.expose('mine');
    await waitFor(async () => (await a.apps()).includes('fresh/mine'), { what: 'the newcomer at a' });
    const file = await exported(await parcelsOf(fresh));
    expect(carrying(c).items().length).toBeLessThan(carrying(fresh).items().length);
    expect(await imported(from[2] as Parcels, file)).toMatchObject({ domains: [{ makerName: 'fresh' }], refused: { count: 0 } });
    expect(c.peer('fresh')).toMatchObject({ connected: false });
    expect(await c.apps()).toContain('fresh/mine');
  });

  test('of somebody who was removed, or never was a member, are refused without a trace', async () => {
    const { a, b, c, from } = await apart();
    const [ofA, ofB, ofC] = from as [Parcels, Parcels, Parcels];
    await b.expose('late');
    const late = await exported(ofB);
    await a.mesh.removePeer('d', a.peer('b').id);
    await expect(imported(ofA, late)).rejects.toMatchObject({ code: 'NOT_A_MEMBER', message: expect.stringContaining('was removed from') });
    // c learns of the removal by file, and refuses from then on
    await imported(ofC, await exported(ofA));
    await expect(imported(ofC, late)).rejects.toMatchObject({ code: 'NOT_A_MEMBER' });
    const stranger = generateSigningKey();
    const forged = await remade(
      await exported(ofA),
      (frame) => [frame.type === 'domain' ? { ...frame, maker: stranger.publicKey } : frame],
      (bytes) => stranger.sign('parcel', bytes),
    );
    await expect(imported(ofC, forged)).rejects.toMatchObject({
      code: 'NOT_A_MEMBER',
      message: expect.stringContaining('is not a member of'),
    });
    expect(await c.apps()).not.toContain('b/late');
  });

  test('of other domains are refused, or left out', async () => {
    const { a, from } = await apart();
    const alone = await sites.start('alone');
    await alone.mesh.create('elsewhere');
    const other = await exported(await parcelsOf(alone));
    await expect(imported(from[0] as Parcels, other)).rejects.toMatchObject({ code: 'NOT_A_MEMBER' });
    const namesake = await sites.start('namesake');
    await namesake.mesh.create('d');
    await expect(imported(from[0] as Parcels, await exported(await parcelsOf(namesake)))).rejects.toMatchObject({
      code: 'NOT_A_MEMBER',
      message: expect.stringContaining('another domain'),
    });
    await a.mesh.create('second');
    const ofA = await parcelsOf(a);
    await expect(exported(ofA)).rejects.toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining('2 domains') });
    const both = await exported(ofA, { domains: ['d', 'second'] });
    expect(await imported(from[1] as Parcels, both)).toMatchObject({ domains: [{ name: 'd' }], skipped: ['second'] });
  });

  test('bring no order to a node that was put back and has not heard yet what it revoked since', async () => {
    const { a, b, c } = await apart();
    const order = (target: Site, id: string): FrameOf<'order'> => ({
      type: 'order',
      starter: a.view().self,
      target: target.view().self,
      id: id.repeat(64),
      index: 0,
      notAfter: Date.now() + 60_000,
      sealed: new Uint8Array(8),
      signature: new Uint8Array(64),
    });
    const taken: string[] = [];
    const orders: ParcelsOptions['orders'] = {
      async *orders() {
        yield order(b, 'b');
        yield order(c, 'c');
      },
      async *answers() {},
      takeOrder: async (_at, { id }) => {
        taken.push(id.slice(0, 1));
        return 'taken';
      },
      takeAnswer: async () => 'known',
    };
    const file = await exported(await parcelsOf(a, { orders }));
    let awaiting = true;
    const ofB = await parcelsOf(b, { orders, domain: () => ({ ...carrying(b), isAwaiting: () => awaiting }) });
    for (const dryRun of [true, false]) {
      const { domains, refused } = await imported(ofB, file, dryRun);
      expect([domains[0]?.orders.taken, refused.first[0]?.code]).toEqual([1, 'UNAVAILABLE']);
      expect(refused.first[0]?.message).toContain('--alone');
    }
    expect(taken, 'it holds for others what is theirs').toEqual(['c']);
    awaiting = false;
    expect(await imported(ofB, file)).toMatchObject({ refused: { count: 0 } });
    expect(taken).toEqual(['c', 'b', 'c']);
  });

  test('of a member that lies are taken in but for the lies', async () => {
    const { a, b, from } = await apart();
    const [ofA, ofB] = from as [Parcels, Parcels];
    await a.expose('two');
    const lying = await remade(
      await exported(ofA),
      (frame) => {
        if (frame.type !== 'entries') return [frame];
        const spoilt = frame.entries.map((entry) => Uint8Array.from(entry).fill(0, entry.length - 8));
        return [{ type: 'entries', entries: [...spoilt, new Uint8Array(9)] }, frame];
      },
      (bytes) => carrying(a).seal(bytes),
    );
    const report = await imported(ofB, lying);
    expect(report.domains[0]?.entries.new).toBe(1);
    expect(report.refused.count).toBeGreaterThan(1);
    expect(report.refused.first[0]?.code).toMatch(/SIGNATURE_INVALID|ENTRY_INVALID/);
    expect(await b.apps()).toEqual(['a/one', 'a/two']);
  });

  test('that were damaged on their way change nothing, wherever that was', async () => {
    const { a, b, from } = await apart();
    const [ofA, ofB] = from as [Parcels, Parcels];
    await a.expose('two');
    const whole = await exported(ofA);
    const before = [await b.apps(), carrying(b).items().length];
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, change, cutOff) => {
        const damaged = Uint8Array.from(cutOff ? whole.subarray(0, at) : whole);
        if (!cutOff) damaged[at] = (damaged[at] ?? 0) ^ change;
        const code = await imported(ofB, damaged).then(
          () => 'taken',
          (error: unknown) => (error instanceof DtkdError ? error.code : String(error)),
        );
        expect(['PARCEL_INVALID', 'PARCEL_ALTERED', 'VERSION_TOO_OLD']).toContain(code);
      }),
      { numRuns: 60 },
    );
    expect([await b.apps(), carrying(b).items().length]).toEqual(before);
    await imported(ofB, whole);
    expect(await b.apps()).toEqual(['a/one', 'a/two']);
  });

  test('are for those who may look after the domain, one at a time', async () => {
    const { from } = await apart();
    const [ofA, ofB] = from as [Parcels, Parcels];
    await expect(ofA.export(USER, {}, never)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const file = await exported(ofA);
    await expect(ofB.import(USER, stream(file), { dryRun: true, signal: never })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const held = Promise.withResolvers<void>();
    const slow = async function* () {
      yield file.subarray(0, 100);
      await held.promise;
      yield file.subarray(100);
    };
    const first = ofB.import(OPERATOR, slow(), { dryRun: false, signal: never });
    await expect(imported(ofB, file)).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    // others' wait for nobody who sends slowly
    await expect(ofB.import(ADMIN, stream(file), { dryRun: true, signal: never })).resolves.toMatchObject({ dryRun: true });
    held.resolve();
    await first;
    await expect(exported(ofA, { modules: ['acme/none'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(exported(ofA, { domains: ['nope'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(exported(ofA, { orders: 'some' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('are made for several users at a time, and one user leaves room for others', async () => {
    const { from } = await apart();
    const [ofA] = from as [Parcels];
    /** An export whose client has taken the first bytes, and waits with the rest. */
    const begun = async (principal: Principal): Promise<AsyncIterator<Uint8Array>> => {
      const bytes = (await ofA.export(principal, {}, never)).bytes[Symbol.asyncIterator]();
      await bytes.next();
      return bytes;
    };
    const held = [await begun(ADMIN), await begun(ADMIN)];
    await expect(begun(ADMIN)).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    held.push(await begun(OPERATOR));
    await held[0]?.return?.();
    // an export that was never read takes no place
    await ofA.export(ADMIN, {}, never);
    held.push(await begun(ADMIN));
    for (const bytes of held) await bytes.return?.();
    await expect(exported(ofA)).resolves.toBeInstanceOf(Buffer);
  });

  test('carry modules in pieces, those that are asked for and lacking', async () => {
    const { a, b } = await apart();
    const archive = Buffer.alloc(700_000, 'x');
    const module = (name: string, inDomains: string[]): CarriedModule & { inDomains: string[] } => ({
      name,
      version: '1.0.0',
      digest: Buffer.from(name.padEnd(32, '.')).toString('hex'),
      size: archive.length,
      statement: Buffer.from(name),
      signature: new Uint8Array(64),
      bytes: async function* () {
        yield archive.subarray(0, 500_000);
        yield archive.subarray(500_000);
      },
      inDomains,
    });
    const list = [module('acme/web', ['d']), module('acme/db', []), module('acme/job', [])];
    const waiting = () => new Set([list[2]?.digest ?? '']);
    const ofA = await parcelsOf(a, { modules: { list: async () => list, waiting, has: async () => false, keep: async () => undefined } });
    const kept: string[] = [];
    const ofB = await parcelsOf(b, {
      modules: {
        list: async () => [],
        waiting: () => new Set(),
        has: async ({ statement }) => kept.includes(Buffer.from(statement).toString()),
        async keep({ statement }, bytes) {
          if (Buffer.from(statement).toString() === 'acme/db') throw new DtkdError('CONTENT_ALTERED', 'it is not what was signed');
          expect(Buffer.compare(bytes, archive)).toBe(0);
          kept.push(Buffer.from(statement).toString());
        },
      },
    });
    const needed = await exported(ofA);
    expect(await imported(ofB, needed)).toMatchObject({ modules: { taken: 2, known: 0 } });
    expect(kept).toEqual(['acme/web', 'acme/job']);
    const all = await exported(ofA, { modules: 'all' });
    expect(await imported(ofB, all)).toMatchObject({
      modules: { taken: 0, known: 2 },
      refused: { count: 1, first: [{ code: 'CONTENT_ALTERED' }] },
    });
    const noRoom = { has: async () => false, keep: () => Promise.reject(new DtkdError('DISK_FULL', 'no room for more modules')) };
    const full = await parcelsOf(b, { modules: { list: async () => [], waiting: () => new Set(), ...noRoom } });
    await a.expose('two');
    expect(await imported(full, await exported(ofA, { modules: 'all' }))).toMatchObject({
      domains: [{ entries: { new: 1 } }],
      refused: { count: 3, first: [{ code: 'DISK_FULL' }, {}, {}] },
    });
    const without = await exported(ofA, { modules: 'all', since: { heads: {}, modules: list.map(({ digest }) => digest) } });
    expect((await framesOf(without)).some(({ type }) => type === 'module')).toBe(false);
  });
});

test('says that the node was removed, not that it never was in a domain', async () => {
  const parcels = await parcelsOf(await sites.start('a'), { removedFrom: () => ['corp'] });
  for (const request of [{}, { domains: ['corp'] }])
    await expect(exported(parcels, request)).rejects.toMatchObject({
      code: 'REMOVED',
      message: expect.stringContaining('no longer a member of "corp"'),
    });
  await expect(exported(parcels, { domains: ['other'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
