/** Collects violations: each once, with its place in words and in the file. */
import type { Violation, ViolationKind } from '../instances.types.ts';

/** Violations that are reported for one instance: enough to correct a file in one go. */
const MAX_FINDINGS = 500;

/** A path in `dtk.service.yaml`: `['components', 'web', 'properties', 'port']`. */
export type FilePath = readonly (string | number)[];

export class Findings {
  readonly #place: (path: FilePath) => string;
  readonly #seen = new Set<string>();
  readonly list: Violation[] = [];

  constructor(place: (path: FilePath) => string) {
    this.#place = place;
  }

  /** Adds a violation in the service file. */
  add(kind: ViolationKind, path: FilePath, message: string, next?: string): void {
    this.#put(kind, wordsOf(path), message, next, path);
  }

  /** Adds a violation in a module copy, or without a place in the service file. */
  addAt(kind: ViolationKind, where: string, message: string, next?: string): void {
    this.#put(kind, where, message, next);
  }

  #put(kind: ViolationKind, words: string, message: string, next: string | undefined, path?: FilePath): void {
    const id = JSON.stringify([kind, words, message]);
    if (this.#seen.has(id) || this.list.length > MAX_FINDINGS) return;
    this.#seen.add(id);
    if (this.list.length === MAX_FINDINGS) {
      this.list.push({ kind: 'TOO_MANY', where: words, message: 'there are more violations; correct these first' });
      return;
    }
    const where = path === undefined ? words : `${words} (${this.#place(path)})`;
    this.list.push({ kind, where, message, ...(next === undefined ? {} : { next }) });
  }
}

/** A path in words: `web.port` for a property of a component, `web.links.db`, `parameters.tier`, `workflows.create.steps[0]`. */
export function wordsOf(path: FilePath): string {
  const [first, ...rest] = path;
  const shown = first === 'components' && rest.length > 0 ? rest.filter((part, index) => index !== 1 || part !== 'properties') : path;
  return shown.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** `db, web, cache`; of a long list the first few and the number of the rest. */
export function listed(names: readonly string[], most = 8): string {
  if (names.length === 0) return 'none';
  return names.length > most ? `${names.slice(0, most).join(', ')} and ${names.length - most} more` : names.join(', ');
}
