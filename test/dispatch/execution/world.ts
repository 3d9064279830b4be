/** A starting node with a store in memory, and targets around it that do what a test says. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Decide, Models, Nodes, NodeView } from '../../../daemon/src/dispatch/dispatch.types.ts';
import { createExecutions } from '../../../daemon/src/dispatch/execution/executions.ts';
import type { Executions, ExecutionsOptions } from '../../../daemon/src/dispatch/execution/executions.types.ts';
import type { Timing } from '../../../daemon/src/dispatch/execution/limits.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { type DispatchRequestSpec, type ExecutionFields, executionSchema } from '../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { Part } from '../../../protocol/orders/outcome.ts';
import type { FollowLine } from '../../../protocol/requests/follow.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { FakeNetwork } from '../fake-members.ts';
import { type FakePart, FakeTarget, recordsOf, type Script } from './fake-target.ts';

export const STARTER = 'desk';
export const OPS: Principal = { type: 'user', home: 'self', name: 'ops', uid: 'uid-ops', display: 'ops@desk' };
export const SIGNING_KEY = '5e'.repeat(32);

/** Short enough that nobody waits, long enough for a machine that is busy. */
const QUICK: Timing = {
  connectMs: 20_000,
  answerMs: 20_000,
  lostMs: 300,
  graceMs: 300,
  backoffMs: { first: 5, last: 40 },
  settlingMs: { first: 10, last: 60 },
  abortMs: 300,
  tailMs: 500,
  saveAfterMs: 5,
  saveMs: 20,
};

export interface WorldOptions {
  targets?: Readonly<Record<string, Script | undefined>>;
  timing?: Partial<Timing>;
  models?: Models;
  decide?: Decide;
  holding?: Partial<ExecutionsOptions['holding']>;
  content?: Partial<ExecutionsOptions['content']>;
  modules?: ExecutionsOptions['modules'];
  now?: () => number;
  audit?: ExecutionsOptions['audit'];
  network?: FakeNetwork;
  name?: string;
  /** Signing keys of nodes. */
  keyOf?: (node: string) => string;
}

export interface World {
  network: FakeNetwork;
  targets: Map<string, FakeTarget>;
  /** What the starting node does as a target of itself. */
  local: FakeLocal;
  executions: Executions;
  store: LocalStore;
  directory: string;
  /** Spec of the Node of a target. */
  specs: Map<string, object>;
  /** Another daemon on the same data. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** The starting node as its own target: a fake part without a network. */
export class FakeLocal {
  script: Script = (part) => {
    part.run();
    part.end();
  };
  readonly target = new FakeTarget(new FakeNetwork().node('itself'), (part) => this.script(part, this.target));

  port(): ExecutionsOptions['target'] {
    const handle = (part: FakePart) => ({
      id: part.id,
      index: part.part.index,
      part: () => part.part,
      read: async (offset: number) => recordsOf(part, offset),
      onChange: (listener: () => void) => part.onChange(listener),
      ended: new Promise<Part>(() => undefined),
    });
    return {
      accept: async (_from, { order }) => handle(this.target.take(order)),
      prepare: async (_from, { order }) => ({ go: async () => handle(this.target.take(order)), leave: async () => undefined }),
      attach: async (_principal, id, index) => {
        const part = this.target.parts.get(`${id} ${index}`);
        if (part === undefined) throw new DtkdError('NOT_FOUND', 'nothing is known of it');
        return handle(part);
      },
      find: async (_principal, id) => [...this.target.parts.values()].filter((part) => part.id === id).map(handle),
      abort: async (_principal, id) => {
        const parts = [...this.target.parts.values()].filter((part) => part.id === id);
        for (const part of parts) part.end({ outcome: 'failed', code: 'ABORTED' });
        return parts.map(({ part }) => part);
      },
    };
  }
}

export async function world(options: WorldOptions = {}): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'dtkd-starter-'));
  const network = options.network ?? new FakeNetwork();
  const name = options.name ?? STARTER;
  const members = network.node(name);
  const targets = new Map<string, FakeTarget>();
  for (const [node, script] of Object.entries(options.targets ?? {})) targets.set(node, new FakeTarget(network.node(node), script));
  const specs = new Map<string, object>();
  const ownKey = options.keyOf?.(name) ?? SIGNING_KEY;
  const nodes: Nodes = {
    list: async () => [
      viewOf(name, undefined, specs, ownKey),
      ...members.list().map((member) => viewOf(member.node, member, specs, (options.keyOf ?? signingKeyOf)(member.node))),
    ],
  };
  const local = new FakeLocal();
  const kv = unclosed(memoryKv());
  const open = async () => {
    const store = await openObjectStore({ kv, node: name });
    const executions = createExecutions({
      store,
      node: { name, signingKey: ownKey },
      members,
      isGone: (member) => network.hasGone(member),
      models: options.models ?? { find: async () => ({ items: [], unanswered: [] }), bundle: async () => new Uint8Array() },
      nodes,
      modules: options.modules ?? { get: async () => undefined, keep: async () => Promise.reject(new Error('no modules')) },
      content: { allow: async () => undefined, fetch: async () => '/nowhere', ...options.content },
      target: local.port(),
      holding: {
        deposit: async () => ({ holders: [] }),
        cancel: async () => ({ notReached: [] }),
        mayHaveDelivered: () => false,
        onDelivery: () => () => undefined,
        ...options.holding,
      },
      access: { decide: options.decide ?? (() => ({ allowed: true, because: 'a test' })) },
      audit: options.audit ?? { record: () => undefined },
      directory,
      keep: async () => ({ keepForMs: 86_400_000, keepBytes: 1_000_000 }),
      names: async (beginning, limit) => {
        const { items } = await store.list({ group: 'dtkd.dev', plural: 'executions', namespace: name });
        return items
          .map(({ metadata }) => metadata.name)
          .filter((one) => one.startsWith(beginning))
          .slice(0, limit);
      },
      logger: silentLogger,
      now: options.now ?? Date.now,
      timing: { ...QUICK, ...options.timing },
    });
    await executions.start();
    return { store, executions };
  };
  let now = await open();
  const leave = async () => {
    await now.executions.close();
    await now.store.close();
  };
  return {
    network,
    targets,
    local,
    directory,
    specs,
    get store() {
      return now.store;
    },
    get executions() {
      return now.executions;
    },
    async restart() {
      await leave();
      now = await open();
    },
    async close() {
      await leave();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Makes worlds, and closes them after each test of the file that asks for it. */
export function closedWorlds(): (options: WorldOptions) => Promise<World> {
  const open: World[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });
  return async (options) => {
    const made = await world(options);
    open.push(made);
    return made;
  };
}

export function signingKeyOf(node: string): string {
  return Buffer.from(node.padEnd(32, '.')).toString('hex').slice(0, 64);
}

function viewOf(node: string, member: NodeView['member'], specs: ReadonlyMap<string, object>, signingKey: string): NodeView {
  const object: ApiObject = {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Node',
    metadata: { name: node, uid: `uid-${node}`, resourceVersion: '1', generation: 1, creationTimestamp: '' },
    spec: specs.get(node) ?? {},
    status: { facts: { hostname: node }, signingKey },
  };
  return { node, self: member === undefined, object, signingKey, member };
}

/** A store that is closed leaves it open for the next. */
function unclosed(kv: Kv): Kv {
  return {
    get: (key) => kv.get(key),
    page: (range) => kv.page(range),
    batch: (ops, o) => kv.batch(ops, o),
    snapshot: () => kv.snapshot(),
    close: async () => undefined,
  };
}

export const EXEC: DispatchRequestSpec = {
  exec: { argv: ['/bin/true'] },
  filter: { include: ['name=web.*'] },
  threads: 100,
  keepGoing: true,
};

export function fieldsOf(object: ApiObject | undefined): ExecutionFields {
  return executionSchema.parse(object);
}

export function partsOf(object: ApiObject | undefined): Part[] {
  return fieldsOf(object).status?.parts ?? [];
}

/** Runs a request to its end and gives all its lines. */
export async function runToEnd(
  { executions }: World,
  request: DispatchRequestSpec = EXEC,
  principal = OPS,
): Promise<{ id: string; lines: FollowLine[]; parts: Part[] }> {
  const object = await executions.dispatch(principal, request);
  const id = object.metadata.name;
  const lines = await linesOf(executions, id, principal);
  return { id, lines, parts: partsOf(await showOf(executions, id, principal)) };
}

export async function linesOf(
  executions: Executions,
  id: string,
  principal = OPS,
  from?: ReadonlyMap<number, number>,
): Promise<FollowLine[]> {
  const lines: FollowLine[] = [];
  const signal = AbortSignal.timeout(60_000);
  for await (const line of await executions.follow(principal, id, { signal, ...(from === undefined ? {} : { from }) })) lines.push(line);
  if (lines.at(-1)?.end === undefined) throw new Error('the follow did not end');
  return lines;
}

export async function showOf(executions: Executions, id: string, principal = OPS): Promise<ApiObject> {
  const action = executions.actions.get('executions');
  const answer = await action?.({
    principal,
    rest: [id],
    method: 'GET',
    query: new URLSearchParams(),
    body: undefined,
    signal: AbortSignal.timeout(60_000),
  });
  return answer as ApiObject;
}

/** Text of all output of a part. */
export function textOf(lines: readonly FollowLine[], index: number): string {
  return lines
    .flatMap(({ output }) => (output?.index === index ? output.records : []))
    .map(({ text, base64 }) => text ?? Buffer.from(base64 ?? '', 'base64').toString())
    .join('');
}

export function outcomes(parts: readonly Part[]): Record<string, string> {
  return Object.fromEntries(parts.map(({ node, outcome, state }) => [node, outcome ?? state]));
}
