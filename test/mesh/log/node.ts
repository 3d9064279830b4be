/** A node for tests of the logs: a real object store over memory, logs of one domain, and a membership that the test decides. */
import type { WorkLimits } from '../../../daemon/src/mesh/log/allowances.ts';
import type { Authors, DomainLog, Logs, Restored } from '../../../daemon/src/mesh/log/log.types.ts';
import { createLogs } from '../../../daemon/src/mesh/log/logs.ts';
import type { Kv, KvOp } from '../../../daemon/src/store/kv.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import type { ObjectStore } from '../../../daemon/src/store/object-store.types.ts';
import { type DomainId, type PeerKey, parseDomainId } from '../../../protocol/ids.ts';
import { generateSigningKey, hashHex, type SigningKey } from '../../../protocol/keys/signing.ts';
import { SIGHTLINE_GROUP } from '../../../protocol/kinds/dtdomain.ts';
import type { Epoch } from '../../../protocol/log/log-entry.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';

export const DOMAIN: DomainId = parseDomainId('d'.repeat(64));
export const DOMAIN_NAME = 'mydomain';

/** Who is who, for all nodes of a test. */
export class Roster implements Authors {
  readonly names = new Map<PeerKey, string>();
  readonly suspended = new Set<PeerKey>();
  readonly forked = new Map<PeerKey, Epoch>();

  add(key: SigningKey, name: string): SigningKey {
    this.names.set(key.publicKey, name);
    return key;
  }

  isMember(key: PeerKey): boolean {
    return this.names.has(key);
  }

  isSuspended(key: PeerKey): boolean {
    return this.suspended.has(key);
  }

  namespaceOf(key: PeerKey): string {
    return this.names.get(key) ?? 'nobody';
  }

  forkedEpoch(key: PeerKey): Epoch | undefined {
    return this.forked.get(key);
  }
}

/** A key-value store that can be made to fail, and copied as a disk is. */
export class Disk implements Kv {
  readonly #kv = memoryKv();
  failing = false;
  batches = 0;
  /** Called before each batch. */
  onBatch: (ops: readonly KvOp[]) => void = () => {};

  get(key: string) {
    return this.#kv.get(key);
  }

  page(range: Parameters<Kv['page']>[0]) {
    return this.#kv.page(range);
  }

  async batch(ops: readonly KvOp[], options: { sync: boolean }): Promise<void> {
    this.onBatch(ops);
    if (this.failing) throw new Error('the disk is full');
    await this.#kv.batch(ops, options);
    this.batches += 1;
  }

  snapshot() {
    return this.#kv.snapshot();
  }

  async close(): Promise<void> {}

  async rows(prefix = ''): Promise<[string, Uint8Array][]> {
    return this.#kv.page({ gte: prefix, lt: `${prefix}\uffff`, limit: 10_000_000 });
  }

  /** What a backup would hold. */
  async copy(): Promise<Disk> {
    const copy = new Disk();
    await copy.batch(
      (await this.rows()).map(([key, value]) => ({ type: 'put', key, value })),
      { sync: true },
    );
    return copy;
  }
}

export interface NodeOptions {
  name: string;
  key?: SigningKey;
  roster: Roster;
  disk?: Disk;
  now?: () => number;
  restored?: Restored;
  version?: string;
  work?: WorkLimits;
}

export class Node {
  readonly name: string;
  readonly key: SigningKey;
  readonly disk: Disk;
  readonly store: ObjectStore;
  readonly logs: Logs;
  readonly log: DomainLog;
  /** Own entries as they were handed out for pushing. */
  readonly pushed: Uint8Array[] = [];
  readonly proofs: { author: PeerKey; proof: Uint8Array }[] = [];
  readonly #roster: Roster;

  private constructor(options: {
    name: string;
    key: SigningKey;
    disk: Disk;
    store: ObjectStore;
    logs: Logs;
    log: DomainLog;
    roster: Roster;
  }) {
    this.name = options.name;
    this.key = options.key;
    this.disk = options.disk;
    this.store = options.store;
    this.logs = options.logs;
    this.log = options.log;
    this.#roster = options.roster;
    this.log.onOwnEntry((entry) => this.pushed.push(entry));
    this.log.onFork((author, proof) => this.proofs.push({ author, proof }));
  }

  static async start({
    name,
    key = generateSigningKey(),
    roster,
    disk = new Disk(),
    now = Date.now,
    restored,
    version = '1.0.0',
    work,
  }: NodeOptions): Promise<Node> {
    roster.add(key, name);
    const store = await openObjectStore({ kv: disk, node: name, now });
    const logs = createLogs({ store, version, logger: silentLogger, now, restored, work });
    store.addParticipant(logs.participant);
    const log = await logs.open(DOMAIN, DOMAIN_NAME, key, roster);
    return new Node({ name, key, disk, store, logs, log, roster });
  }

  get author(): PeerKey {
    return this.key.publicKey;
  }

  /** Stops without a word, as a crash does, and starts on the same disk. */
  async restart({ version }: Pick<NodeOptions, 'version'> = {}): Promise<Node> {
    await this.logs.close();
    return Node.start({ name: this.name, key: this.key, roster: this.#roster, disk: this.disk, ...(version && { version }) });
  }

  put(app: ApiObject): Promise<ApiObject> {
    return this.store.transact((tx) => tx.put(app));
  }

  async expose(name: string, fields: { generation?: number; service?: string; domains?: string[] } = {}): Promise<ApiObject> {
    const before = await this.store.get(appRef(this.name, name));
    const generation = fields.generation ?? (before?.metadata.generation ?? 0) + 1;
    return this.put({
      ...app(this.name, name, fields),
      metadata: { ...app(this.name, name).metadata, uid: before?.metadata.uid ?? '', generation },
    });
  }

  withdraw(name: string): Promise<boolean> {
    return this.store.transact((tx) => tx.delete(appRef(this.name, name)));
  }

  /** What this node shows, `namespace/name` → JSON. */
  async shown(): Promise<Record<string, string>> {
    const { items } = await this.store.list({ group: SIGHTLINE_GROUP, plural: 'dtapps' });
    return Object.fromEntries(items.map((item) => [`${item.metadata.namespace}/${item.metadata.name}`, JSON.stringify(item)]));
  }

  async names(): Promise<string[]> {
    return Object.keys(await this.shown()).sort();
  }

  /** Takes from `other` all that we lack, as /dtkd/sync does. Returns how many entries came. */
  async pull(other: Node, maxBytes = 20_000): Promise<number> {
    let count = 0;
    while (await this.log.isBehind(await other.log.heads())) {
      const entries = await other.log.missing(await this.log.asks(), maxBytes);
      let applied = 0;
      for (const entry of entries) if ((await this.log.receive(entry)) === 'applied') applied += 1;
      if (applied === 0) return count;
      count += applied;
    }
    return count;
  }
}

export function appRef(namespace: string, name: string): ObjectRef {
  return { group: SIGHTLINE_GROUP, plural: 'dtapps', namespace, name };
}

/** A dtApp as a user writes it. */
export function app(
  namespace: string,
  name: string,
  { service = 'web', domains = [DOMAIN_NAME] }: { service?: string; domains?: string[] } = {},
): ApiObject {
  return {
    apiVersion: `${SIGHTLINE_GROUP}/v1`,
    kind: 'dtApp',
    metadata: { namespace, name, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
    spec: { serviceSelector: { name: service }, domainSelector: { name: domains } },
  };
}

/** The published form of such an app, as an author's log carries it. */
export function publishedApp(
  name: string,
  fields: { generation?: number; service?: string; version?: number; uid?: string } = {},
): ApiObject {
  const { generation = 1, service = 'web', version = 1, uid = hashHex(Buffer.from(name)).slice(0, 32) } = fields;
  return {
    apiVersion: `${SIGHTLINE_GROUP}/v1`,
    kind: 'dtApp',
    metadata: { name, uid, resourceVersion: String(version), generation, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { serviceSelector: { name: service }, domainSelector: { name: [DOMAIN_NAME] } },
  };
}

export const keyOfApp = (name: string): string => `${SIGHTLINE_GROUP}/dtapps/${name}`;
