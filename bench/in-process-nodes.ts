/** Many targets and one starter in this process: real ones, with stores in memory, streams without a network, and processes that end at once. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Content, DispatchAccess, Modules, NodeView } from '../daemon/src/dispatch/dispatch.types.ts';
import { createExecutions } from '../daemon/src/dispatch/execution/executions.ts';
import type { Executions } from '../daemon/src/dispatch/execution/executions.types.ts';
import { createPolicy } from '../daemon/src/dispatch/policy/policy.ts';
import type { Runner } from '../daemon/src/dispatch/runner/runner.types.ts';
import { createSpools } from '../daemon/src/dispatch/runner/spools.ts';
import { createTarget } from '../daemon/src/dispatch/target/target.ts';
import type { Target } from '../daemon/src/dispatch/target/target.types.ts';
import { openObjectStore } from '../daemon/src/store/object-store.ts';
import { signingKeyFromSeed } from '../protocol/keys/signing.ts';
import type { ApiObject } from '../protocol/objects/objects.ts';
import type { Principal } from '../protocol/rights/principal.ts';
import { type FakeMembers, FakeNetwork } from '../test/dispatch/fake-members.ts';
import { silentLogger } from '../test/silent-logger.ts';
import { memoryKv } from '../test/store/memory-kv.ts';

const STARTER = 'desk';
export const USER: Principal = { type: 'user', home: 'self', name: 'ops', uid: 'uid-ops', display: 'ops@desk' };

const access: DispatchAccess = {
  decide: () => ({ allowed: true, because: 'a capability' }),
  remoteUser: ({ peerKey, namespace }, user) => ({ type: 'user', home: peerKey, display: `${user.name}@${namespace}`, ...user }),
};

function unused(): Promise<never> {
  return Promise.reject(new Error('this benchmark has no files and no modules'));
}

const modules: Modules = { get: async () => undefined, keep: unused, directory: unused };
const content: Content = { fetch: unused, take: unused, path: async () => undefined, allow: async () => undefined };

/** Each process ends as soon as it is started. */
const runner: Runner = {
  start: async () => ended(),
  adopt: async () => ended(),
  remove: async (paths) => rm(paths.at(-1) ?? '', { recursive: true, force: true }),
  account: async (name) => ({ name, uid: 0, gid: 0, home: '/', shell: '/bin/sh' }),
  close: async () => undefined,
};

function ended(): Awaited<ReturnType<Runner['start']>> {
  const end = Promise.resolve({ exitStatus: 0, endedAt: Date.now() });
  return { identity: { boot: 'bench', pid: 1, start: '1' }, ended: end, kill: () => end };
}

export interface InProcess {
  executions: Executions;
  close(): Promise<void>;
}

/** A starter and so many targets, all of them connected. */
export async function startInProcess(count: number): Promise<InProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'dtkd-bench-'));
  const network = new FakeNetwork();
  const names = Array.from({ length: count }, (_none, index) => `web${index + 1}`);
  const stops: (() => Promise<void>)[] = [];
  for (const name of names) stops.push(await startTarget(name, network.node(name), join(directory, name)));
  const executions = await startStarter(network, join(directory, STARTER), stops);
  return {
    executions,
    async close() {
      for (const stop of stops.reverse()) await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function startTarget(name: string, members: FakeMembers, directory: string): Promise<() => Promise<void>> {
  const store = await openObjectStore({ kv: memoryKv(), node: name });
  const policy = createPolicy({ store, node: { name }, signingKeyOf: async () => undefined });
  const target: Target = createTarget({
    store,
    node: { name, signingKey: keyOfNode(name) },
    directory,
    members,
    access,
    audit: { record: () => undefined },
    policy,
    modules,
    content,
    runner,
    spools: createSpools(),
    secrets: { get: async () => undefined, seal: async (_about, bytes) => bytes, unseal: async (_about, sealed) => Buffer.from(sealed) },
    nodeObject: async () => undefined,
    environment: { PATH: '/usr/bin:/bin' },
    logger: silentLogger,
    now: Date.now,
  });
  await target.start();
  return async () => {
    await target.stop();
    policy.stop();
    await store.close();
  };
}

async function startStarter(network: FakeNetwork, directory: string, stops: (() => Promise<void>)[]): Promise<Executions> {
  const members = network.node(STARTER);
  const store = await openObjectStore({ kv: memoryKv(), node: STARTER });
  const executions = createExecutions({
    store,
    node: { name: STARTER, signingKey: keyOfNode(STARTER) },
    members,
    isGone: () => false,
    models: { find: async () => ({ items: [], unanswered: [] }), bundle: unused },
    nodes: { list: async () => members.list().map((member): NodeView => viewOf(member.node, member)) },
    modules,
    content,
    target: { accept: unused, prepare: unused, attach: unused, abort: unused, find: async () => [] },
    holding: { deposit: unused, cancel: unused, mayHaveDelivered: () => false, onDelivery: () => () => undefined },
    access,
    audit: { record: () => undefined },
    directory,
    keep: async () => ({ keepForMs: 86_400_000, keepBytes: 1e9 }),
    names: async (beginning) => [beginning],
    logger: silentLogger,
    now: Date.now,
  });
  await executions.start();
  stops.push(async () => {
    await executions.close();
    await store.close();
  });
  return executions;
}

function viewOf(node: string, member: NodeView['member']): NodeView {
  const object: ApiObject = {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Node',
    metadata: { name: node, uid: `uid-${node}`, resourceVersion: '1', generation: 1, creationTimestamp: '' },
    spec: { tags: ['web'] },
    status: { facts: { hostname: node }, signingKey: keyOfNode(node) },
  };
  return { node, self: false, object, signingKey: keyOfNode(node), member };
}

const keys = new Map<string, string>();

function keyOfNode(node: string): string {
  const known = keys.get(node) ?? signingKeyFromSeed(Buffer.from(node.padEnd(32, '.')).subarray(0, 32)).publicKey;
  keys.set(node, known);
  return known;
}
