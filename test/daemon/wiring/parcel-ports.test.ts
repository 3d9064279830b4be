import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Asked } from '../../../daemon/src/access/access.types.ts';
import type { CarriedModule } from '../../../daemon/src/parcels/parcels.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { type ParcelParts, parcelsOf } from '../../../daemon/src/wiring/parcel-ports.ts';
import { parseDomainId } from '../../../protocol/ids.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { readParcel } from '../../../protocol/parcel/reader.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';

const EVE: Principal = { type: 'user', home: 'self', name: 'eve', uid: 'u', display: 'eve@desk' };
const OPERATOR: Principal = { type: 'operator', name: 'operator' };
const never = new AbortController().signal;
let directory: string | undefined;
afterEach(async () => {
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

const digestOf = (name: string) => Buffer.from(name.padEnd(32, '.')).toString('hex');
const module = (name: string, inDomains: string[] = []): CarriedModule & { inDomains: string[] } => ({
  name,
  version: '1.0.0',
  digest: digestOf(name),
  size: 0,
  statement: Buffer.from(name),
  signature: new Uint8Array(64),
  async *bytes() {},
  inDomains,
});

test('a user who looks after a domain gets what it is offered or needs, and else the modules that the user may read', async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-parcel-ports-'));
  const store = await openObjectStore({ kv: memoryKv(), node: 'desk' });
  await store.transact(async (tx) => {
    for (const [name, digest] of [
      ['acme.mine-1.0.0', digestOf('acme/mine')],
      ['acme.theirs-1.0.0', digestOf('acme/theirs')],
      ['acme.other-1.0.0', 'ab'.repeat(32)],
    ]) {
      const metadata = { name, namespace: 'desk', uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
      await tx.put({ apiVersion: 'dtkd.dev/v1', kind: 'Module', metadata, spec: { digest } } as unknown as ApiObject);
    }
  });
  const key = generateSigningKey();
  const id = parseDomainId('cd'.repeat(32));
  const domain = {
    ...{ id, name: 'd', self: key.publicKey, selfName: 'desk', items: () => [], heads: async () => [] },
    async *entries() {},
    seal: (bytes: Uint8Array) => key.sign('parcel', bytes),
  };
  const asked: ReadonlySet<string>[] = [];
  const decide = (_principal: Principal, { verb, plural, name }: Asked) =>
    verb === 'MANAGE' || (verb === 'READ' && plural === 'modules' && !name.startsWith('acme.theirs'))
      ? { allowed: true as const, because: 'granted' }
      : { allowed: false as const, reason: 'no' };
  const parcels = parcelsOf({
    mesh: { carrying: () => domain, domains: () => [{ name: 'd', state: 'Ready' }] } as unknown as ParcelParts['mesh'],
    access: { decide },
    store,
    node: { name: 'desk' },
    orders: { async *orders() {}, async *answers() {} } as unknown as ParcelParts['orders'],
    modules: {
      list: async () =>
        ['offered', 'waiting', 'mine', 'theirs', 'other', 'kept'].map((name) => module(`acme/${name}`, name === 'offered' ? ['d'] : [])),
      waiting: (domains) => {
        asked.push(domains);
        return new Set([digestOf('acme/waiting')]);
      },
      has: async () => false,
      keep: async () => undefined,
    },
    directory,
    program: 'test',
    logger: silentLogger,
    now: () => 1_000,
  });
  const carried = async (principal: Principal, modules: string | string[]) => {
    const names: string[] = [];
    const { bytes } = await parcels.export(principal, { modules }, never);
    for await (const { frame } of readParcel(bytes)) if (frame.type === 'module') names.push(Buffer.from(frame.statement).toString());
    return names;
  };
  expect(await carried(EVE, 'all')).toEqual(['acme/offered', 'acme/waiting', 'acme/mine']);
  expect(await carried(EVE, 'needed')).toEqual(['acme/offered', 'acme/waiting']);
  expect(await carried(EVE, ['acme/mine'])).toEqual(['acme/mine']);
  for (const name of ['acme/theirs', 'acme/other', 'acme/kept', digestOf('acme/kept')])
    await expect(carried(EVE, [name])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await carried(OPERATOR, 'all')).toHaveLength(6);
  expect(asked[0]).toEqual(new Set([id]));
});
