/** Whole sites in one process for tests of the mesh: real store, logs, membership and sockets on loopback; only the disk is in memory. */
import type { Duplex } from 'node:stream';
import type { Logger } from '../../daemon/src/logging/logger.types.ts';
import { createLogs } from '../../daemon/src/mesh/log/logs.ts';
import { createMesh } from '../../daemon/src/mesh/mesh.ts';
import type { DomainView, Mesh, PeerView } from '../../daemon/src/mesh/mesh.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import type { ObjectStore } from '../../daemon/src/store/object-store.types.ts';
import type { PeerKey } from '../../protocol/ids.ts';
import { SIGHTLINE_GROUP } from '../../protocol/kinds/dtdomain.ts';
import { silentLogger } from '../silent-logger.ts';
import { waitFor } from '../wait.ts';
import { app, appRef, Disk } from './log/node.ts';

export const LOCAL = '127.0.0.1';
export const ECHO = '/test/echo/1.0.0';

export interface SiteOptions {
  disk?: Disk;
  meshPort?: number;
  announce?: readonly string[];
  now?: () => number;
  /** Protocols that are handled after the start. */
  later?: readonly string[];
  logger?: Logger;
  /** Keys with which it has no direct connection from the beginning. */
  cut?: Iterable<PeerKey>;
}

export class Site {
  readonly name: string;
  readonly disk: Disk;
  readonly store: ObjectStore;
  readonly mesh: Mesh;
  /** Keys with which this site has no direct connection. */
  readonly cut: Set<PeerKey>;
  #stopped = false;

  private constructor(name: string, disk: Disk, store: ObjectStore, mesh: Mesh, cut: Set<PeerKey>) {
    this.cut = cut;
    this.name = name;
    this.disk = disk;
    this.store = store;
    this.mesh = mesh;
  }

  static async start(
    name: string,
    {
      disk = new Disk(),
      meshPort = 0,
      announce = [],
      now = Date.now,
      later = [],
      logger = silentLogger,
      cut: without = [],
    }: SiteOptions = {},
  ): Promise<Site> {
    const cut = new Set<PeerKey>(without);
    const store = await openObjectStore({ kv: disk, node: name, now });
    const logs = createLogs({ store, version: '1.0.0', logger: silentLogger, now });
    store.addParticipant(logs.participant);
    const mesh = createMesh({
      kv: disk,
      logs,
      nodeName: name,
      later,
      config: { meshHost: LOCAL, meshPort, announce, mdns: false },
      logger,
      now,
      cutOff: (key) => cut.has(key),
    });
    mesh.handle(ECHO, (stream: Duplex) => void stream.pipe(stream));
    const site = new Site(name, disk, store, mesh, cut);
    await mesh.start();
    return site;
  }

  view(domain = 'd'): DomainView {
    const view = this.mesh.domain(domain);
    if (view === undefined) throw new Error(`${this.name} is not in ${domain}`);
    return view;
  }

  peer(name: string, domain = 'd'): PeerView {
    const found = this.view(domain).peers.find((peer) => peer.displayName === name);
    if (found === undefined) throw new Error(`${this.name} knows no ${name} in ${domain}`);
    return found;
  }

  address(domain = 'd'): string {
    return `${LOCAL}:${this.view(domain).port}`;
  }

  async token(options: Parameters<Mesh['invite']>[1] = {}, domain = 'd'): Promise<string> {
    const { token } = await this.mesh.invite(domain, options);
    if (token === undefined) throw new Error('the invite has no token');
    return token;
  }

  async expose(name: string, domains = ['d']): Promise<void> {
    await this.store.transact((tx) => tx.put(app(this.name, name, { domains })));
  }

  async withdraw(name: string): Promise<void> {
    await this.store.transact((tx) => tx.delete(appRef(this.name, name)));
  }

  /** `namespace/name` of all dtApps that show here. */
  async apps(): Promise<string[]> {
    const { items } = await this.store.list({ group: SIGHTLINE_GROUP, plural: 'dtapps' });
    return items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.mesh.stop();
    await this.store.close();
  }
}

export class Sites {
  readonly all: Site[] = [];

  async start(name: string, options: SiteOptions = {}): Promise<Site> {
    const site = await Site.start(name, options);
    this.all.push(site);
    return site;
  }

  /** A founder of the domain `d`, and others that joined through it, all connected. */
  async domain(...names: string[]): Promise<Site[]> {
    const [first = 'a', ...rest] = names;
    const founder = await this.start(first);
    await founder.mesh.create('d');
    const token = await founder.token({ uses: Math.max(rest.length, 1) });
    const sites = [founder];
    for (const name of rest) {
      const site = await this.start(name);
      await site.mesh.join('d', founder.address(), token);
      sites.push(site);
    }
    await settled(sites);
    return sites;
  }

  async restart(site: Site, options: SiteOptions = {}): Promise<Site> {
    await site.stop();
    return this.start(site.name, { disk: site.disk, ...options });
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.splice(0).map((site) => site.stop()));
  }
}

/** Cuts the network between each of one group and each of the other. */
export function cut(some: readonly Site[], others: readonly Site[], domain = 'd'): void {
  for (const a of some) {
    for (const b of others) {
      a.cut.add(b.view(domain).self);
      b.cut.add(a.view(domain).self);
    }
  }
}

export function heal(sites: readonly Site[]): void {
  for (const site of sites) site.cut.clear();
}

/** All see all as connected, under their own names. */
export async function settled(sites: readonly Site[], domain = 'd'): Promise<void> {
  const names = sites.map(({ name }) => name).sort();
  await waitFor(
    () =>
      sites.every((site) => {
        const { peers } = site.view(domain);
        const present = peers.filter((peer) => peer.self || peer.connected).map(({ displayName }) => displayName);
        return JSON.stringify(present.sort()) === JSON.stringify(names) && peers.length === names.length;
      }),
    { what: `${names.join(', ')} to be connected with each other` },
  );
}
