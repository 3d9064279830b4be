/** One node's access over a store in memory, with a mesh that says what the test wants. */
import { type AccessPart, createAccess } from '../../daemon/src/access/access.ts';
import type { Access, AuditRecord } from '../../daemon/src/access/access.types.ts';
import type { AccessDomain, AccessMesh, Handler, HandlerContext } from '../../daemon/src/access/ports.ts';
import type { Kv } from '../../daemon/src/store/kv.ts';
import type { LocalStore } from '../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { type DomainId, type PeerKey, parseDomainId, parsePeerKey } from '../../protocol/ids.ts';
import { kindByPlural } from '../../protocol/kinds/index.ts';
import { apiVersionOf } from '../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { AUTHOR_ANNOTATION, CREATOR_ANNOTATION, type Principal, subjectText, type UserPrincipal } from '../../protocol/rights/principal.ts';
import { silentLogger } from '../silent-logger.ts';
import { memoryKv } from '../store/memory-kv.ts';

export const NODE = 'node0';
export const SELF_KEY = parsePeerKey(`${'0'.repeat(63)}a`);
export const KEY1 = parsePeerKey('1'.repeat(64));
export const KEY2 = parsePeerKey('2'.repeat(64));
export const OPERATOR: Principal = { type: 'operator', name: 'operator' };
export const OPERATOR_TOKEN = 'the-operator-token';
const DOMAIN: DomainId = parseDomainId('d'.repeat(64));

interface Peer {
  key: PeerKey;
  displayName: string;
  claimedName?: string;
  suspended: boolean;
}

export class FakeMesh implements AccessMesh {
  peers: Peer[] = [
    { key: KEY1, displayName: 'node1', suspended: false },
    { key: KEY2, displayName: 'node2', suspended: false },
  ];
  joined = true;
  readonly #listeners = new Set<() => void>();

  domains(): AccessDomain[] {
    if (!this.joined) return [];
    const own = { key: SELF_KEY, displayName: NODE, self: true, suspended: false };
    return [{ id: DOMAIN, name: 'mydomain', self: SELF_KEY, peers: [own, ...this.peers.map((peer) => ({ ...peer, self: false }))] }];
  }

  memberNamed(namespace: string): { domain: DomainId; peer: PeerKey } | undefined {
    const peer = this.peers.find(({ displayName }) => displayName === namespace);
    return peer === undefined ? undefined : { domain: DOMAIN, peer: peer.key };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

export interface Site {
  store: LocalStore;
  mesh: FakeMesh;
  access: AccessPart;
  warnings: string[];
  time: { now: number };
  errors: object[];
  /** Lines of the audit log. */
  audited: AuditRecord[];
  /** Makes an object as the API would: asks, lets the handler have its say, stores. */
  create(principal: Principal, plural: string, name: string, fields?: object, meta?: object): Promise<ApiObject>;
  update(principal: Principal, plural: string, name: string, fields: object): Promise<ApiObject>;
  remove(principal: Principal, plural: string, name: string): Promise<void>;
  /** Shows an object of another node, as its log gave it. */
  replica(key: PeerKey, namespace: string, plural: string, name: string, fields?: object, uid?: string): Promise<ApiObject>;
  /** A user of this node, with its token. */
  user(name: string): Promise<UserPrincipal>;
  grant(to: string, verbs: string, on: object, more?: { by?: Principal; expires?: string; name?: string }): Promise<ApiObject>;
  can(principal: Principal, verb: Parameters<Access['decide']>[1]['verb'], what: string): Promise<boolean>;
  close(): Promise<void>;
}

let counter = 0;

export async function startSite({ kv = memoryKv(), mesh = new FakeMesh() }: { kv?: Kv; mesh?: FakeMesh } = {}): Promise<Site> {
  const store = await openObjectStore({ kv, node: NODE });
  const time = { now: Date.parse('2026-11-21T12:00:00Z') };
  const warnings: string[] = [];
  const errors: object[] = [];
  const audited: AuditRecord[] = [];
  const access = createAccess({
    store,
    node: { name: NODE },
    mesh,
    operator: { authenticate: (token) => (token === OPERATOR_TOKEN ? OPERATOR : undefined) },
    audit: { record: (line) => void audited.push(line) },
    now: () => time.now,
    logger: { ...silentLogger, warn: (fields) => void errors.push(fields), error: (fields) => void errors.push(fields) },
  });
  await access.start();
  const context = (principal: Principal): HandlerContext => ({ principal, dryRun: false, warn: (text) => warnings.push(text) });
  const refOf = (plural: string, name: string) => ({ group: 'dtkd.dev', plural, namespace: NODE, name });
  const handlerOf = (plural: string): Handler | undefined => access.kinds.get(`dtkd.dev/${plural}`);
  const permit = (principal: Principal, verb: 'CREATE' | 'UPDATE' | 'DELETE', plural: string, object: ApiObject) => {
    const decision = access.decide(principal, { verb, group: 'dtkd.dev', plural, name: object.metadata.name, object });
    if (!decision.allowed) throw new DtkdError('FORBIDDEN', decision.reason);
  };
  const stored = async (plural: string, name: string): Promise<ApiObject> => {
    const object = await store.get(refOf(plural, name));
    if (object === undefined) throw new DtkdError('NOT_FOUND', `${plural} ${name}`);
    return object;
  };
  const site: Site = {
    store,
    mesh,
    access,
    warnings,
    time,
    errors,
    audited,
    async create(principal, plural, name, fields = {}, meta = {}) {
      const object = { ...blank(plural, name, NODE, meta), ...fields };
      permit(principal, 'CREATE', plural, object);
      const made = (await handlerOf(plural)?.create?.(object, context(principal))) ?? object;
      if (principal.type === 'user') made.metadata.annotations = { [CREATOR_ANNOTATION]: subjectText(principal) };
      return store.transact((tx) => tx.put(made));
    },
    async update(principal, plural, name, fields) {
      const previous = await stored(plural, name);
      permit(principal, 'UPDATE', plural, previous);
      const changed = { ...previous, ...fields };
      const made = (await handlerOf(plural)?.update?.(changed, previous, context(principal))) ?? changed;
      return store.transact((tx) => tx.put(made));
    },
    async remove(principal, plural, name) {
      const object = await stored(plural, name);
      permit(principal, 'DELETE', plural, object);
      if ((await handlerOf(plural)?.delete?.(object, context(principal))) !== undefined) return;
      await store.transact((tx) => tx.delete(refOf(plural, name)));
    },
    replica(key, namespace, plural, name, fields = {}, uid = `uid-${name}`) {
      const attributed = kindByPlural('dtkd.dev', plural)?.attributed === true;
      const meta = { uid, resourceVersion: '1', ...(attributed ? { annotations: { [AUTHOR_ANNOTATION]: key } } : {}) };
      return store.transact((tx) => tx.put({ ...blank(plural, name, namespace, meta), ...fields }, { origin: 'replica' }));
    },
    async user(name) {
      const { metadata } = await site.create(OPERATOR, 'users', name);
      return { type: 'user', home: 'self', name, uid: metadata.uid, display: `${name}@${NODE}` };
    },
    grant(to, verbs, on, { by = OPERATOR, expires, name = `c-${counter++}` } = {}) {
      const spec = { to, verbs: verbs.split(','), on, ...(expires === undefined ? {} : { expires }) };
      return site.create(by, 'capabilities', name, { spec });
    },
    async can(principal, verb, what) {
      const [plural = '', name = ''] = what.split('/');
      const object = await store.get(refOf(plural, name));
      return access.decide(principal, { verb, group: 'dtkd.dev', plural, name, ...(object === undefined ? {} : { object }) }).allowed;
    },
    async close() {
      await access.stop();
      await store.close();
    },
  };
  return site;
}

function blank(plural: string, name: string, namespace: string, meta: object): ApiObject {
  const kind = kindByPlural('dtkd.dev', plural);
  if (kind === undefined) throw new Error(`no kind ${plural}`);
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: { name, namespace, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z', ...meta },
  };
}

export function remote(site: Site, name: string, key: PeerKey = KEY1, uid = `uid-${name}`): UserPrincipal {
  const namespace = site.mesh.peers.find((peer) => peer.key === key)?.displayName ?? 'gone';
  return site.access.remoteUser({ peerKey: key, namespace }, { name, uid });
}
