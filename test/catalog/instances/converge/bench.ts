/** Service instances over a real store and real rules, with nodes and repositories in memory; and daemons that die at any point. */
import { createHash } from 'node:crypto';
import { createInstanceObjects } from '../../../../daemon/src/catalog/instances/apply/instance-objects.ts';
import { tellApplied } from '../../../../daemon/src/catalog/instances/converge/changing.ts';
import type { ConvergePorts } from '../../../../daemon/src/catalog/instances/converge/converge.types.ts';
import { OneAtATime } from '../../../../daemon/src/catalog/instances/converge/one-at-a-time.ts';
import { serviceInstances } from '../../../../daemon/src/catalog/instances/converge/part.ts';
import { resourceTaken } from '../../../../daemon/src/catalog/instances/converge/resources.ts';
import { changesOf } from '../../../../daemon/src/catalog/instances/editing/edits.ts';
import { changed } from '../../../../daemon/src/catalog/instances/editing/values.ts';
import { serviceDifferences } from '../../../../daemon/src/catalog/instances/files/differences.ts';
import type { InstanceFiles, ReadFiles } from '../../../../daemon/src/catalog/instances/files/files.types.ts';
import { componentRules, KnownTypes } from '../../../../daemon/src/catalog/instances/files/rules.ts';
import type { CommandEnd, Commands, ModuleCopy, Objects, ServiceFiles } from '../../../../daemon/src/catalog/instances/instances.types.ts';
import type { Repositories, Repository, Tree } from '../../../../daemon/src/catalog/instances/repository/repository.types.ts';
import type { ServiceInstances } from '../../../../daemon/src/catalog/instances/service-instances.types.ts';
import type { Staging } from '../../../../daemon/src/catalog/instances/staging/staging.types.ts';
import { appliedOf } from '../../../../daemon/src/catalog/instances/tasks/applied-rows.ts';
import { createTasks } from '../../../../daemon/src/catalog/instances/tasks/tasks.ts';
import type { Decide } from '../../../../daemon/src/catalog/model/ports.ts';
import { Rights } from '../../../../daemon/src/catalog/model/rights.ts';
import type { LocalStore } from '../../../../daemon/src/store/local-store.types.ts';
import type { ObjectStore } from '../../../../daemon/src/store/object-store.types.ts';
import type { ModuleManifest } from '../../../../protocol/definitions/module.ts';
import { type ServiceFile, serviceFile } from '../../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { FollowLine } from '../../../../protocol/requests/follow.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import { silentLogger } from '../../../silent-logger.ts';
import { catalog, NODE, OPERATOR, object, ref, write } from '../../model/fixtures.ts';

const script = { script: { inline: 'true' } };
const lifecycle = { create: script, converge: script, delete: script, check: script, restart: script };

/** Module acme/web: two types with all commands, one without any. */
export const MANIFEST: ModuleManifest = {
  dsl_version: '1.0',
  module: 'acme/web',
  version: '1.0.0',
  types: {
    WebServer: {
      properties: { port: { type: 'port', default: 80 }, database: {}, note: {} },
      commands: lifecycle,
      links: { db: { type: 'Database', take: { database: 'name' } } },
    },
    Database: { properties: { name: {}, password: { type: 'secret' } }, commands: lifecycle },
    Plain: { properties: { text: {} } },
  },
};

export function service(name: string, fields: Partial<ServiceFile>): ServiceFile {
  return serviceFile.parse({ dsl_version: '1.0', name, module: 'acme/web', version: '1.0.0', assembly: 'tier', ...fields });
}

function copyOf(manifest: ModuleManifest): ModuleCopy {
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = hash(bytes);
  return { name: manifest.module, version: manifest.version, manifest, archive: { version: 1, files: [] }, bytes, digest };
}

function hash(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** One life of a daemon. */
class Life {
  readonly died = Promise.withResolvers<void>();
  isDead = false;
  /** Durable steps that were made. */
  steps = 0;
  readonly #lasts: number;
  /** What is on its way to the disk: it arrives, or does not, before there is a next life. */
  readonly #flights = new Set<Promise<unknown>>();

  constructor(lasts: number) {
    this.#lasts = lasts;
  }

  /** Before and after each thing that lasts. A dead daemon never comes out. */
  async point(): Promise<void> {
    if (!this.isDead) {
      this.steps += 1;
      if (this.steps >= this.#lasts) {
        this.isDead = true;
        this.died.resolve();
      }
    }
    await this.alive();
  }

  async alive(): Promise<void> {
    if (this.isDead) await new Promise(() => undefined);
  }

  lasting<A extends unknown[], T>(work: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
    return async (...args) => {
      await this.point();
      const flight = work(...args);
      this.#flights.add(flight);
      try {
        return await flight;
      } finally {
        this.#flights.delete(flight);
        await this.point();
      }
    };
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#flights);
  }

  reading<A extends unknown[], T>(work: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
    return async (...args) => {
      await this.alive();
      const result = await work(...args);
      await this.alive();
      return result;
    };
  }
}

interface Running {
  id: string;
  node: string;
  resource: string;
  command: string;
  end: PromiseWithResolvers<CommandEnd>;
  ended: CommandEnd | undefined;
}

const EXECUTIONS = 'e/';

/** Nodes on which commands run, whatever becomes of the daemon that started them. */
export class Machines {
  /** What is there: by `RESOURCE@NODE`. */
  readonly site = new Map<string, unknown>();
  /** All that ended, in order: `create web-1`. */
  readonly done: string[] = [];
  /** Two commands at a time on one resource. */
  readonly clashes: string[] = [];
  readonly executions = new Map<string, Running>();
  readonly aborted: string[] = [];
  /** All that were prepared before their turn: `create web-1`. */
  readonly prepared: string[] = [];
  most = 0;
  /** How many turns of the event loop a command takes. */
  turns: (command: string) => number = () => 1;
  /** Why dispatch does not start one now. */
  refuses: () => DtkdError | undefined = () => undefined;
  /** It is a dispatch over resources, but there are no such resources. */
  isOverNothing: (what: string) => boolean = () => false;
  /** How it ends, if not well. */
  fails: (what: string) => CommandEnd | undefined = () => undefined;
  output: (what: string) => string = (what) => `${what}\n`;
  /** Resolves when it is stored how one ended. */
  stored: (what: string) => Promise<void> = () => Promise.resolve();
  #number = 0;

  nextId(): string {
    this.#number += 1;
    return this.#number.toString(16).padStart(64, '0');
  }

  begin(id: string, { node, resource, command }: { node: string; resource: string; command: string }, properties: unknown): void {
    if (this.executions.has(id)) return;
    const running: Running = { id, node, resource, command, end: Promise.withResolvers(), ended: undefined };
    const others = [...this.executions.values()].filter((one) => one.ended === undefined);
    if (others.some((one) => one.resource === resource)) this.clashes.push(`${command} ${resource}`);
    this.executions.set(id, running);
    this.most = Math.max(this.most, others.length + 1);
    const finish = () => this.end(id, properties);
    const wait = (left: number) => (left <= 0 ? finish() : setImmediate(() => wait(left - 1)));
    const turns = this.turns(`${command} ${resource}`);
    if (turns !== Number.POSITIVE_INFINITY) wait(turns);
  }

  end(id: string, properties: unknown, as?: CommandEnd): void {
    const running = this.executions.get(id);
    if (running === undefined || running.ended !== undefined) return;
    const { node, resource, command } = running;
    running.ended = as ?? this.fails(`${command} ${resource}`) ?? { outcome: 'succeeded', exitStatus: 0 };
    if (running.ended.outcome === 'succeeded') {
      this.done.push(`${command} ${resource}`);
      if (command === 'create' || command === 'converge') this.site.set(`${resource}@${node}`, properties);
      if (command === 'delete') this.site.delete(`${resource}@${node}`);
    }
    running.end.resolve(running.ended);
  }
}

/** Repositories: they outlive daemons. */
class Disk {
  readonly repositories = new Map<
    string,
    { commits: { id: string; message: string; file: ServiceFile }[]; work: ServiceFile; applied: string | undefined }
  >();
  readonly archived: string[] = [];
}

export interface DaemonOptions {
  lasts?: number;
  decide?: Decide;
}

export interface Bench {
  store: LocalStore;
  /** Nodes that are known. */
  nodes: string[];
  /** Members besides. */
  suspended: string[];
  machines: Machines;
  disk: Disk;
  /** Apps and what they are made of: by `NODE/PLURAL/NAME`. */
  objects: Map<string, unknown>;
  /** Refusals of objects on nodes. */
  refuses: (node: string) => DtkdError | undefined;
  manifest: ModuleManifest;
  secrets: Set<string>;
  published: { digest: string; version: string }[];
  /** What is staged of any assembly. */
  assembly: Partial<ServiceFile>;
  /** Starts a daemon that lives for so many durable steps. */
  daemon(options?: DaemonOptions): Promise<DaemonUnderTest>;
  edit(name: string, file: ServiceFile): void;
  put(file: ServiceFile): Promise<void>;
  instance(name: string): Promise<{ phase?: string; message?: string; applied?: string; task?: string; resources?: number }>;
  /** All that should be the same whatever happened on the way. */
  outcome(name: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface DaemonUnderTest {
  part: Omit<ServiceInstances, 'repositories'>;
  life: Life;
  ports: ConvergePorts;
  /** Asks a subresource. Never answers if the daemon dies. */
  ask(name: string, what: string, body?: object, principal?: Principal): Promise<Record<string, unknown>>;
  /** Asks, and waits for the end of the task. */
  run(name: string, what: string, body?: object, principal?: Principal): Promise<Record<string, unknown>>;
}

export async function bench(nodes: readonly string[] = [NODE, 'node1', 'node2']): Promise<Bench> {
  const { store } = await catalog();
  await write(store, ...nodes.map((node) => object('Node', node)));
  const machines = new Machines();
  const disk = new Disk();
  const made: Bench = {
    store,
    nodes: [...nodes],
    suspended: [],
    machines,
    disk,
    objects: new Map(),
    refuses: () => undefined,
    manifest: MANIFEST,
    secrets: new Set(['db-password']),
    published: [],
    assembly: {},
    daemon: (options) => startDaemon(made, options),
    edit: (name, file) => {
      const repository = disk.repositories.get(name);
      if (repository !== undefined) repository.work = file;
    },
    async put(file) {
      const id = commitId(0, file);
      disk.repositories.set(file.name, { commits: [{ id, message: 'Stage', file }], work: file, applied: undefined });
      const { module, version, assembly, role, kind, target } = file;
      const spec = { module, version, assembly, role, kind, target, directory: `/data/instances/${file.name}` };
      const instance: ApiObject = { ...object('ServiceInstance', file.name, spec), status: { phase: 'Staged', head: id } };
      await write(store, instance);
    },
    async instance(name) {
      return Object(Object(await store.get(ref('serviceinstances', name)))['status']);
    },
    outcome: (name) => outcome(made, name),
    close: () => store.close(),
  };
  return made;
}

async function outcome({ store, machines, disk, objects }: Bench, name: string): Promise<unknown> {
  const specs = async (plural: string) =>
    (await store.list({ group: 'dtkd.dev', plural })).items
      .filter(({ metadata }) => metadata.labels?.['dtkd.dev/instance'] === name)
      .map(({ metadata, spec }) => [metadata.name, withoutVersion(spec), metadata.labels]);
  const rows = await appliedOf(store.kv, name);
  const repository = disk.repositories.get(name);
  const instance = Object(Object(await store.get(ref('serviceinstances', name)))['status']);
  return {
    site: [...machines.site].sort(),
    rows: [...rows].map(([key, { at: _at, commit: _commit, ...row }]) => [key, row]),
    resources: await specs('resources'),
    types: await specs('types'),
    phase: instance['phase'],
    resourceCount: instance['resources'],
    nodes: instance['nodes'],
    applied: instance['applied'] === repository?.commits.at(-1)?.id && repository?.applied === instance['applied'],
    objects: [...objects].sort(),
    apps: (await store.kv.page({ gte: 'i/p/', lt: 'i/p0' })).map(([key, value]) => [key, Buffer.from(value).toString()]),
    unsettled: (await store.kv.page({ gte: 'i/s/', lt: 'i/s0' })).map(([key]) => key),
  };
}

function withoutVersion(spec: unknown): unknown {
  const { module, ...rest } = Object(spec);
  return module === undefined ? rest : { ...rest, module: { ...module, version: '' } };
}

async function startDaemon(
  made: Bench,
  { lasts = Number.POSITIVE_INFINITY, decide = () => ({ allowed: true }) }: DaemonOptions = {},
): Promise<DaemonUnderTest> {
  const life = new Life(lasts);
  const { store: real, machines } = made;
  const store = mortalStore(real, life);
  const now = () => Date.now();
  const commands = fakeCommands(made, store, life);
  const model = createInstanceObjects({
    node: NODE,
    rights: new Rights({
      decide,
      decideMove: (principal, about, before) => decide(principal, { verb: 'UPDATE', ...about, object: before }),
      node: NODE,
    }),
  });
  const deleted = (instance: string) => resourceTaken({ model, node: NODE }, instance);
  const settled = (instance: string) => tellApplied({ store, node: NODE }, instance);
  const tasks = createTasks({ store, node: NODE, commands, output: fakeOutput(machines), logger: silentLogger, deleted, settled, now });
  const objects: Objects = {
    apply: life.lasting(async (principal, node, one, { dryRun = false } = {}) => {
      const refusal = made.refuses(node);
      if (refusal !== undefined) throw refusal;
      const { kind, metadata, ...rest } = Object(one);
      const decision = decide(principal, { verb: 'CREATE', group: '', plural: `${kind.toLowerCase()}s`, name: metadata.name });
      if (!decision.allowed) throw new DtkdError('FORBIDDEN', decision.reason);
      if (!dryRun) made.objects.set(`${node}/${kind}/${metadata.name}`, rest);
    }),
    remove: life.lasting(async (_principal, node, { plural, name }) => {
      const refusal = made.refuses(node);
      if (refusal !== undefined) throw refusal;
      for (const key of made.objects.keys()) {
        const [at, kind = '', called] = key.split('/');
        if (at === node && called === name && plural.startsWith(kind.toLowerCase().replace(/s$/, ''))) made.objects.delete(key);
      }
    }),
  };
  const ports: ConvergePorts = {
    store,
    node: NODE,
    decide,
    repositories: fakeRepositories(made.disk, life),
    files: fakeFiles(made, life),
    staging: fakeStaging(made),
    tasks,
    model,
    copies: {
      publishCopy: life.lasting(async ({ instance, revision, archive, module, dryRun = false }) => {
        const digest = hash(archive);
        const known = made.published.at(-1);
        const version = known?.digest === digest ? known.version : `0.0.${revision}`;
        if (known?.digest !== digest && !dryRun) made.published.push({ digest, version });
        return { name: `${module}@${instance}`, version, digest, publisher: 'a'.repeat(64) };
      }),
      publishLeft: life.lasting(async () => undefined),
      releaseCopies: life.lasting(async () => undefined),
    },
    nodes: {
      list: async () => made.nodes.map((name) => ({ name, self: name === NODE, address: '127.0.0.1', object: object('Node', name) })),
      members: async () => new Set([...made.nodes, ...made.suspended]),
      matching: async ({ include, exclude }) =>
        made.nodes.filter((name) => matches(include, name) && !(exclude !== undefined && matches(exclude, name))),
    },
    objects,
    secrets: { has: async (name) => made.secrets.has(name) },
    apps: { uri: async (_node, name) => `http://${name}.test` },
    turns: new OneAtATime(),
    logger: silentLogger,
    now,
  };
  const part = serviceInstances(ports);
  await Promise.race([takeUp(made), life.died.promise]);
  await Promise.race([part.start(), life.died.promise]);
  const ask: DaemonUnderTest['ask'] = async (name, what, body = {}, principal = OPERATOR) => {
    const [subresource = '', text = ''] = what.split('?');
    const action = part.subresources.get(`dtkd.dev/serviceinstances/${subresource}`);
    const query = new URLSearchParams(text);
    const method = ['state', 'log', 'diff'].includes(subresource) ? 'GET' : 'POST';
    return Object(await action?.({ principal, name, rest: [], method, query, body, signal: new AbortController().signal }));
  };
  return {
    part,
    life,
    ports,
    ask,
    async run(name, what, body, principal) {
      const answer = await ask(name, what, body, principal);
      const task = answer['task'];
      if (typeof task === 'string') await taskEnd(made.store, task);
      // what is done after the end is durable is waited for, too
      for (let turn = 0; turn < 50 && !life.isDead; turn++) await new Promise((resolve) => setImmediate(resolve));
      return answer;
    },
  };
}

/** The Task once it has ended. */
export async function taskEnd(store: ObjectStore, name: string): Promise<ApiObject> {
  for (;;) {
    const task = await store.get(ref('tasks', name));
    const state = Object(Object(task)['status'])['state'];
    if (task !== undefined && state !== 'executing' && state !== 'created') return task;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function matches(filter: string, name: string): boolean {
  if (filter === 'self') return name === NODE;
  if (filter === '.*') return true;
  return filter
    .replace(/^name=/, '')
    .split(',')
    .includes(name);
}

/** What an earlier daemon had stored, and not told its target. */
async function takeUp({ store, machines }: Bench): Promise<void> {
  for (const [key, value] of await store.kv.page({ gte: EXECUTIONS, lt: 'e0' })) {
    const { properties, ...what } = JSON.parse(Buffer.from(value).toString());
    machines.begin(key.slice(EXECUTIONS.length), what, properties);
  }
}

function fakeCommands({ machines, store: real }: Bench, store: ObjectStore, life: Life): Commands {
  return {
    async prepare(principal, request) {
      await life.alive();
      machines.prepared.push(`${request.command} ${request.resource}`);
      return { start: (record) => this.start(principal, request, record) };
    },
    async start(_principal, { resource = '', command = '', only = [], model = '' }, record) {
      const refusal = machines.refuses();
      if (refusal !== undefined) throw refusal;
      const instance = model.split('/')[1];
      const id = machines.nextId();
      const [node = ''] = only;
      const of = await real.get(ref('Resource', `${instance}.${resource}`));
      const spec = Object(Object(of)['spec']);
      if (!spec.parents?.includes(`node/${node}`)) throw new DtkdError('NOT_DEPLOYED', `${resource} is not on ${node}`);
      if (machines.isOverNothing(`${command} ${resource}`)) return { id, nothing: true };
      const what = { node, resource, command };
      await store.transact(async (tx) => {
        tx.putRow(EXECUTIONS + id, Buffer.from(JSON.stringify({ ...what, properties: spec.properties })));
        record(tx, id);
      });
      machines.begin(id, what, spec.properties);
      await life.point();
      return { id };
    },
    async ended(_principal, id, signal, succeeded) {
      await life.alive();
      const running = machines.executions.get(id);
      if (running === undefined) throw new DtkdError('NOT_FOUND', 'there is no such execution');
      const { promise, reject } = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
      if (signal.aborted && running.ended === undefined) throw new Error('aborted');
      const end = await Promise.race([running.end.promise, promise]);
      if (end.outcome === 'succeeded') succeeded?.();
      await machines.stored(`${running.command} ${running.resource}`);
      await life.point();
      return end;
    },
    async abort(_principal, id) {
      machines.aborted.push(id);
      machines.end(id, undefined, { outcome: 'failed', code: 'ABORTED', reason: 'it was aborted' });
    },
    async tail(_principal, id) {
      const running = machines.executions.get(id);
      return running === undefined ? '' : machines.output(`${running.command} ${running.resource}`);
    },
  };
}

function fakeOutput(machines: Machines) {
  return {
    async follow(_principal: Principal, id: string) {
      const running = machines.executions.get(id);
      if (running === undefined) throw new DtkdError('NOT_FOUND', 'there is no such execution');
      return (async function* (): AsyncGenerator<FollowLine> {
        const text = machines.output(`${running.command} ${running.resource}`);
        yield { output: { index: 0, node: running.node, offset: 0, next: 1, records: [{ t: 0, s: 'out', n: 0, c: '', text }] } };
        await running.end.promise;
        yield { end: { phase: 'Finished' } };
      })();
    },
  };
}

function mortalStore(real: LocalStore, life: Life): ObjectStore {
  return {
    get: life.reading((of) => real.get(of)),
    originOf: life.reading((of) => real.originOf(of)),
    list: life.reading((query) => real.list(query)),
    find: life.reading((index) => real.find(index)),
    watch: (query) => real.watch(query),
    async transact(run, options) {
      return options?.dryRun === true ? real.transact(run, options) : life.lasting(() => real.transact(run, options))();
    },
    subscribe: (listener) => real.subscribe(listener),
    addParticipant: (participant) => real.addParticipant(participant),
    version: () => real.version(),
    kv: {
      get: life.reading((key) => real.kv.get(key)),
      page: life.reading((range) => real.kv.page(range)),
      batch: life.lasting((ops, options) => real.kv.batch(ops, options)),
      snapshot: () => real.kv.snapshot(),
      close: () => real.kv.close(),
    },
    close: () => real.close(),
  };
}

function commitId(number: number, file: ServiceFile): string {
  return createHash('sha1')
    .update(`${number} ${JSON.stringify(file)}`)
    .digest('hex');
}

function treeOf(file: ServiceFile): Tree {
  return { id: hash(JSON.stringify(file)), files: new Map(), faults: [], read: () => Promise.reject(new Error('not here')) };
}

function fakeRepositories(disk: Disk, life: Life): Repositories {
  const found = (name: string) => {
    const repository = disk.repositories.get(name);
    if (repository === undefined) throw new DtkdError('NOT_FOUND', `there is no repository ${name}`);
    return repository;
  };
  const open = (name: string): Repository => {
    const repository = found(name);
    const head = () => repository.commits.at(-1)?.id ?? '';
    const commit = async (message: string, file: ServiceFile) => {
      const id = commitId(repository.commits.length, file);
      repository.commits.push({ id, message, file });
      repository.work = file;
      return { commit: id, changed: true };
    };
    const resolve = async (revision: string) => {
      if (revision === 'HEAD') return head();
      const one = repository.commits.find(({ id }) => id.startsWith(revision));
      if (one === undefined) throw new DtkdError('NOT_FOUND', `there is no commit ${revision}`);
      return one.id;
    };
    return {
      name,
      directory: `/data/instances/${name}`,
      head: async () => head(),
      applied: life.reading(async () => repository.applied),
      setApplied: life.lasting(async (id) => {
        repository.applied = id;
      }),
      resolve,
      log: async () =>
        repository.commits
          .toReversed()
          .map(({ id, message }) => ({ id, message, author: { name: 'operator', email: '' }, at: 0, parents: [] })),
      tree: async (revision) => {
        const id = await resolve(revision);
        return treeOf(repository.commits.find((one) => one.id === id)?.file ?? repository.work);
      },
      status: async () => ({ head: head(), tree: treeOf(repository.work), changes: [] }),
      commit: life.lasting(async ({ message, expect }) => {
        if (expect?.head !== head() || expect.tree !== treeOf(repository.work).id) throw new DtkdError('CONFLICT', 'it has changed');
        return commit(message, repository.work);
      }),
      restore: life.lasting(async (revision, { message }) => {
        const id = await resolve(revision);
        return commit(message, repository.commits.find((one) => one.id === id)?.file ?? repository.work);
      }),
      commitFiles: () => Promise.reject(new Error('not here')),
      write: () => Promise.reject(new Error('not here')),
      alone: (work) => work(open(name)),
    };
  };
  return {
    directory: (name) => `/data/instances/${name}`,
    names: async () => [...disk.repositories.keys()],
    create: () => Promise.reject(new Error('not here')),
    open: life.reading(async (name) => open(name)),
    archive: life.lasting(async (name) => {
      found(name);
      disk.repositories.delete(name);
      disk.archived.push(name);
      return `/data/instances/.uninstalled/${name}`;
    }),
    drop: async (name) => {
      disk.repositories.delete(name);
    },
    tidy: async () => undefined,
  };
}

function fakeStaging(made: Bench): Staging {
  return {
    async stage({ name = 'tier', target, dryRun, taken }) {
      if (made.disk.repositories.has(name) || (await taken?.(name)) === true) throw new DtkdError('ALREADY_EXISTS', `${name} is taken`);
      const file = service(name, { ...made.assembly, ...(target === undefined ? {} : { target }) });
      const id = commitId(0, file);
      if (dryRun !== true) {
        made.disk.repositories.set(name, { commits: [{ id, message: 'Stage', file }], work: file, applied: undefined });
      }
      const lock = { dsl_version: '1.0' as const, modules: {} };
      return { name, directory: `/data/instances/${name}`, commit: dryRun === true ? undefined : id, service: file, lock, unset: ['size'] };
    },
  };
}

function fakeFiles(made: Bench, life: Life): InstanceFiles {
  const missing = () => Promise.reject(new Error('not here'));
  const repositoryOf = (name: string) => {
    const repository = made.disk.repositories.get(name);
    if (repository === undefined) throw new DtkdError('NOT_FOUND', `there is no service ${name}`);
    return repository;
  };
  const read = (file: ServiceFile): ReadFiles => {
    const copy = copyOf(made.manifest);
    const files: ServiceFiles = {
      service: file,
      lock: { dsl_version: '1.0', modules: {} },
      copies: new Map([[copy.name, copy]]),
      place: () => 'dtk.service.yaml:1:1',
    };
    return { files, violations: [], tree: treeOf(file) };
  };
  const fileAt = (name: string, revision: string) => {
    const { commits, applied } = repositoryOf(name);
    const id = revision === 'HEAD' ? commits.at(-1)?.id : revision === 'applied' ? applied : revision;
    const found = commits.find((one) => one.id === id || one.id.startsWith(revision));
    if (found === undefined) throw new DtkdError('NOT_FOUND', `there is no commit ${revision}`);
    return found;
  };
  return {
    working: life.reading(async (name) => {
      const { commits, work } = repositoryOf(name);
      const last = commits.at(-1);
      const changed = JSON.stringify(last?.file) !== JSON.stringify(work);
      return { ...read(work), head: last?.id ?? '', changes: changed ? [{ path: 'dtk.service.yaml', op: 'changed' as const }] : [] };
    }),
    at: life.reading(async (name, revision) => {
      const { id, file } = fileAt(name, revision);
      return { ...read(file), commit: id };
    }),
    diff: life.reading(async (name, from, to) => {
      const before = fileAt(name, from).file;
      const after = to === undefined ? repositoryOf(name).work : fileAt(name, to).file;
      const same = JSON.stringify(before) === JSON.stringify(after);
      return { differences: same ? [] : [{ kind: 'service' as const, what: 'file', op: 'changed' as const }], files: [] };
    }),
    content: missing,
    replace: missing,
    edit: life.lasting(async (name, edits) => {
      const repository = repositoryOf(name);
      const copies = new Map([[made.manifest.module, copyOf(made.manifest)]]);
      let service = repository.work;
      for (const edit of edits) {
        const rules = await componentRules({ service, copies });
        const changes = await changesOf(edit, { service, rules, types: new KnownTypes(copies.values()) });
        service = serviceFile.parse(changes.reduce<unknown>(changed, service));
      }
      const differences = await serviceDifferences({ service: repository.work, copies }, { service, copies });
      repository.work = service;
      return { base: hash(JSON.stringify(service)), differences };
    }),
    diffModules: missing,
    pullModule: missing,
    pushModule: missing,
  };
}
