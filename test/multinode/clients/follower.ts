/**
 * An informer of `@kubernetes/client-node` as programs use it: it is started again when it reports an error. Everything that it is told goes past a
 * Sequence. What it holds is compared without the mark of staleness, which has no version of its own and so is passed over by this library's cache.
 */
import { type KubernetesListObject, type KubernetesObject, ListWatch, Watch } from '@kubernetes/client-node';
import type { Kind } from '../../../protocol/kinds/kind.ts';
import { STALE_ANNOTATION } from '../../../protocol/objects/completeness.ts';
import { Sequence } from '../../harness/sequence.ts';
import { waitFor } from '../../wait.ts';
import { type KubernetesClient, pathOf } from './client.ts';

/** Milliseconds until an informer that reported an error is started again. */
const RESTART_MS = 20;
/** The library waits longer and longer between connections that brought nothing; a test has no time for that. Milliseconds. */
const MOST_BACK_OFF_MS = 25;

/** Passes events on and lets them be seen. */
class SeenWatch extends Watch {
  readonly #seen: (type: string, object: KubernetesObject) => void;

  constructor(client: KubernetesClient, seen: (type: string, object: KubernetesObject) => void) {
    super(client.config);
    this.#seen = seen;
  }

  override watch(...[path, query, callback, done]: Parameters<Watch['watch']>): ReturnType<Watch['watch']> {
    const passing: typeof callback = (type, object, event) => {
      this.#seen(type, object);
      callback(type, object, event);
    };
    return super.watch(path, query, passing, done);
  }
}

export interface Followed {
  kind: Kind;
  /** Whether it sees everything of the node that it asks, and nothing of others. */
  asOperator?: boolean;
  /** Absent: all nodes. */
  namespace?: string;
  labelSelector?: string;
}

export class Follower {
  readonly sequence = new Sequence();
  readonly errors: unknown[] = [];
  readonly what: string;
  readonly about: Followed;
  readonly #informer: ListWatch<KubernetesObject>;
  #stopped = false;
  #restart: NodeJS.Timeout | undefined;

  constructor(client: KubernetesClient, about: Followed) {
    const { kind, namespace, labelSelector } = about;
    this.about = about;
    const path = pathOf(kind, namespace);
    this.what = path;
    const list = async (): Promise<KubernetesListObject<KubernetesObject>> => {
      const answer = await listAt(client, kind, namespace, labelSelector);
      this.sequence.listed(answer.items);
      return answer;
    };
    const watch = new SeenWatch(client, (type, object) => this.sequence.told(type, object));
    this.#informer = new ListWatch(path, watch, list, false, labelSelector, undefined, {
      delayFn: (milliseconds) => new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds ?? 0, MOST_BACK_OFF_MS))),
    });
    this.#informer.on('error', (error: unknown) => {
      this.errors.push(error);
      if (this.#stopped) return;
      clearTimeout(this.#restart);
      this.#restart = setTimeout(() => void this.#informer.start(), RESTART_MS);
    });
  }

  async start(): Promise<this> {
    await this.#informer.start();
    return this;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restart);
    await this.#informer.stop();
  }

  /** What it holds. */
  held(): Map<string, string> {
    return contentsOf(this.#informer.list());
  }

  has(key: string): boolean {
    return this.held().has(key);
  }

  /** Waits until it holds exactly this. */
  async agrees(truth: () => Promise<ReadonlyMap<string, string>>, timeoutMs?: number): Promise<void> {
    let last = 'nothing was compared';
    await waitFor(
      async () => {
        last = difference(this.held(), await truth());
        return last === '';
      },
      { what: `the informer of ${this.what} to agree`, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
    ).catch((error: unknown) => {
      throw new Error(`the informer of ${this.what} holds something else than there is: ${last}; ${this.told()}`, { cause: error });
    });
  }

  told(): string {
    return `${JSON.stringify(this.sequence.counts)}, ${this.errors.length} errors, the last ${String(this.errors.at(-1))}`;
  }
}

/** A list by the API that programs use for such a kind. */
export async function listAt(
  client: KubernetesClient,
  kind: Kind,
  namespace?: string,
  labelSelector?: string,
): Promise<KubernetesListObject<KubernetesObject>> {
  const { group, version, plural } = kind;
  const selector = labelSelector === undefined ? {} : { labelSelector };
  if (group === '' && plural === 'services') {
    return namespace === undefined
      ? client.core.listServiceForAllNamespaces(selector)
      : client.core.listNamespacedService({ namespace, ...selector });
  }
  if (group === '' && plural === 'secrets') {
    return namespace === undefined
      ? client.core.listSecretForAllNamespaces(selector)
      : client.core.listNamespacedSecret({ namespace, ...selector });
  }
  return namespace === undefined
    ? client.custom.listCustomObjectForAllNamespaces({ group, version, resourcePlural: plural, ...selector })
    : client.custom.listNamespacedCustomObject({ group, version, namespace, plural, ...selector });
}

/** Objects as text by `namespace/name`: the same whether a typed list or a watch brought them. */
export function contentsOf(objects: readonly KubernetesObject[]): Map<string, string> {
  return new Map(objects.map((object) => [`${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`, textOf(object)]));
}

function textOf(object: object): string {
  return JSON.stringify(plain(JSON.parse(JSON.stringify({ ...object, apiVersion: undefined, kind: undefined }))));
}

/** With sorted keys, times to the second, and without empty annotations. */
function plain(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.000Z$/, '$1Z');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => key !== STALE_ANNOTATION)
    .map(([key, each]): [string, unknown] => [key, plain(each)])
    .filter(([key, each]) => !(key === 'annotations' && JSON.stringify(each) === '{}'));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What one has and the other has not, in words; empty if they are equal. */
export function difference(held: ReadonlyMap<string, string>, truth: ReadonlyMap<string, string>): string {
  const missing = [...truth.keys()].filter((key) => !held.has(key));
  const beyond = [...held.keys()].filter((key) => !truth.has(key));
  const other = [...truth].filter(([key, text]) => held.has(key) && held.get(key) !== text).map(([key]) => key);
  if (missing.length + beyond.length + other.length === 0) return '';
  const sample = other[0] === undefined ? '' : `; held ${held.get(other[0])}, true ${truth.get(other[0])}`;
  return `${missing.length} missing (${missing.slice(0, 3).join()}), ${beyond.length} too many (${beyond.slice(0, 3).join()}), ${other.length} different (${other.slice(0, 3).join()})${sample}`;
}
