/**
 * Keeps dtDomain, dtPeer and Namespace objects in line with the mesh, and turns documents into domains: a dtDomain without `spec.peer`
 * creates one, with `spec.peer` joins one and keeps trying until the node is a member or was refused. Decides nothing about membership.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId } from '../../../../protocol/ids.ts';
import { SIGHTLINE_GROUP } from '../../../../protocol/kinds/dtdomain.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { EventRecorder } from '../../store/event-recorder.ts';
import type { Change, ObjectStore, Transaction } from '../../store/object-store.types.ts';
import type { DomainView, JoinOptions, Mesh, PeerView, Reach } from '../mesh.types.ts';
import { connectionNews, dtDomainFields, dtPeerFields, hasFields, withFields } from './domain-view.ts';
import { Joiner } from './joiner.ts';
import { keepNamespaces } from './namespaces.ts';

export const DOMAINS = { group: SIGHTLINE_GROUP, plural: 'dtdomains' } as const;
export const PEERS = { group: SIGHTLINE_GROUP, plural: 'dtpeers' } as const;
const API_VERSION = `${SIGHTLINE_GROUP}/v1`;

/** Changes of the mesh within this time are combined into one write. Milliseconds. */
const SETTLE_MS = 25;
/** Delay before a failed write (a full disk) is repeated: the next change of the mesh may be far away. Milliseconds. */
const RETRY_MS = 5_000;
/** Objects of one kind that one node may have of its own; far above the limit on members. */
const LIST_LIMIT = 100_000;

export interface DomainControllerOptions {
  store: ObjectStore;
  mesh: Mesh;
  node: { name: string; suffix: string };
  events: EventRecorder;
  logger: Logger;
  now: () => number;
}

interface ShownPeer {
  view: DomainView;
  peer: PeerView;
  fields: Record<string, unknown>;
}

export class DomainController {
  readonly #options: DomainControllerOptions;
  readonly #joiner: Joiner;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #unsubscribe: (() => void) | undefined;
  #stopped = false;
  #reported = new Map<string, Reach>();

  constructor(options: DomainControllerOptions) {
    this.#options = options;
    this.#joiner = new Joiner({ ...options, onSettled: () => this.refresh() });
  }

  async start(): Promise<void> {
    const { mesh, store } = this.#options;
    const ends = [mesh.onChange(() => this.#schedule(SETTLE_MS)), store.subscribe((changes) => this.#considerChanges(changes))];
    this.#unsubscribe = () => {
      for (const end of ends) end();
    };
    await this.refresh();
    const page = await this.#options.store.list({ ...DOMAINS, namespace: this.#options.node.name, limit: LIST_LIMIT });
    for (const object of page.items) this.#joiner.consider(object);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe?.();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#joiner.stop();
    await this.#running;
  }

  /**
   * Starts a join for a document that asks for it for the first time, or with another address or token; ignores what the joiner itself
   * writes.
   */
  #considerChanges(changes: readonly Change[]): void {
    for (const { ref, object, previous, type } of changes) {
      if (ref.group !== DOMAINS.group || ref.plural !== DOMAINS.plural) continue;
      if (type === 'DELETED') {
        // It may have been deleted as never joined, though it was.
        if (this.#options.mesh.domain(ref.name) !== undefined) this.#schedule(SETTLE_MS);
        continue;
      }
      const asked = (document: ApiObject | undefined): string => JSON.stringify([document?.['status'] === 'Joining', document?.['spec']]);
      if (asked(previous) !== asked(object)) this.#joiner.consider(object);
    }
  }

  get joiner(): Joiner {
    return this.#joiner;
  }

  refOf(name: string): ObjectRef {
    return { ...DOMAINS, namespace: this.#options.node.name, name };
  }

  /** Brings all objects up to date. Resolves once that is durable, or has failed and will be repeated. */
  refresh(): Promise<void> {
    this.#running = this.#running
      .then(() => this.#reconcile())
      .catch((error: unknown) => {
        this.#options.logger.warn({ err: error }, 'Domain objects could not be updated');
        this.#schedule(RETRY_MS);
      });
    return this.#running;
  }

  #schedule(ms: number): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.refresh();
    }, ms);
  }

  async #reconcile(): Promise<void> {
    const { store, mesh, node, now } = this.#options;
    const views = mesh.domains();
    const fields = new Map<string, Record<string, unknown>>();
    const present = new Set(views.map(({ name }) => name));
    for (const view of views) {
      // Until the domain is open, its object belongs to a document that asks to join, or to an earlier domain: the join may fail.
      if (view.state === 'Joining') continue;
      // The domain may have been left during the calls for others.
      const invites = view.holdsRoot && mesh.domain(view.name) !== undefined ? await mesh.invites(view.name) : [];
      fields.set(view.name, dtDomainFields(view, invites, now()));
    }
    const peers = new Map<string, ShownPeer>();
    for (const view of views) {
      for (const peer of view.peers) peers.set(peer.id, { view, peer, fields: dtPeerFields(view.name, peer, node.suffix) });
    }
    const known = await store.list({ ...PEERS, namespace: node.name, limit: LIST_LIMIT });
    const domains = await store.list({ ...DOMAINS, namespace: node.name, limit: LIST_LIMIT });
    const stale = known.items.filter((peer) => !peers.has(peer.metadata.name));
    const peerByName = new Map(known.items.map((peer) => [peer.metadata.name, peer]));
    const domainByName = new Map(domains.items.map((domain) => [domain.metadata.name, domain]));
    const changed =
      stale.length > 0 ||
      [...peers].some(([id, peer]) => !hasFields(peerByName.get(id) ?? {}, peer.fields)) ||
      [...fields].some(([name, wanted]) => !hasFields(domainByName.get(name) ?? {}, wanted)) ||
      domains.items.some((domain) => isOrphan(domain, present));
    if (changed) {
      await store.transact(async (tx) => {
        for (const peer of stale) await tx.delete({ ...PEERS, namespace: node.name, name: peer.metadata.name });
        for (const [id, peer] of peers)
          await this.#putFields(tx, { ...PEERS, namespace: node.name, name: id }, 'dtPeer', peer.fields, 'projection');
        for (const [name, wanted] of fields) await this.#putFields(tx, this.refOf(name), 'dtDomain', wanted, 'own');
        for (const domain of domains.items) {
          if (isOrphan(domain, present)) await tx.delete(this.refOf(domain.metadata.name));
        }
      });
    }
    await keepNamespaces(store, new Set([node.name, ...[...peers.values()].map(({ peer }) => peer.displayName)]));
    await this.#reportConnections(peers);
  }

  async #putFields(
    tx: Transaction,
    ref: ObjectRef,
    kind: string,
    fields: Record<string, unknown>,
    origin: 'own' | 'projection',
  ): Promise<void> {
    const stored = await tx.get(ref);
    if (stored !== undefined && hasFields(stored, fields)) return;
    const base: ApiObject = stored ?? {
      apiVersion: API_VERSION,
      kind,
      metadata: { name: ref.name, namespace: ref.namespace, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
    };
    await tx.put(withFields(base, fields), { origin });
  }

  /** Records connections that came and went as Events of the dtDomain. */
  async #reportConnections(peers: ReadonlyMap<string, ShownPeer>): Promise<void> {
    const { store, events } = this.#options;
    const next = new Map<string, Reach>();
    for (const [id, { view, peer }] of peers) {
      const before = this.#reported.get(id);
      const seen = peer.reach === 'idle' ? before : peer.reach;
      if (seen !== undefined) next.set(id, seen);
      const news = peer.self ? undefined : connectionNews(before, peer.reach);
      const about = news === undefined ? undefined : await store.get(this.refOf(view.name));
      if (about === undefined) continue;
      events.record(
        news === 'connected'
          ? { about, type: 'Normal', reason: 'PeerConnected', message: `${peer.displayName} is connected` }
          : { about, type: 'Warning', reason: 'PeerAway', message: `${peer.displayName} cannot be reached` },
      );
    }
    this.#reported = next;
  }

  /** Creates a domain and returns its object, with the recovery key that is shown once. */
  async found(name: string): Promise<{ domain: ApiObject; recoveryKey: string }> {
    const { domain, recoveryKey } = await this.#options.mesh.create(name);
    try {
      await this.#options.mesh.invite(name);
      return { domain: await this.shown(name, domain.id), recoveryKey };
    } catch (cause) {
      throw this.#isIn(domain) ? halfFounded(name, cause) : leftMeanwhile(name);
    }
  }

  /** Joins a domain now. Errors: those of `Mesh.join`. */
  async join(name: string, address: string, token: string, options: JoinOptions): Promise<ApiObject> {
    const { id } = await this.#options.mesh.join(name, address, token, options);
    return this.shown(name, id);
  }

  /** The object of a domain that this node is in, brought up to date. Errors: CONFLICT if it is no longer in that one. */
  async shown(name: string, id: DomainId): Promise<ApiObject> {
    // An object that somebody deletes at this moment is shown again.
    for (let again = 0; again < 2; again += 1) {
      await this.refresh();
      const object = await this.#options.store.get(this.refOf(name));
      if (object?.['domainId'] === id) return object;
      if (!this.#isIn({ name, id })) throw leftMeanwhile(name);
    }
    throw new DtkdError('INTERNAL', `the domain ${name} was created, but its object could not be stored`);
  }

  #isIn({ name, id }: { name: string; id: DomainId }): boolean {
    return this.#options.mesh.domain(name)?.id === id;
  }
}

/** Somebody else may make this node leave a domain while it is being created or joined. */
function leftMeanwhile(name: string): DtkdError {
  return new DtkdError('CONFLICT', `somebody else had this node leave the domain "${name}" at once`, { next: 'See "dtkd domain ls".' });
}

/** The domain exists, but nobody has seen its recovery key. It is best created again, which costs nothing as long as it is empty. */
function halfFounded(name: string, cause: unknown): DtkdError {
  const { code, message } = cause instanceof DtkdError ? cause : { code: 'INTERNAL' as const, message: 'the log of the daemon says why' };
  return new DtkdError(
    code,
    `the domain "${name}" is founded, but its object and invite could not be made, and its recovery key is lost: ${message}`,
    {
      next: `Correct that, then create it again: dtkd domain leave ${name} && dtkd domain create ${name}.`,
      cause,
    },
  );
}

/**
 * True for a dtDomain that claims membership of a domain that the mesh does not have: left, or never finished. Joining and Failed ones
 * stay.
 */
function isOrphan(domain: ApiObject, present: ReadonlySet<string>): boolean {
  return !present.has(domain.metadata.name) && domain['status'] !== 'Joining' && domain['status'] !== 'Failed';
}
