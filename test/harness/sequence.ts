/**
 * What a client is told of objects, judged as it comes: an object is ADDED before it is MODIFIED, never twice, its version only grows, and what was
 * DELETED comes back as ADDED alone. Pure bookkeeping; it does not care what is in the objects.
 */
export interface Told {
  metadata?: { namespace?: string | undefined; name?: string | undefined; uid?: string | undefined; resourceVersion?: string | undefined };
}

interface Known {
  uid: string;
  version: bigint;
}

export class Sequence {
  /** What was told and cannot be, in words. */
  readonly faults: string[] = [];
  readonly counts = { lists: 0, ADDED: 0, MODIFIED: 0, DELETED: 0, BOOKMARK: 0, ERROR: 0 };
  #known = new Map<string, Known>();
  #marked = new Map<string, Known>();
  readonly #recent: string[] = [];

  /** A list is a beginning; what it shows is not older than what was shown before. */
  listed(items: readonly Told[]): void {
    this.counts.lists += 1;
    this.#note(`LIST of ${items.length}`);
    const now = new Map<string, Known>();
    for (const item of items) {
      const [key, is] = known(item);
      const was = this.#known.get(key);
      if (was !== undefined && was.uid === is.uid && is.version < was.version)
        this.#fault(`a list shows ${key} at ${is.version} after ${was.version}`);
      if (now.has(key)) this.#fault(`a list shows ${key} twice`);
      now.set(key, is);
    }
    this.#known = now;
  }

  /** Here a client has a version from which it can go on. */
  mark(): void {
    this.#marked = new Map(this.#known);
  }

  /** It goes on from there: what it was told since is told again. */
  back(): void {
    this.#known = new Map(this.#marked);
  }

  told(type: string, object: Told): void {
    if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') {
      if (type === 'BOOKMARK' || type === 'ERROR') this.counts[type] += 1;
      this.#note(`${type} ${object.metadata?.resourceVersion ?? JSON.stringify(object)}`);
      return;
    }
    this.counts[type] += 1;
    const [key, is] = known(object);
    const was = this.#known.get(key);
    this.#note(`${type} ${key} ${is.version} ${is.uid.slice(0, 4)}`);
    if (type === 'ADDED' && was !== undefined) this.#fault(`${key} was ADDED at ${is.version} though it is there at ${was.version}`);
    if (type !== 'ADDED' && was === undefined) this.#fault(`${key} was ${type} at ${is.version} though it is not there`);
    if (type !== 'ADDED' && was !== undefined && was.uid !== is.uid) this.#fault(`${key} was ${type} though another one is there`);
    if (type !== 'ADDED' && was !== undefined && is.version < was.version)
      this.#fault(`${key} was ${type} at ${is.version} after ${was.version}`);
    if (type === 'DELETED') this.#known.delete(key);
    else this.#known.set(key, is);
  }

  #fault(text: string): void {
    if (this.faults.length < 20) this.faults.push(`${text}\n    after ${this.#recent.slice(-12).join('\n          ')}`);
  }

  #note(text: string): void {
    this.#recent.push(text);
    if (this.#recent.length > 40) this.#recent.splice(0, 20);
  }
}

function known({ metadata }: Told): [key: string, Known] {
  return [
    `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`,
    { uid: metadata?.uid ?? '', version: BigInt(metadata?.resourceVersion ?? '0') },
  ];
}
