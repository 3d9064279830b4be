/** Decoded documents of other authors. Drops the least recently used first; a dropped document is read again from its rows. */
import type { AuthorDoc } from './author-doc.ts';

export class DocCache {
  readonly #maxBytes: number;
  readonly #docs = new Map<string, { doc: AuthorDoc; bytes: number }>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(name: string): AuthorDoc | undefined {
    const found = this.#docs.get(name);
    if (found === undefined) return undefined;
    this.#docs.delete(name);
    this.#docs.set(name, found);
    return found.doc;
  }

  /** Keeps the document, at its present size, as the most recently used one. That one is never dropped. */
  set(name: string, doc: AuthorDoc): void {
    this.delete(name);
    const bytes = doc.footprint;
    this.#docs.set(name, { doc, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#docs.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === name) break;
      this.delete(oldest);
    }
  }

  delete(name: string): void {
    const found = this.#docs.get(name);
    if (found === undefined) return;
    this.#docs.delete(name);
    this.#bytes -= found.bytes;
  }

  deleteAll(prefix: string): void {
    for (const name of [...this.#docs.keys()]) if (name.startsWith(prefix)) this.delete(name);
  }
}
