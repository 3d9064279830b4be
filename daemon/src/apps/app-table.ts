import { type AppSelectors, appSelectors, dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { Change, ObjectStore } from '../store/object-store.types.ts';
import { appId } from './app-id.ts';
import type { Author } from './ports.ts';

interface AppBase {
  /** 32 hex digits: the first label of the app's host, and the name of the copy. */
  id: string;
  uid: string;
  name: string;
  object: ApiObject;
  selectors: AppSelectors;
}

export interface OwnApp extends AppBase {
  kind: 'own';
}

export interface RemoteApp extends AppBase {
  kind: 'remote';
  /** Namespace of its owner. */
  namespace: string;
  author: Author;
}

export type App = OwnApp | RemoteApp;

const PAGE = 500;

/** The store reference of a dtApp or a copy. */
export function appRef(namespace: string, name: string): ObjectRef {
  return { group: dtAppKind.group, plural: dtAppKind.plural, namespace, name };
}

/**
 * All dtApps that this node knows, in memory: its own, and those of members whose key is known. Follows the store and never writes. Leaves
 * out copies, which are derived from this table.
 */
export class AppTable {
  private readonly store: ObjectStore;
  private readonly node: string;
  private readonly authorOf: (namespace: string) => Author | undefined;
  private readonly ids = new Map<string, App>();
  /** Every dtApp that is not a copy, by namespace and name. */
  private readonly objects = new Map<string, { object: ApiObject; app: App | undefined }>();
  private readonly listeners: ((ids: ReadonlySet<string>) => void)[] = [];
  private unsubscribe: () => void = () => undefined;
  /** Copies found in the store while loading, each with the namespace of its owner. */
  private readonly loadedCopies = new Map<string, string>();
  private loading = true;

  constructor(store: ObjectStore, node: string, authorOf: (namespace: string) => Author | undefined) {
    this.store = store;
    this.node = node;
    this.authorOf = authorOf;
  }

  /** Reads the store, then follows it. Returns the names of the stored copies, each with the namespace of its owner. */
  async load(): Promise<ReadonlyMap<string, string>> {
    const early: Change[] = [];
    let apply = (changes: readonly Change[]) => {
      early.push(...changes);
    };
    this.unsubscribe = this.store.subscribe((changes) => apply(changes));
    const version = await this.list();
    this.loading = false;
    apply = (changes) => this.apply(changes);
    this.apply(early.filter((change) => change.version > version));
    return this.loadedCopies;
  }

  close(): void {
    this.unsubscribe();
  }

  private async list(): Promise<number> {
    let token: string | undefined;
    let version = 0;
    do {
      const query = { group: dtAppKind.group, plural: dtAppKind.plural, limit: PAGE };
      const page = await this.store.list(token === undefined ? query : { ...query, continue: token });
      version = Number(page.resourceVersion);
      for (const object of page.items) this.put(object, new Set());
      token = page.continue;
    } while (token !== undefined);
    return version;
  }

  private apply(changes: readonly Change[]): void {
    const touched = new Set<string>();
    for (const change of changes) {
      if (change.ref.group !== dtAppKind.group || change.ref.plural !== dtAppKind.plural) continue;
      if (change.type === 'DELETED') this.remove(change.ref.namespace, change.ref.name, touched);
      else this.put(change.object, touched);
    }
    this.tell(touched);
  }

  private put(object: ApiObject, touched: Set<string>): void {
    const { namespace = '', name } = object.metadata;
    // Only a copy has an owner: users cannot write the field.
    const owner = object['owner'];
    if (namespace === this.node && typeof owner === 'string') {
      if (this.loading) this.loadedCopies.set(name, owner);
      return;
    }
    const key = `${namespace}/${name}`;
    const before = this.objects.get(key)?.app;
    const app = this.read(object);
    this.objects.set(key, { object, app });
    if (before !== undefined && before.id !== app?.id) this.drop(before, touched);
    if (app === undefined) return;
    this.ids.set(app.id, app);
    touched.add(app.id);
  }

  /** Interprets a dtApp that is not a copy. Undefined if its selectors cannot be read or its author is unknown. */
  read(object: ApiObject): App | undefined {
    const selectors = appSelectors(object);
    if (selectors === undefined) return undefined;
    const { namespace = '', name, uid } = object.metadata;
    if (namespace === this.node) return { kind: 'own', id: appId('', uid, this.node), uid, name, object, selectors };
    const author = this.authorOf(namespace);
    if (author === undefined) return undefined;
    return { kind: 'remote', id: appId(author.peer, uid, this.node), uid, name, object, selectors, namespace, author };
  }

  private remove(namespace: string, name: string, touched: Set<string>): void {
    const key = `${namespace}/${name}`;
    const app = this.objects.get(key)?.app;
    this.objects.delete(key);
    if (app !== undefined) this.drop(app, touched);
  }

  private drop(app: App, touched: Set<string>): void {
    if (this.ids.get(app.id) === app) this.ids.delete(app.id);
    touched.add(app.id);
  }

  /** To be called when the mesh changed: an author may have become known, or a namespace may belong to another member now. */
  refreshAuthors(): void {
    const touched = new Set<string>();
    const authors = new Map<string, Author | undefined>();
    for (const { object, app } of [...this.objects.values()]) {
      const { namespace = '' } = object.metadata;
      if (namespace === this.node) continue;
      if (!authors.has(namespace)) authors.set(namespace, this.authorOf(namespace));
      const author = authors.get(namespace);
      const known = app?.kind === 'remote' ? app.author : undefined;
      if (known?.peer !== author?.peer || known?.domain !== author?.domain) this.put(object, touched);
    }
    this.tell(touched);
  }

  /** True if the namespace has apps with an unknown author. The mesh may still be starting. */
  hasUnknownAuthor(namespace: string): boolean {
    const prefix = `${namespace}/`;
    for (const [key, { app }] of this.objects) if (app === undefined && key.startsWith(prefix)) return true;
    return false;
  }

  private tell(touched: ReadonlySet<string>): void {
    if (touched.size > 0) for (const listener of this.listeners) listener(touched);
  }

  /** Called with the ids of apps that were added, changed or removed. */
  onChange(listener: (ids: ReadonlySet<string>) => void): void {
    this.listeners.push(listener);
  }

  byId(id: string): App | undefined {
    return this.ids.get(id);
  }

  ownByUid(uid: string): OwnApp | undefined {
    const app = this.ids.get(appId('', uid, this.node));
    return app?.kind === 'own' ? app : undefined;
  }

  all(): Iterable<App> {
    return this.ids.values();
  }

  /**
   * The apps that a person may mean by a name: this node's own app or the copy of that name, otherwise all other nodes' apps of that name.
   * With the namespace of another node, only the app of that name there.
   */
  find(name: string, namespace?: string): App[] {
    const copy = this.ids.get(name);
    if (copy !== undefined && (namespace === undefined || namespace === this.node)) return [copy];
    if (namespace !== undefined && namespace !== this.node) {
      const app = this.objects.get(`${namespace}/${name}`)?.app;
      return app === undefined ? [] : [app];
    }
    const own = this.objects.get(`${this.node}/${name}`)?.app;
    if (own !== undefined) return [own];
    return [...this.ids.values()].filter((app) => app.kind === 'remote' && app.name === name);
  }
}
