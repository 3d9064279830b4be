import type { Result, Router } from 'hono/router';
import { TrieRouter } from 'hono/router/trie-router';

/** Paths whose routes are remembered; when there are more, all are forgotten. */
const MAX_PATHS = 256;
/** Characters of a method and path at most that is remembered. */
const MAX_LENGTH = 256;

/**
 * Where paths lead: to the first route that fits, which hands nothing on to others. Remembers it of the last paths: clients ask for the same few again and
 * again, and to find a route is a good part of a short answer.
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
