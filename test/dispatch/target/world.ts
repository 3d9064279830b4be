/** A target with a store in memory and everything around it small, and orders for it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Content, Decide, Member, Modules } from '../../../daemon/src/dispatch/dispatch.types.ts';
import { createPolicy } from '../../../daemon/src/dispatch/policy/policy.ts';
import { createRunner } from '../../../daemon/src/dispatch/runner/runner.ts';
import type { Runner } from '../../../daemon/src/dispatch/runner/runner.types.ts';
import { createSpools } from '../../../daemon/src/dispatch/runner/spools.ts';
import { createTarget } from '../../../daemon/src/dispatch/target/target.ts';
import type { OrderSource, PartHandle, Target, TargetOptions } from '../../../daemon/src/dispatch/target/target.types.ts';
import type { Logger } from '../../../daemon/src/logging/logger.types.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { inlineCode } from '../../../protocol/definitions/code.ts';
import { type Commands, commands as commandsSchema } from '../../../protocol/definitions/commands.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { type SigningKey, signingKeyFromSeed } from '../../../protocol/keys/signing.ts';
import type { PolicySpec } from '../../../protocol/kinds/policy.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { Bundle, BundledResource } from '../../../protocol/orders/bundle.ts';
import type { CommandWork, PlanEntry, PlanHeader, Work } from '../../../protocol/orders/order.ts';
import { encodeEntry, encodeHeader, executionIdOf, merkleProofs, merkleRoot } from '../../../protocol/orders/plan-tree.ts';
import { signBundle } from '../../../protocol/orders/signed-bundle.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { domainId, type FakeMembers, FakeNetwork, keyOf } from '../fake-members.ts';

export const TARGET = 'web1';
export const STARTER = 'desk';
export const SITE = domainId('site');
export const USER = { name: 'ops', uid: 'uid-ops' };

export const targetKey = signingKeyFromSeed(Buffer.alloc(32, 1));
export const ownerKey = signingKeyFromSeed(Buffer.alloc(32, 2));

export interface WorldOptions {
  /** In place of one that may everything. */
  decide?: Decide;
  runner?: (directory: string) => Runner;
  policy?: PolicySpec;
  modules?: Modules;
  content?: Content;
  /** May be changed while it runs. */
  secrets?: Readonly<Record<string, string>>;
  /** False: what was sealed cannot be opened any more. Default: it can. */
  unsealable?(): boolean;
  logger?: Logger;
  now?: () => number;
}

export interface World {
  network: FakeNetwork;
  members: FakeMembers;
  directory: string;
  store: LocalStore;
  target: Target;
  audited: { who: string; outcome: string; because: string }[];
  /** Set to put the node into maintenance. */
  node: { spec?: object };
  /** A daemon that ends without a word, and the next one on the same data. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

export async function world(options: WorldOptions = {}): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'dtkd-target-'));
  const network = new FakeNetwork();
  const members = network.node(TARGET);
  network.node(STARTER);
  const kv = unclosed(memoryKv());
  const audited: World['audited'] = [];
  const node: World['node'] = {};
  const open = async () => {
    const store = await openObjectStore({ kv, node: TARGET });
    const policy = createPolicy({ store, node: { name: TARGET }, signingKeyOf: async () => undefined });
    const runner = options.runner?.(directory) ?? createRunner({ directory: join(directory, 'dispatch', 'runner'), logger: silentLogger });
    const target = createTarget({
      store,
      node: { name: TARGET, signingKey: targetKey.publicKey },
      directory,
      members,
      access: {
        decide: options.decide ?? (() => ({ allowed: true, because: 'capability c1' })),
        remoteUser: ({ peerKey, namespace }, user) => ({ type: 'user', home: peerKey, display: `${user.name}@${namespace}`, ...user }),
      },
      audit: { record: (line) => void audited.push(line) },
      policy,
      modules: options.modules ?? noModules,
      content: options.content ?? noContent,
      runner,
      spools: createSpools(),
      secrets: {
        get: async (name) => (options.secrets?.[name] === undefined ? undefined : Buffer.from(options.secrets[name])),
        seal: async (about, bytes) => Buffer.from(JSON.stringify([about, Buffer.from(bytes).toString('hex')])),
        unseal: async (about, sealed) => {
          const [of, text] = z.tuple([z.string(), z.string()]).parse(JSON.parse(String(sealed)));
          if (of !== about || options.unsealable?.() === false) throw new Error('it cannot be opened');
          return Buffer.from(text, 'hex');
        },
      },
      nodeObject: async () => nodeObject(node.spec),
      environment: { PATH: '/usr/bin:/bin', HOME: '/', HIDDEN: 'no' },
      logger: options.logger ?? silentLogger,
      now: options.now ?? Date.now,
    } satisfies TargetOptions);
    return { store, policy, runner, target };
  };
  let now = await open();
  const given = options.policy ?? { trust: [{ node: 'builder', key: ownerKey.publicKey }] };
  await now.store.transact((tx) => tx.put(policyObject(given)));
  await now.target.start();
  const leave = async () => {
    await now.target.stop();
    now.policy.stop();
    await now.store.close();
  };
  return {
    network,
    members,
    directory,
    audited,
    node,
    get store() {
      return now.store;
    },
    get target() {
      return now.target;
    },
    async crash() {
      await leave();
      now = await open();
      await now.target.start();
    },
    async close() {
      await leave();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A store that is closed leaves it open for the next. */
function unclosed(kv: Kv): Kv {
  return {
    ...kv,
    get: (key) => kv.get(key),
    page: (range) => kv.page(range),
    batch: (ops, o) => kv.batch(ops, o),
    snapshot: () => kv.snapshot(),
    close: async () => undefined,
  };
}

export const noModules: Modules = {
  get: async () => undefined,
  keep: () => Promise.reject(new Error('no modules here')),
  directory: () => Promise.reject(new Error('no modules here')),
};

export const noContent: Content = {
  fetch: () => Promise.reject(new Error('no content here')),
  take: () => Promise.reject(new Error('no content here')),
  path: async () => undefined,
  allow: async () => undefined,
};

export function policyObject(spec: PolicySpec): ApiObject {
  return {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Policy',
    metadata: { name: 'node', namespace: TARGET, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
    spec,
  };
}

function nodeObject(spec: object | undefined): ApiObject {
  return {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Node',
    metadata: { name: TARGET, uid: 'n', resourceVersion: '1', generation: 1, creationTimestamp: '' },
    ...(spec === undefined ? {} : { spec }),
  };
}

/** The member that a starter is, as the target sees it. */
export function starter({ members }: Pick<World, 'members'>, name = STARTER): Member {
  const member = members.byKey(SITE, keyOf(name, SITE));
  if (member === undefined) throw new Error(`${name} is no member`);
  return member;
}

export function from(of: Pick<World, 'members'>, user: typeof USER | undefined = USER, name = STARTER): OrderSource {
  return { type: 'member', member: starter(of, name), user };
}

export interface OrderWanted {
  work: Work;
  header?: Partial<PlanHeader>;
  entry?: Partial<PlanEntry>;
  starter?: string;
  /** Makes it one of so many. */
  count?: number;
  index?: number;
}

let nonces = 0;

/** An order of the starter to the target, with its id. */
export function orderOf({ work, header = {}, entry = {}, starter: name = STARTER, count = 1, index = 0 }: OrderWanted): {
  id: string;
  index: number;
  bytes: Uint8Array;
} {
  const own: PlanEntry = { node: TARGET, key: keyOf(TARGET, SITE), domain: SITE, starter: keyOf(name, SITE), work, ...entry };
  const entries = Array.from({ length: count }, (_, at) =>
    encodeEntry(at === index ? own : { ...own, node: `other${at}`, key: keyOf(`other${at}`, SITE) }),
  );
  const createdAt = Date.now();
  nonces += 1;
  const whole: PlanHeader = {
    version: 1,
    nonce: Uint8Array.from(Buffer.from(String(nonces).padStart(16, '0'))),
    starter: name,
    user: `ops@${name}`,
    createdAt,
    notBefore: header.createdAt ?? createdAt,
    notAfter: (header.createdAt ?? createdAt) + 60_000,
    timeoutMs: 60_000,
    count,
    root: Uint8Array.from(merkleRoot(entries)),
    ...header,
  };
  const headerBytes = encodeHeader(whole);
  const bytes = encodeCbor({ header: headerBytes, entry: entries[index], index, proof: merkleProofs(entries)[index] });
  return { id: executionIdOf(headerBytes), index, bytes };
}

export function exec(...argv: string[]): Work {
  return { type: 'exec', argv, env: {} };
}

export function shell(script: string): Work {
  return exec('/bin/sh', '-c', script);
}

export interface BundleWanted {
  commands: Record<string, unknown>;
  resource?: Partial<BundledResource>;
  revision?: number;
  key?: SigningKey;
  more?: Partial<Bundle>;
}

export const SERVICE: BundledResource = {
  object: 'shop.service.web',
  uid: 'uid-web',
  model: 'shop',
  type: 'Service',
  name: 'web',
  labels: {},
  properties: { port: 8080 },
  parents: [],
  children: [],
  deployments: [{ node: TARGET, signingKey: targetKey.publicKey }],
};

/** A resource with commands that stand in its type, as its owner signs it. */
export function bundleOf({ commands, resource = {}, revision = 1, key = ownerKey, more = {} }: BundleWanted): {
  bytes: Uint8Array;
  code: Record<string, string>;
} {
  const parsed: Commands = commandsSchema.parse(commands);
  const code = inlineCode('Service', parsed, key.publicKey);
  const bytes = signBundle(
    {
      version: 1,
      owner: key.publicKey,
      ownerName: 'builder',
      revision,
      resources: [{ ...SERVICE, ...resource }],
      types: { service: { name: 'Service', code, commands: parsed } },
      modules: [],
      ...more,
    },
    key,
  );
  return { bytes, code: { [code.name]: code.digest } };
}

export function commandWork(command: string, code: Record<string, string>, more: Partial<CommandWork> = {}): CommandWork {
  const { object, uid, model, type, name } = SERVICE;
  return { type: 'command', owner: ownerKey.publicKey, resource: { object, uid, model, type, name }, command, options: {}, code, ...more };
}

/** All that a part wrote, by stream, once it has ended. */
export async function outputOf(part: PartHandle): Promise<{ out: string; err: string; log: string[] }> {
  const { decodeCbor } = await import('../../../protocol/encoding/cbor.ts');
  const { outputRecord } = await import('../../../protocol/orders/records.ts');
  await part.ended;
  const result = { out: '', err: '', log: [] as string[] };
  for (let offset = 0; ; ) {
    const bytes = await part.read(offset, 65_536);
    if (bytes.length === 0) return result;
    offset += bytes.length;
    const view = Buffer.from(bytes);
    for (let at = 0; at < view.length; ) {
      const length = view.readUInt32BE(at);
      const { s, d } = decodeCbor(Uint8Array.from(view.subarray(at + 4, at + 4 + length)), outputRecord, 'a record');
      const text = Buffer.from(d).toString();
      if (s === 'log') result.log.push(text);
      else result[s] += text;
      at += 4 + length;
    }
  }
}
