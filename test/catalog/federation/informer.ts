/** A client as Kubernetes clients are: lists, watches from the list's version, goes on from bookmarks, lists again on GONE. */
import { DtkdError } from '../../../protocol/errors.ts';
import { modelKind } from '../../../protocol/kinds/model.ts';
import { STALE_ANNOTATION } from '../../../protocol/objects/completeness.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { Sequence } from '../../harness/sequence.ts';
import { type ListOptions, type Nodes, nameOf, USER } from './nodes.ts';

export class Informer {
  readonly cache = new Map<string, ApiObject>();
  readonly log: string[] = [];
  /** Of one that lists all at once: what it is told follows on exactly. */
  readonly sequence = new Sequence();
  lists = 0;
  #nodes: Nodes;
  #options: ListOptions;
  #version: string | undefined;
  #watch: { stop: AbortController; done: Promise<void> } | undefined;

  constructor(nodes: Nodes, options: ListOptions = {}) {
    this.#nodes = nodes;
    this.#options = options;
  }

  /** Follows until `stop`. */
  start(): void {
    const stop = new AbortController();
    this.#watch = { stop, done: this.#run(stop.signal) };
  }

  /** Lets the watch go; `start` goes on from the last version that it was given. */
  async stop(): Promise<void> {
    this.#watch?.stop.abort();
    await this.#watch?.done;
    this.#watch = undefined;
  }

  /** Forgets how far it was, like a client that is restarted with the objects that it has. */
  forget(): void {
    this.#version = undefined;
  }

  /** What it holds, with the text of each and whether it is marked as old. */
  view(): string[] {
    return [...this.cache.values()].map((object) => textOf(object)).sort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list();
        await this.#follow(signal);
      } catch (error) {
        if (!(error instanceof DtkdError)) throw error;
        if (error.code === 'GONE') this.#version = undefined;
        else if (error.code !== 'UNAVAILABLE') throw error;
      }
    }
  }

  async #list(): Promise<void> {
    this.lists += 1;
    const rows: ApiObject[] = [];
    let next: string | undefined = '';
    let version = '';
    while (next !== undefined) {
      const page: Awaited<ReturnType<Nodes['page']>> = await this.#nodes.page({
        ...this.#options,
        stale: true,
        timeoutMs: 10_000,
        continue: next,
      });
      rows.push(...page.rows);
      next = page.next;
      version = page.resourceVersion;
    }
    this.sequence.listed(rows);
    this.sequence.mark();
    const before = new Set(this.cache.keys());
    this.cache.clear();
    for (const row of rows) this.cache.set(nameOf(row), row);
    for (const name of before) if (!this.cache.has(name)) this.log.push(`LISTED AWAY ${name}`);
    this.#version = version;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    this.sequence.back();
    const events = await this.#nodes.federation.watch({
      user: USER,
      kind: modelKind,
      bookmarks: true,
      timeoutMs: 10_000,
      ...this.#options,
      signal,
      ...(this.#version === undefined ? {} : { resourceVersion: this.#version }),
    });
    for await (const event of events) {
      if (signal.aborted) return;
      if (event.type === 'BOOKMARK') {
        this.#version = event.resourceVersion;
        this.sequence.mark();
        continue;
      }
      this.sequence.told(event.type, event.object);
      this.log.push(`${event.type} ${textOf(event.object)}`);
      if (event.type === 'DELETED') this.cache.delete(nameOf(event.object));
      else this.cache.set(nameOf(event.object), event.object);
    }
  }
}

export function textOf(object: ApiObject): string {
  const old = object.metadata.annotations?.[STALE_ANNOTATION] === undefined ? '' : ' old';
  return `${nameOf(object)} ${JSON.stringify(object['spec'])}${old}`;
}

/** What an informer has to come to hold: of members that are there their rows, of others what was there when they went. */
export async function expected(nodes: Nodes, remembered: ReadonlyMap<string, readonly ApiObject[]>): Promise<string[]> {
  const own = (await nodes.store.list({ group: 'dtkd.dev', plural: 'models' })).items.map(textOf);
  const others = await Promise.all(
    nodes.others.map(async (node) => {
      if (!node.member || node.mood === 'denied') return [];
      if (node.mood === 'well') return (await node.rows()).map(textOf);
      return (remembered.get(node.name) ?? []).map((row) => `${textOf(row)} old`);
    }),
  );
  return [...own, ...others.flat()].sort();
}
