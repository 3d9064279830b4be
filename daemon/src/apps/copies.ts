import { isDeepStrictEqual } from 'node:util';
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import { apiVersionOf } from '../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { Change, ObjectStore, Participant, Transaction } from '../store/object-store.types.ts';
import { appUri, copyUid } from './app-id.ts';
import { type AppStatus, type CopyContent, copyContent, copyStatus, ownStatus, withServerFields } from './app-status.ts';
import { type App, type AppTable, appRef, type OwnApp, type RemoteApp } from './app-table.ts';
import type { PeerDirectory } from './peer-directory.ts';
import type { Targets } from './targets.ts';

/** Apps written in one transaction: one fsync serves many, and other writers do not wait long. */
const BATCH = 128;
/** Pause after a failed write (a full disk, say), doubled with each further failure. */
const RETRY_MS = 2_000;
const MAX_RETRY_MS = 60_000;

/**
 * Keeps the store's view of dtApps up to date: a copy in this node's namespace for each app of another member, and the URI, status and
 * message of the node's own apps. Writes only what differs, and does not raise the generation for a mere change of status. Its own writes
 * cause no further ones, so one change makes one write. One object that cannot be written does not hold up the others.
 */
export class CopiesController {
  private readonly store: ObjectStore;
  private readonly table: AppTable;
  private readonly peers: PeerDirectory;
  private readonly node: { name: string; suffix: string };
  private readonly ingressPort: () => number;
  private readonly targetsOf: (app: OwnApp) => Promise<Targets>;
  private readonly logger: Logger;
  private dirty = new Set<string>();
  /** Ids whose write failed, until they are retried. Own apps are then written one at a time. */
  private readonly failed = new Set<string>();
  private running: Promise<void> | undefined;
  private waits = true;
  private retry: NodeJS.Timeout | undefined;
  private retryMs = RETRY_MS;
  /** The last failure that was logged, so that a repeated one is not logged again. */
  private told: string | undefined;
  private stopped = false;
  private unsubscribe: () => void = () => undefined;
  /** The `basisOf` with which each app was last written, to find those that a change of the mesh affects. */
  private readonly seen = new Map<string, string>();
  /** Copies that were stored at the start and have not been checked yet, with the namespace of their owner. */
  private readonly stored = new Map<string, string>();
  private readonly statuses = new Map<string, { own: boolean; status: string }>();
  /** Replicas whose copy was written in the same transaction, with the `basisOf` at that time. */
  private readonly made = new WeakMap<ApiObject, string>();
  private started = false;
  /** Writes the copy of an app in the transaction that brings the app: both appear together, with one fsync. */
  private readonly participant: Participant = {
    prepare: (changes, tx) => this.copyAtOnce(changes, tx),
    committed: () => undefined,
    aborted: () => undefined,
  };

  constructor(options: {
    store: ObjectStore;
    table: AppTable;
    peers: PeerDirectory;
    node: { name: string; suffix: string };
    ingressPort(): number;
    targetsOf(app: OwnApp): Promise<Targets>;
    logger: Logger;
  }) {
    this.store = options.store;
    this.table = options.table;
    this.peers = options.peers;
    this.node = options.node;
    this.ingressPort = options.ingressPort;
    this.targetsOf = options.targetsOf;
    this.logger = options.logger;
    this.store.addParticipant(this.participant);
  }

  /** Starts to follow the table. `stored`: the copies in the store with their owners. Some may have lost their app meanwhile. */
  start(stored: ReadonlyMap<string, string>): void {
    this.started = true;
    this.table.onChange((ids) => this.mark([...ids].filter((id) => !this.isMade(id))));
    this.unsubscribe = this.store.subscribe((changes) => this.onServices(changes));
    for (const [id, owner] of stored) this.stored.set(id, owner);
    this.mark([...this.table.all()].map((app) => app.id));
  }

  /** To be called once the mesh knows its domains. Nothing is written before, since every domain would appear to be missing. */
  domainsKnown(): void {
    this.waits = false;
    this.resume();
  }

  /** Removes stored copies that have no app, except those whose author may merely be unknown so far. */
  private sortStored(): void {
    const gone: string[] = [];
    for (const [id, owner] of this.stored) {
      if (this.table.byId(id) === undefined && this.table.hasUnknownAuthor(owner)) continue;
      this.stored.delete(id);
      gone.push(id);
    }
    this.mark(gone);
  }

  private resume(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.sortStored();
    this.mark(this.failed);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.unsubscribe();
    clearTimeout(this.retry);
    await this.running;
  }

  /** To be called when the mesh changed. */
  recheck(): void {
    if (this.waits) return;
    if (this.retry === undefined) this.sortStored();
    else this.resume();
    const changed: string[] = [];
    for (const app of this.table.all()) if (this.seen.get(app.id) !== this.basisOf(app)) changed.push(app.id);
    this.mark(changed);
  }

  /** Everything besides stored objects that an app's status depends on. */
  private basisOf(app: App): string {
    if (app.kind === 'own') return app.selectors.domains.filter((domain) => this.peers.hasDomain(domain)).join(' ');
    const peer = this.peers.peer(app.author);
    return peer !== undefined && peer.reach !== 'away' ? 'reachable' : `away ${peer?.since}`;
  }

  summary(): { own: number; copies: number; byStatus: Record<string, number> } {
    const byStatus: Record<string, number> = {};
    let own = 0;
    for (const entry of this.statuses.values()) {
      byStatus[entry.status] = (byStatus[entry.status] ?? 0) + 1;
      if (entry.own) own += 1;
    }
    return { own, copies: this.statuses.size - own, byStatus };
  }

  private onServices(changes: readonly Change[]): void {
    const names = new Set<string>();
    for (const { ref } of changes) {
      const counts = ref.group === '' && (ref.plural === 'services' || ref.plural === 'endpoints');
      if (counts && ref.namespace === this.node.name) names.add(ref.name);
    }
    if (names.size === 0) return;
    const ids: string[] = [];
    for (const app of this.table.all()) {
      if (app.kind === 'own' && app.selectors.service !== undefined && names.has(app.selectors.service.name)) ids.push(app.id);
    }
    this.mark(ids);
  }

  private mark(ids: Iterable<string>): void {
    for (const id of ids) this.dirty.add(id);
    if (this.dirty.size > 0 && !this.stopped && this.running === undefined && !this.waits) {
      this.running = this.run().finally(() => {
        this.running = undefined;
        this.mark([]);
      });
    }
  }

  private async run(): Promise<void> {
    // Changes come in bursts: everything marked in this turn goes into one transaction.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.dirty.size > 0 && !this.stopped) {
      const batch = this.nextBatch();
      for (const id of batch) this.dirty.delete(id);
      try {
        await this.write(batch);
        for (const id of batch) this.failed.delete(id);
        if (this.failed.size === 0) {
          this.retryMs = RETRY_MS;
          this.told = undefined;
        }
      } catch (error) {
        this.putOff(batch, error);
      }
    }
  }

  /**
   * The next ids to write: either copies or own apps. A domain may refuse a write of this node's own apps, and that must affect neither
   * copies nor the apps of other domains. Own apps that have failed before come one at a time.
   */
  private nextBatch(): string[] {
    const copies: string[] = [];
    const own: string[] = [];
    for (const id of this.dirty) (this.table.byId(id)?.kind === 'own' ? own : copies).push(id);
    if (copies.length > 0) return copies.slice(0, BATCH);
    const fresh = own.filter((id) => !this.failed.has(id));
    return fresh.length > 0 ? fresh.slice(0, BATCH) : own.slice(0, 1);
  }

  private putOff(batch: readonly string[], error: unknown): void {
    for (const id of batch) this.failed.add(id);
    if (batch.length > 1 && batch.every((id) => this.table.byId(id)?.kind === 'own')) {
      for (const id of batch) this.dirty.add(id);
      return;
    }
    const message = error instanceof Error ? error.message : 'unknown';
    if (message !== this.told) this.logger.warn({ error: message }, 'the copies of apps could not be written');
    this.told = message;
    if (this.retry !== undefined || this.stopped) return;
    this.retry = setTimeout(() => this.resume(), this.retryMs);
    this.retryMs = Math.min(2 * this.retryMs, MAX_RETRY_MS);
  }

  /** The participant's part: writes copies in the transaction of their apps. Large batches (a member's whole state) are left to `run`. */
  private async copyAtOnce(changes: readonly Change[], tx: Transaction): Promise<void> {
    if (!this.started || this.stopped || changes.length > BATCH) return;
    for (const { type, ref, object, origin } of changes) {
      if (origin !== 'replica' || type === 'DELETED' || ref.group !== dtAppKind.group || ref.plural !== dtAppKind.plural) continue;
      const app = this.table.read(object);
      if (app?.kind !== 'remote') continue;
      const basis = this.basisOf(app);
      try {
        await this.writeCopy(tx, app, copyStatus(app, this.peers.peer(app.author)));
        this.made.set(object, basis);
      } catch {
        // A failed copy must not refuse what a member wrote. `run` tries again, and logs a failure, once the change is announced.
      }
    }
  }

  /** True if an app's copy was written together with the app and nothing that it depends on has changed since. */
  private isMade(id: string): boolean {
    const app = this.table.byId(id);
    const basis = app?.kind === 'remote' ? this.made.get(app.object) : undefined;
    if (app?.kind !== 'remote' || basis === undefined || basis !== this.basisOf(app)) return false;
    this.note(app, copyStatus(app, this.peers.peer(app.author)));
    return true;
  }

  private async write(batch: readonly string[]): Promise<void> {
    const targets = new Map<string, Targets>();
    for (const id of batch) {
      const app = this.table.byId(id);
      if (app?.kind === 'own') targets.set(id, await this.targetsOf(app));
    }
    await this.store.transact(async (tx) => {
      for (const id of batch) {
        const app = this.table.byId(id);
        if (app === undefined) await this.removeCopy(tx, id);
        else if (app.kind === 'remote') await this.putCopy(tx, app);
        else await this.putStatus(tx, app, targets.get(id));
      }
    });
  }

  private async removeCopy(tx: Transaction, id: string): Promise<void> {
    this.seen.delete(id);
    this.statuses.delete(id);
    const ref = appRef(this.node.name, id);
    if ((await tx.originOf(ref)) === 'projection') await tx.delete(ref);
  }

  private async putCopy(tx: Transaction, app: RemoteApp): Promise<void> {
    const status = copyStatus(app, this.peers.peer(app.author));
    this.note(app, status);
    await this.writeCopy(tx, app, status);
  }

  private note(app: RemoteApp, status: AppStatus): void {
    this.seen.set(app.id, this.basisOf(app));
    this.statuses.set(app.id, { own: false, status: status.status });
  }

  private async writeCopy(tx: Transaction, app: RemoteApp, status: AppStatus): Promise<void> {
    const content = copyContent(app, status, this.uriOf(app));
    const ref = appRef(this.node.name, app.id);
    const existing = await tx.get(ref);
    if (existing !== undefined && (await tx.originOf(ref)) !== 'projection') return;
    const object = copyObject(app, content, this.node.name, existing);
    if (object !== undefined) await tx.put(object, { origin: 'projection' });
  }

  private async putStatus(tx: Transaction, app: OwnApp, targets: Targets | undefined): Promise<void> {
    if (targets === undefined) return;
    this.seen.set(app.id, this.basisOf(app));
    const status = ownStatus(app.selectors, targets, (domain) => this.peers.hasDomain(domain));
    this.statuses.set(app.id, { own: true, status: status.status });
    const existing = await tx.get(appRef(this.node.name, app.name));
    // Replaced meanwhile: that change marks it again.
    if (existing === undefined || existing.metadata.uid !== app.uid) return;
    const object = withServerFields(existing, status, this.uriOf(app));
    if (object !== undefined) await tx.put(object);
  }

  private uriOf(app: App): string {
    return appUri(app.id, this.node, this.ingressPort());
  }
}

/** The copy to store, or undefined if `existing` is up to date. Its generation counts the owner's changes as seen here. */
function copyObject(app: RemoteApp, content: CopyContent, node: string, existing: ApiObject | undefined): ApiObject | undefined {
  const base = { apiVersion: apiVersionOf(dtAppKind), kind: dtAppKind.kind };
  if (existing === undefined) {
    const stamps = { uid: copyUid(app.id), resourceVersion: '', generation: 1, creationTimestamp: '' };
    return { ...base, metadata: { name: app.id, namespace: node, ...stamps, labels: content.labels }, ...content.fields };
  }
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...fields } = existing;
  const sameLabels = isDeepStrictEqual(metadata.labels, content.labels);
  if (sameLabels && isDeepStrictEqual(fields, content.fields)) return undefined;
  const generation = isDeepStrictEqual(written(fields), written(content.fields)) ? metadata.generation : metadata.generation + 1;
  return { ...base, metadata: { ...metadata, labels: content.labels, generation }, ...content.fields };
}

function written(fields: Record<string, unknown>): unknown[] {
  return [fields['serviceSelector'], fields['domainSelector'], fields['spec']];
}
