import { networkInterfaces } from 'node:os';
import { DtkdError } from '../../../protocol/errors.ts';
import type { ObjectRef } from '../../../protocol/objects/objects.ts';
import type { Change, ObjectStore } from '../store/object-store.types.ts';
import type { App, AppTable, OwnApp } from './app-table.ts';
import { Authenticator } from './authenticator.ts';
import { StreamChannel } from './channel/stream-channel.ts';
import type { Dialer } from './dialer.ts';
import type { EndpointRules } from './endpoint-policy.ts';
import { OriginPool } from './http/origin-pool.ts';
import type { Route } from './http/proxy-connection.ts';
import type { HostPort } from './ports.ts';
import { resolveTargets, type Targets } from './targets.ts';

/**
 * How long the list of interfaces is cached. They seldom change, and asking the system on each request would cost more than the request.
 */
const INTERFACES_MS = 10_000;

interface Pooled {
  pool: OriginPool;
  service: string | undefined;
  /** The terms (`termsOf`) under which its requests were admitted. */
  under: string | undefined;
}

/**
 * Connections to this node's own apps: finds the targets of an app, dials them, and keeps HTTP connections to them. Everything that reaches
 * an origin of this node goes through here, whether it comes from a member or from this node's own ingress.
 */
export class OwnApps {
  private readonly store: ObjectStore;
  private readonly node: string;
  private readonly dialer: Dialer;
  private readonly listeners: () => readonly HostPort[];
  private readonly now: () => number;
  readonly authenticator: Authenticator;
  private readonly pools = new Map<string, Pooled>();
  private localAddresses: ReadonlySet<string> = new Set();
  private localSince = Number.NEGATIVE_INFINITY;
  private unsubscribe: () => void = () => undefined;

  constructor(options: { store: ObjectStore; node: string; dialer: Dialer; ownListeners(): readonly HostPort[]; now(): number }) {
    this.store = options.store;
    this.node = options.node;
    this.dialer = options.dialer;
    this.listeners = options.ownListeners;
    this.now = options.now;
    this.authenticator = new Authenticator(() => this.rules());
  }

  /** Follows changes of apps and of what is behind them. */
  start(table: AppTable): void {
    table.onChange((ids) => {
      for (const id of ids) if (this.pools.get(id)?.under !== this.termsOf(table.byId(id))) this.dropPool(id);
    });
    this.unsubscribe = this.store.subscribe((changes) => this.onServices(changes));
  }

  stop(): void {
    this.unsubscribe();
    for (const id of [...this.pools.keys()]) this.dropPool(id);
    this.authenticator.close();
  }

  /** Sweeps all pools. Returns whether connections are left. */
  sweep(): boolean {
    for (const { pool } of this.pools.values()) pool.sweep();
    return [...this.pools.values()].some(({ pool }) => pool.size > 0);
  }

  /** The addresses that are behind an app now. */
  async targetsOf(app: OwnApp): Promise<Targets> {
    const { service } = app.selectors;
    const name = service?.name ?? '';
    const [object, endpoints] =
      name === '' ? [] : await Promise.all([this.store.get(this.ref('services', name)), this.store.get(this.ref('endpoints', name))]);
    return resolveTargets(service, object, endpoints, this.rules());
  }

  /** Connects to the app. Errors: UNAVAILABLE, saying whether the Service, the Endpoints or an answer is missing. */
  async dial(app: OwnApp, signal?: AbortSignal): Promise<StreamChannel> {
    const resolved = await this.targetsOf(app);
    if (resolved.state !== 'Ready')
      throw new DtkdError('UNAVAILABLE', `the app "${app.name}" leads nowhere at present: ${resolved.message}`);
    return new StreamChannel(await this.dialer.dial(resolved.targets, signal));
  }

  /** How HTTP requests reach the app. With authenticationType Custom, its authenticationURL decides each one. */
  route(app: OwnApp): Route {
    const { authenticationType, authenticationURL: url, allowCrossSite } = app.selectors;
    const route: Route = { pool: this.poolOf(app), allowCrossSite };
    if (authenticationType !== 'Custom') return route;
    return {
      ...route,
      authorize: async (head, client) =>
        url === undefined
          ? {
              status: 503,
              code: 'UNAVAILABLE',
              message: `the app "${app.name}" lets nobody in: it has no authenticationURL`,
              lasting: true,
            }
          : await this.authenticator.decide(url, head, client),
    };
  }

  private poolOf(app: OwnApp): OriginPool {
    const known = this.pools.get(app.id);
    if (known !== undefined) return known.pool;
    const pool = new OriginPool((signal) => this.dial(app, signal), this.now);
    this.pools.set(app.id, { pool, service: app.selectors.service?.name, under: this.termsOf(app) });
    return pool;
  }

  /** The terms under which a request is admitted. Labels and status are not part of them. */
  private termsOf(app: App | undefined): string | undefined {
    return app === undefined ? undefined : JSON.stringify(app.selectors);
  }

  /** Closes a pool, including requests under way: the terms under which they were admitted no longer apply. */
  private dropPool(id: string): void {
    this.pools.get(id)?.pool.close();
    this.pools.delete(id);
  }

  /** After a change of Services or Endpoints, new connections go to the new targets. Requests under way may finish where they are. */
  private onServices(changes: readonly Change[]): void {
    for (const { ref } of changes) {
      if (ref.group !== '' || ref.namespace !== this.node || (ref.plural !== 'services' && ref.plural !== 'endpoints')) continue;
      for (const { pool, service } of this.pools.values()) if (service === ref.name) pool.renew();
    }
  }

  private rules(): EndpointRules {
    // So far only the local operator writes Endpoints. Once others can, the object will record its author.
    return { ownListeners: this.listeners(), localAddresses: this.addresses(), byOperator: true };
  }

  private addresses(): ReadonlySet<string> {
    const time = this.now();
    if (time - this.localSince > INTERFACES_MS) {
      this.localSince = time;
      this.localAddresses = new Set(Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address)));
    }
    return this.localAddresses;
  }

  private ref(plural: 'services' | 'endpoints', name: string): ObjectRef {
    return { group: '', plural, namespace: this.node, name };
  }
}
