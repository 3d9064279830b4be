/** A node with a store, a mesh of memory and its apps; and small origins for it to serve. */
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { createApps } from '../../daemon/src/apps/apps.ts';
import type { Apps, AppUsers, Author } from '../../daemon/src/apps/ports.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import type { ObjectStore } from '../../daemon/src/store/object-store.types.ts';
import { dtAppKind } from '../../protocol/kinds/dtapp.ts';
import type { ApiObject, ObjectRef } from '../../protocol/objects/objects.ts';
import type { UserPrincipal } from '../../protocol/rights/principal.ts';
import { silentLogger } from '../silent-logger.ts';
import { memoryKv } from '../store/memory-kv.ts';
import { waitFor } from '../wait.ts';
import { MemoryNetwork, type NodeMesh } from './memory-mesh.ts';

/** Users of a site and rights on its apps, as a test sets them. */
export class FakeUsers implements AppUsers {
  readonly #node: string;
  readonly #tokens = new Map<string, UserPrincipal>();
  readonly #rights = new Set<string>();
  readonly #listeners = new Set<() => void>();

  constructor(node: string) {
    this.#node = node;
  }

  /** Adds a user; returns its token. */
  add(name: string): string {
    const token = `dtkd_${this.#node}-${name}`;
    this.#tokens.set(token, { type: 'user', home: 'self', name, uid: `uid-of-${name}`, display: `${name}@${this.#node}` });
    return token;
  }

  /** Ends a token. */
  end(token: string): void {
    this.#tokens.delete(token);
    for (const listener of this.#listeners) listener();
  }

  /** Gives or takes REQUEST on every app of this site to a user, by what decisions show. */
  let(display: string, allowed: boolean): void {
    if (allowed) this.#rights.add(display);
    else this.#rights.delete(display);
    for (const listener of this.#listeners) listener();
  }

  userOf(token: string): UserPrincipal | undefined {
    return this.#tokens.get(token);
  }

  remoteUser(from: Author, user: { name: string; uid: string }): UserPrincipal {
    return { type: 'user', home: from.peer, name: user.name, uid: user.uid, display: `${user.name}@${from.peer.slice(0, 8)}` };
  }

  mayRequest(user: UserPrincipal): { allowed: true } | { allowed: false; reason: string } {
    return this.#rights.has(user.display) ? { allowed: true } : { allowed: false, reason: `${user.display} may not REQUEST the app` };
  }

  /** Decisions that were written down. */
  readonly admitted: string[] = [];

  admit(user: UserPrincipal): { allowed: true } | { allowed: false; reason: string } {
    const decision = this.mayRequest(user);
    this.admitted.push(`${user.display} ${decision.allowed}`);
    return decision;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export interface Site {
  name: string;
  users: FakeUsers;
  store: ObjectStore;
  mesh: NodeMesh;
  apps: Apps;
  port: number;
}

export interface AppSpec {
  name?: string;
  domains?: string[];
  ports: number[];
  authenticationURL?: string;
  capability?: boolean;
  allowCrossSite?: boolean;
}

/** Sites of one test, and everything to be closed after it. */
export class Stage {
  readonly network = new MemoryNetwork();
  readonly sites = new Map<string, Site>();
  /** What its daemons warned of. */
  readonly warnings: string[] = [];
  private readonly closers: (() => unknown)[] = [];

  async site(name: string, domains: readonly string[] = ['d'], options: { lanes?: boolean; suffix?: string } = {}): Promise<Site> {
    const mesh = await this.network.node(name, domains, options);
    const store = await openObjectStore({ kv: memoryKv(), node: name });
    const site = await this.startApps(name, mesh, store, options.suffix ?? 'dtkd.localhost');
    this.sites.set(name, site);
    return site;
  }

  private async startApps(name: string, mesh: NodeMesh, store: ObjectStore, suffix: string, meshStarts = async () => {}): Promise<Site> {
    const users = this.sites.get(name)?.users ?? new FakeUsers(name);
    const apps = createApps({
      store,
      users,
      mesh,
      node: { name, suffix },
      ingress: { host: '127.0.0.1', port: 0 },
      authorOf: (namespace) => (namespace === name ? undefined : this.network.authorOf(namespace)),
      ownListeners: () => [apps.ingressAddress()],
      logger: { ...silentLogger, warn: (_fields, message) => void this.warnings.push(message) },
    });
    await apps.start();
    await meshStarts();
    apps.domainsKnown();
    return { name, users, store, mesh, apps, port: apps.ingressAddress().port };
  }

  /** Stops a site's apps, does something to its store, and starts them again. Meanwhile `meshStarts` says which domains there are. */
  async restart(site: Site, meanwhile: () => Promise<unknown>, meshStarts?: () => Promise<void>): Promise<Site> {
    await site.apps.stop();
    await meanwhile();
    const again = await this.startApps(site.name, site.mesh, site.store, 'dtkd.localhost', meshStarts);
    this.sites.set(site.name, again);
    return again;
  }

  onClose(close: () => unknown): void {
    this.closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.closers.reverse()) await close();
    await Promise.all([...this.sites.values()].map((site) => site.apps.stop()));
    await Promise.all([...this.sites.values()].map((site) => site.store.close()));
    await this.network.close();
  }

  async origin(listener: RequestListener): Promise<number> {
    const server = createHttpServer({ keepAliveTimeout: 60_000 }, listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.onClose(() => {
      server.closeAllConnections();
      server.close();
    });
    return portOf(server.address());
  }

  async tcpOrigin(listener: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
      listener(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.onClose(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return portOf(server.address());
  }

  /** Puts Service, Endpoints and dtApp at a site and shares the app with every other site; returns its host at each. */
  async expose(owner: Site, spec: AppSpec): Promise<Record<string, string>> {
    const name = spec.name ?? 'app';
    await put(owner.store, service(owner.name, name));
    await put(owner.store, endpoints(owner.name, name, spec.ports));
    await this.putApp(owner, spec);
    const hosts: Record<string, string> = {};
    for (const site of this.sites.values()) {
      const visible = site === owner || this.shares(owner, site, spec.domains ?? ['d']);
      if (visible) hosts[site.name] = await this.hostAt(site, owner, name);
    }
    return hosts;
  }

  private shares(owner: Site, other: Site, domains: readonly string[]): boolean {
    const mine = new Set(owner.mesh.domains().map((domain) => domain.name));
    return other.mesh.domains().some((domain) => mine.has(domain.name) && domains.includes(domain.name));
  }

  /** Writes the dtApp and carries it to the other members, as their logs would. */
  async putApp(owner: Site, spec: AppSpec): Promise<ApiObject> {
    const name = spec.name ?? 'app';
    const stored = await put(owner.store, dtApp(owner.name, name, spec));
    for (const site of this.sites.values()) {
      if (site === owner || !this.shares(owner, site, spec.domains ?? ['d'])) continue;
      const published = dtAppKind.published?.(stored, (spec.domains ?? ['d'])[0] ?? '') ?? stored;
      const replica = { ...published, metadata: { ...published.metadata, namespace: owner.name } };
      await site.store.transact((tx) => tx.put(replica, { origin: 'replica' }));
    }
    return stored;
  }

  async deleteApp(owner: Site, name: string, at: readonly Site[] = [...this.sites.values()]): Promise<void> {
    for (const site of at) await site.store.transact((tx) => tx.delete(ref('sid.sightlineinnovation.com', 'dtapps', owner.name, name)));
  }

  /** Host of an app at a site, once its object says so. */
  async hostAt(site: Site, owner: Site, name: string): Promise<string> {
    const object = await waitFor(async () => (await appsAt(site)).find((one) => isAppOf(one, owner, name) && one['URI'] !== undefined), {
      what: `${name} of ${owner.name} at ${site.name}`,
    });
    return new URL(String(object['URI'])).host;
  }
}

export async function appsAt(site: Site): Promise<ApiObject[]> {
  return (await site.store.list({ group: dtAppKind.group, plural: dtAppKind.plural, namespace: site.name })).items;
}

export function isAppOf(object: ApiObject, owner: Site, name: string): boolean {
  return object['owner'] === undefined
    ? object.metadata.name === name && object.metadata.namespace === owner.name
    : object['owner'] === owner.name && object.metadata.labels?.['dtkd.dev/app'] === name;
}

export function portOf(address: unknown): number {
  if (typeof address === 'object' && address !== null && 'port' in address && typeof address.port === 'number') return address.port;
  throw new Error('no port');
}

function ref(group: string, plural: string, namespace: string, name: string): ObjectRef {
  return { group, plural, namespace, name };
}

function meta(namespace: string, name: string) {
  return { name, namespace, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
}

/** Stores an object as the API would: a known one keeps its uid. */
export function put(store: ObjectStore, object: ApiObject): Promise<ApiObject> {
  const group = object.apiVersion.includes('/') ? (object.apiVersion.split('/')[0] ?? '') : '';
  const plural = { Service: 'services', Endpoints: 'endpoints', dtApp: 'dtapps' }[object.kind] ?? '';
  return store.transact(async (tx) => {
    const before = await tx.get(ref(group, plural, object.metadata.namespace ?? '', object.metadata.name));
    if (before === undefined) return await tx.put(object);
    return await tx.put({ ...object, metadata: { ...before.metadata, generation: before.metadata.generation + 1 } });
  });
}

export function service(node: string, name: string, ports: object[] = [{ port: 8080, protocol: 'TCP', targetPort: 'web' }]): ApiObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: meta(node, name), spec: { ports } };
}

export function endpoints(node: string, name: string, ports: readonly number[], ip = '127.0.0.1'): ApiObject {
  const subsets = ports.map((port) => ({ addresses: [{ ip }], ports: [{ name: 'web', port }] }));
  return { apiVersion: 'v1', kind: 'Endpoints', metadata: meta(node, name), subsets };
}

export function dtApp(node: string, name: string, spec: Partial<AppSpec>): ApiObject {
  return {
    apiVersion: 'sid.sightlineinnovation.com/v1',
    kind: 'dtApp',
    metadata: meta(node, name),
    serviceSelector: { name },
    domainSelector: { name: spec.domains ?? ['d'] },
    spec: {
      authenticationType: spec.capability === true ? 'Capability' : spec.authenticationURL === undefined ? 'None' : 'Custom',
      ...(spec.authenticationURL === undefined ? {} : { authenticationURL: spec.authenticationURL }),
      ...(spec.allowCrossSite === undefined ? {} : { allowCrossSite: spec.allowCrossSite }),
    },
  };
}

/** Sends bytes to a port and collects everything until the other side closes; `aborted` tells a reset from an end. */
export function exchange(
  port: number,
  bytes: string | Buffer,
  options: { end?: boolean } = {},
): Promise<{ text: string; aborted: boolean }> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    let text = '';
    let aborted = false;
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {
      aborted = true;
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve({ text, aborted }));
    socket.write(bytes);
    if (options.end === true) socket.end();
  });
}

/** An HTTP/1.1 request as text, lines joined with CR LF. */
export function message(...lines: string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}
