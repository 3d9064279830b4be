/** Other nodes, each with a store of its own, behind a peer port that can be made to fail in every way; and this node's federation over them. */
import { createFederation } from '../../../daemon/src/catalog/federation/federation.ts';
import type { FederatedList, Federation, LocalRows, Standing, Tunables } from '../../../daemon/src/catalog/federation/federation.types.ts';
import type { PeerApi, PeerNode, PeerRequest, PeerResponse } from '../../../daemon/src/catalog/federation/peer-api.types.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseDomainId, parsePeerKey } from '../../../protocol/ids.ts';
import { modelKind } from '../../../protocol/kinds/model.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { ROWS_MEDIA_TYPE } from '../../../protocol/peers/remote.ts';
import type { UserPrincipal } from '../../../protocol/rights/principal.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';

export const HERE = 'node0';
export const USER: UserPrincipal = { type: 'user', home: 'self', name: 'ops', uid: 'u-1', display: 'ops@node0' };
const DOMAIN = parseDomainId('d'.repeat(64));

export function model(name: string, namespace: string, text = '', labels?: Record<string, string>): ApiObject {
  return {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Model',
    metadata: {
      name,
      namespace,
      uid: '',
      resourceVersion: '',
      generation: 1,
      creationTimestamp: '',
      ...(labels === undefined ? {} : { labels }),
    },
    spec: { description: text },
  };
}

/** How a peer answers: `frozen` takes requests and says nothing; `away` cannot be reached, `known` says whether that is known beforehand; `suspended` is there, and not to be asked. */
export type Mood = 'well' | 'frozen' | 'away' | 'known' | 'denied' | 'suspended';

export class FakeNode {
  readonly name: string;
  readonly peer: PeerNode;
  mood: Mood = 'well';
  member = true;
  /** The namespace under which this node shows it. */
  shownAs: string;
  asked = 0;
  /** Watches of it that are being read. */
  followed = 0;
  /** Changes what is sent, to be hostile. */
  spoil: ((text: string) => string | undefined) | undefined;
  store: LocalStore;
  readonly #kv: Kv;
  #open = new Set<AbortController>();
  #running = true;

  private constructor(name: string, index: number, store: LocalStore, kv: Kv) {
    this.name = name;
    this.shownAs = name;
    this.store = store;
    this.#kv = kv;
    this.peer = {
      domain: DOMAIN,
      key: parsePeerKey(index.toString(16).padStart(64, '0')),
      namespace: name,
      reachable: true,
      suspended: false,
    };
  }

  static async open(name: string, index: number): Promise<FakeNode> {
    const kv = memoryKv();
    return new FakeNode(name, index, await openObjectStore({ kv, node: name, bookmarkMs: 5 }), kv);
  }

  put(name: string, text = '', labels?: Record<string, string>): Promise<void> {
    return putModel(this.store, this.name, name, text, labels);
  }

  async delete(name: string): Promise<void> {
    await this.store.transact((tx) => tx.delete({ group: 'dtkd.dev', plural: 'models', namespace: this.name, name }));
  }

  async rows(): Promise<ApiObject[]> {
    return (await this.store.list({ group: 'dtkd.dev', plural: 'models' })).items;
  }

  /** Breaks every stream that is open. */
  cut(): void {
    for (const one of this.#open) one.abort();
    this.#open.clear();
  }

  /** A new process over the same database: only its change log in memory begins again. */
  async restart(): Promise<void> {
    this.end();
    await this.begin();
  }

  /** Its process ends, and all streams with it; until the next begins nobody is there who could take a request. */
  end(): void {
    this.#running = false;
    this.cut();
  }

  async begin(): Promise<void> {
    this.store = await openObjectStore({ kv: this.#kv, node: this.name, bookmarkMs: 5 });
    this.#running = true;
  }

  async request({ path, accept, signal }: PeerRequest): Promise<PeerResponse> {
    this.asked += 1;
    const cut = new AbortController();
    this.#open.add(cut);
    const gone = AbortSignal.any([signal, cut.signal]);
    if (this.mood === 'frozen') await never(gone);
    if (!this.#running || this.mood === 'away' || this.mood === 'known') throw new DtkdError('PEER_AWAY', `${this.name} cannot be reached`);
    if (this.mood === 'denied') return this.#answer(403, 'application/json', once(JSON.stringify({ kind: 'Status', message: 'no grant' })));
    const url = new URL(path, 'https://peer');
    const query = {
      group: 'dtkd.dev',
      plural: 'models',
      namespace: this.name,
      ...pick(url, 'labelSelector'),
      ...pick(url, 'fieldSelector'),
      ...pick(url, 'where'),
    };
    try {
      if (url.searchParams.get('watch') === 'true') {
        const events = this.store.watch({ ...query, ...pick(url, 'resourceVersion'), bookmarks: true, signal: gone });
        return this.#answer(200, 'application/json', this.#watchLines(events, gone));
      }
      if (accept !== ROWS_MEDIA_TYPE) throw new Error(`asked for ${accept}`);
      const page = await this.store.listRaw({ ...query, ...pick(url, 'continue'), limit: Number(url.searchParams.get('limit') ?? 0) });
      const end = page.continue === undefined ? {} : { continue: page.continue };
      const lines = [
        JSON.stringify({ metadata: { resourceVersion: page.resourceVersion } }),
        ...page.items.map((item) => Buffer.from(item).toString()),
        JSON.stringify({ end }),
      ];
      return this.#answer(200, ROWS_MEDIA_TYPE, this.#send(lines, gone));
    } catch (error) {
      const status = error instanceof DtkdError ? error.httpStatus : 500;
      return this.#answer(status, 'application/json', once(JSON.stringify({ message: String(error) })));
    }
  }

  #answer(status: number, contentType: string, body: AsyncIterable<string>): PeerResponse {
    return { status, contentType, warnings: [], body: encoded(body) };
  }

  async *#send(lines: readonly string[], gone: AbortSignal): AsyncGenerator<string> {
    for (const line of lines) {
      if (gone.aborted) throw new DtkdError('PEER_AWAY', 'the stream broke');
      if (this.mood === 'frozen') await never(gone);
      const sent = this.spoil === undefined ? line : this.spoil(line);
      if (sent === undefined) throw new DtkdError('PEER_AWAY', 'the stream broke');
      yield `${sent}\n`;
    }
  }

  async *#watchLines(events: ReturnType<LocalStore['watch']>, gone: AbortSignal): AsyncGenerator<string> {
    this.followed += 1;
    try {
      for await (const event of events) {
        if (event.type === 'BOOKMARK')
          yield `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(event.version) } } })}\n`;
        else yield `${JSON.stringify({ type: event.type, object: event.object })}\n`;
      }
    } catch (error) {
      const code = error instanceof DtkdError ? error.httpStatus : 500;
      yield `${JSON.stringify({ type: 'ERROR', object: { code, message: String(error) } })}\n`;
      return;
    } finally {
      this.followed -= 1;
    }
    if (gone.aborted) throw new DtkdError('PEER_AWAY', 'the stream broke');
  }
}

function pick<K extends string>(url: URL, key: K): Partial<Record<K, string>> {
  const value = url.searchParams.get(key);
  const picked: Partial<Record<K, string>> = {};
  if (value !== null) picked[key] = value;
  return picked;
}

function never(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(new DtkdError('PEER_AWAY', 'the stream broke'));
    if (signal.aborted) fail();
    signal.addEventListener('abort', fail, { once: true });
  });
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}

async function* encoded(body: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  // in odd pieces, as bytes come
  for await (const text of body) {
    const bytes = Buffer.from(text);
    const half = Math.floor(bytes.length / 2);
    if (half > 0) yield bytes.subarray(0, half);
    yield bytes.subarray(half);
  }
}

export async function putModel(
  store: LocalStore,
  namespace: string,
  name: string,
  text = '',
  labels?: Record<string, string>,
): Promise<void> {
  await store.transact(async (tx) => {
    const before = await tx.get({ group: 'dtkd.dev', plural: 'models', namespace, name });
    const object = model(name, namespace, text, labels);
    if (before !== undefined) object.metadata = { ...before.metadata, ...(labels === undefined ? {} : { labels }) };
    await tx.put(object);
  });
}

/** Several nodes, and this one's federation over them. */
export class Nodes {
  readonly store: LocalStore;
  readonly others: FakeNode[];
  readonly kv: Kv;
  federation: Federation;
  readonly #tunables: Partial<Tunables>;
  readonly #listeners = new Set<() => void>();

  private constructor(store: LocalStore, others: FakeNode[], kv: Kv, tunables: Partial<Tunables>, federation?: Federation) {
    this.store = store;
    this.others = others;
    this.kv = kv;
    this.#tunables = tunables;
    this.federation = federation ?? NOT_OPEN;
  }

  static async open(count: number, tunables: Partial<Tunables> = {}): Promise<Nodes> {
    const kv = memoryKv();
    const store = await openObjectStore({ kv: memoryKv(), node: HERE });
    const others = await Promise.all(Array.from({ length: count }, (_, index) => FakeNode.open(`node${index + 1}`, index + 1)));
    const nodes = new Nodes(store, others, kv, {
      retryMs: 5,
      maxRetryMs: 20,
      maxAwayRetryMs: 20,
      deniedRetryMs: 20,
      lingerMs: 1_000,
      bookmarkMs: 5,
      ...tunables,
    });
    await nodes.start();
    return nodes;
  }

  async start(): Promise<void> {
    const local: LocalRows = {
      page: async (_user, query) => {
        const { items, resourceVersion, continue: next } = await this.store.listRaw(query);
        return { items, resourceVersion, ...(next === undefined ? {} : { continue: next }) };
      },
      watch: (_user, query) => this.store.watch(query),
      version: () => this.store.version(),
    };
    const find = (node: FakeNode): PeerNode => {
      const suspended = node.mood === 'suspended';
      return { ...node.peer, namespace: node.shownAs, reachable: node.mood !== 'known' && !suspended, suspended };
    };
    const peers: PeerApi = {
      peers: () => this.others.filter((node) => node.member).map(find),
      peerNamed: (namespace) =>
        this.others
          .filter((node) => node.member)
          .map(find)
          .find((peer) => peer.namespace === namespace),
      request: (peer, request) => this.#keyed(peer.key).request(request),
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    const standing = (_domain: unknown, key: string): Standing =>
      this.others.some((node) => node.peer.key === key && node.member) ? 'member' : 'gone';
    this.federation = await createFederation({
      node: HERE,
      kv: this.kv,
      peers,
      local,
      standing,
      logger: { ...silentLogger, warn: (fields, message) => console.error(message, fields) },
      tunables: this.#tunables,
    });
  }

  async restart(): Promise<void> {
    await this.federation.close();
    await this.start();
  }

  node(name: string): FakeNode {
    const found = this.others.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  }

  #keyed(key: string): FakeNode {
    const found = this.others.find((one) => one.peer.key === key);
    if (found === undefined) throw new Error(`nobody has ${key}`);
    return found;
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  list(options: ListOptions = {}): Promise<FederatedList> {
    return this.federation.list({
      user: USER,
      kind: modelKind,
      limit: 0,
      timeoutMs: 60_000,
      stale: false,
      signal: new AbortController().signal,
      ...options,
    });
  }

  /** Reads a whole list, or one page of it. */
  async page(options: ListOptions = {}) {
    const list = await this.list(options);
    const rows: ApiObject[] = [];
    for await (const batch of list.batches) for (const item of batch) rows.push(JSON.parse(Buffer.from(item).toString()));
    const { continue: next, completeness, resourceVersion } = list.end();
    return { rows, names: rows.map(nameOf), next, completeness, resourceVersion };
  }

  /** `node/name` of every row that there is now, in order. */
  async truth(): Promise<string[]> {
    const all = await Promise.all([
      this.store.list({ group: 'dtkd.dev', plural: 'models' }).then((page) => page.items),
      ...this.others.filter((node) => node.member).map((node) => node.rows()),
    ]);
    return all.flat().map(nameOf).sort();
  }

  async close(): Promise<void> {
    await this.federation.close();
    await this.store.close();
    for (const node of this.others) {
      node.cut();
      await node.store.close();
    }
  }
}

export type ListOptions = Partial<Parameters<Federation['list']>[0]>;

const NOT_OPEN: Federation = {
  isPeer: () => false,
  version: () => 0,
  statements: () => [],
  unasked: () => [],
  check: () => {},
  list: () => Promise.reject(new Error('not open')),
  watch: () => Promise.reject(new Error('not open')),
  rightsChanged: () => {},
  forgetUser: async () => {},
  close: async () => {},
};

export function nameOf({ metadata }: ApiObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}
