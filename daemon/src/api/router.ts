import type { Result, Router } from 'hono/router';
import { TrieRouter } from 'hono/router/trie-router';

/** Number of paths whose routes are cached; when it is exceeded, the whole cache is dropped. */
const MAX_PATHS = 256;
/** Maximum length of a cached method and path, in characters. */
const MAX_LENGTH = 256;

/**
 * Routes a path to the first route that matches, and to no other. Caches the results for recent paths: clients request the same few
 * again and again, and finding a route is a good part of a short answer.
 */
export class RememberingRouter<T> implements Router<T> {
  readonly name = 'RememberingRouter';
  readonly #router = new TrieRouter<T>();
  readonly #known = new Map<string, Result<T>>();

  add(method: string, path: string, handler: T): void {
    this.#known.clear();
    this.#router.add(method, path, handler);
  }

  match(method: string, path: string): Result<T> {
    const key = `${method} ${path}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#router.match(method, path);
    found[0].splice(1);
    if (key.length <= MAX_LENGTH) {
      if (this.#known.size >= MAX_PATHS) this.#known.clear();
      this.#known.set(key, found);
    }
    return found;
  }
}
