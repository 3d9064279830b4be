/**
 * The set of signed items of one domain: folded in memory, and on disk. Guarantees that a change is on disk before it becomes visible,
 * that changes happen one after the other, and that items that do not count are not stored. Does not know who signs what, or why.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId } from '../../../../protocol/ids.ts';
import { hashHex } from '../../../../protocol/keys/signing.ts';
import { MAX_CERTIFICATES, MAX_MEMBERS } from '../../../../protocol/limits.ts';
import type { ParsedItem } from '../../../../protocol/membership/facts.ts';
import type { Kv, KvOp } from '../../store/kv.ts';
import { type FoldedState, fold, type ProvenFork } from './fold.ts';
import { deleteItem, putItem, readItems } from './item-rows.ts';
import type { SignedItem } from './membership.types.ts';
import { type Rejection, type VerifyFork, verifyItems } from './verify.ts';

export interface ItemSetOptions {
  kv: Kv;
  domain: DomainId;
  verifyFork: VerifyFork;
}

export interface AddResult {
  added: SignedItem[];
  rejected: Rejection[];
}

interface Content {
  items: ReadonlyMap<string, ParsedItem>;
  forks: ReadonlyMap<string, ProvenFork>;
  state: FoldedState;
}

export class ItemSet {
  readonly #options: ItemSetOptions;
  readonly #onChange: () => void;
  #content: Content;
  #digest: string | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(options: ItemSetOptions, content: Content, onChange: () => void) {
    this.#options = options;
    this.#content = content;
    this.#onChange = onChange;
  }

  /** Opens a stored set. */
  static async open(options: ItemSetOptions, onChange: () => void): Promise<ItemSet> {
    const { kv, domain, verifyFork } = options;
    const items = await readItems(kv, domain);
    const forks = new Map<string, ProvenFork>();
    for (const { id, fact } of items.values()) {
      const proven = fact.type === 'fork' ? verifyFork(fact.proof) : undefined;
      if (proven !== undefined) forks.set(id, { author: proven.author, epoch: proven.epoch });
    }
    const content = contentOf(domain, items, forks);
    if (content === undefined) throw new DtkdError('INTERNAL', `nothing is kept of the membership of domain ${domain.slice(0, 16)}`);
    return new ItemSet(options, content, onChange);
  }

  /** Starts a set. `check` gets the state first; if it throws, nothing is written. */
  static async begin(
    options: ItemSetOptions,
    batch: readonly Uint8Array[],
    {
      check,
      alongside,
      onChange,
    }: { check(state: FoldedState | undefined, rejected: Rejection[]): void; alongside: readonly KvOp[]; onChange(): void },
  ): Promise<ItemSet> {
    const { kv, domain, verifyFork } = options;
    const { accepted, forks, rejected } = await verifyItems({ domain, items: new Map() }, batch, verifyFork);
    const content = contentOf(domain, byId(accepted), forks);
    check(content?.state, rejected);
    if (content === undefined) throw new DtkdError('NOT_FOUND', 'the genesis of the domain is not among the items');
    if (!hasRoom(content.state))
      throw new DtkdError('QUOTA_EXCEEDED', `the domain has more than ${MAX_MEMBERS} members, which is the limit`);
    await kv.batch([...content.state.kept.map((item) => putItem(domain, item)), ...alongside], { sync: true });
    return new ItemSet(options, content, onChange);
  }

  get state(): FoldedState {
    return this.#content.state;
  }

  has(id: string): boolean {
    return this.#content.items.has(id);
  }

  digest(): string {
    this.#digest ??= hashHex(Buffer.from([...this.#content.items.keys()].sort().join('\n')));
    return this.#digest;
  }

  /** Runs tasks one after another. A task may call `add`, and must not call `serialise`. */
  serialise<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task);
    this.#queue = result.catch(() => {});
    return result;
  }

  /** What `add` would result in. Stores nothing. */
  async preview(batch: readonly Uint8Array[]): Promise<{ state: FoldedState } & AddResult> {
    const { domain, verifyFork } = this.#options;
    const before = this.#content;
    const { accepted, forks, rejected } = await verifyItems({ domain, items: before.items }, batch, verifyFork);
    const next = accepted.length === 0 ? before : withinRoom(before, accepted, forks);
    return { state: next.state, added: accepted.filter((item) => next.items.has(item.id)), rejected };
  }

  /**
   * Call it only in a task. `alongside` is written in the same batch, and only if nothing was rejected: a secret without its fact would
   * replace one that counts. Throws if the disk fails; nothing has changed then.
   */
  async add(batch: readonly Uint8Array[], alongside: readonly KvOp[] = []): Promise<AddResult> {
    const { kv, domain, verifyFork } = this.#options;
    const before = this.#content;
    const { accepted, forks, rejected } = await verifyItems({ domain, items: before.items }, batch, verifyFork);
    const next = accepted.length === 0 ? before : withinRoom(before, accepted, forks);
    const added = accepted.filter((item) => next.items.has(item.id));
    for (const item of accepted) {
      if (!next.items.has(item.id))
        rejected.push({ code: 'GONE', message: `${item.fact.type} ${item.id.slice(0, 16)}: it does not count` });
    }
    const dropped = next === before ? [] : [...before.items.keys()].filter((id) => !next.items.has(id));
    const ops = [...added.map((item) => putItem(domain, item)), ...dropped.map((id) => deleteItem(domain, id))];
    if (rejected.length === 0) ops.push(...alongside);
    if (ops.length > 0) await kv.batch(ops, { sync: true });
    if (added.length > 0 || dropped.length > 0) {
      this.#content = next;
      this.#digest = undefined;
      this.#onChange();
    }
    return { added, rejected };
  }
}

/** Folds, and leaves out what does not count. */
function contentOf(domain: DomainId, items: ReadonlyMap<string, ParsedItem>, forks: ReadonlyMap<string, ProvenFork>): Content | undefined {
  const state = fold({ domain, items, forks });
  if (state === undefined) return undefined;
  const kept = byId(state.kept);
  return { state, items: kept, forks: new Map([...forks].filter(([id]) => kept.has(id))) };
}

/** The set with the accepted items. If that exceeds the limits of a domain, only as many new certificates as fit. */
function withinRoom(before: Content, accepted: readonly ParsedItem[], forks: ReadonlyMap<string, ProvenFork>): Content {
  const merge = (items: readonly ParsedItem[]): Content =>
    contentOf(before.state.domain, new Map([...before.items, ...byId(items)]), new Map([...before.forks, ...forks])) ?? before;
  const whole = merge(accepted);
  if (hasRoom(whole.state)) return whole;
  let room = Math.min(MAX_MEMBERS - before.state.members.size, MAX_CERTIFICATES - before.state.links.size);
  return merge(
    accepted.filter(({ fact }) => {
      if (fact.type !== 'certificate') return true;
      room -= 1;
      return room >= 0;
    }),
  );
}

function hasRoom(state: FoldedState): boolean {
  return state.members.size <= MAX_MEMBERS && state.links.size <= MAX_CERTIFICATES;
}

function byId(items: readonly ParsedItem[]): Map<string, ParsedItem> {
  return new Map(items.map((item) => [item.id, item]));
}
