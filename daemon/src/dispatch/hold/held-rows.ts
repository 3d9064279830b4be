/** Held orders on disk (rows `h/…`). Everything but the sealed parts is also in memory, summed up by depositor. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { HELD_BYTES, HELD_PER_DEPOSITOR_BYTES } from '../../../../protocol/orders/hold.ts';
import { DEFAULT_PAGE, type Kv, type KvOp, prefixEnd } from '../../store/kv.ts';
import { decodeHeld, encodeHeld, type Held, nameText, weightOf } from './held.ts';
import { HELD, HELD_PER_DEPOSITOR } from './limits.ts';

const META = 'h/m/';
const SEALED = 'h/s/';

interface Sum {
  count: number;
  bytes: number;
}

export class HeldRows {
  readonly #kv: Kv;
  readonly #held = new Map<string, Held>();
  /** Names of held orders, by target and by holder. */
  readonly #byMember = new Map<string, Set<string>>();
  readonly #sums = new Map<string, Sum>();
  readonly #all: Sum = { count: 0, bytes: 0 };

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  /** Loads what an earlier daemon held. */
  async open(): Promise<void> {
    const lt = prefixEnd(META);
    for (let gte = META; ; ) {
      const page = await this.#kv.page({ gte, lt });
      for (const [key, value] of page) {
        const held = decodeHeld(key.slice(META.length), value);
        if (held !== undefined) this.#remember(held);
      }
      const last = page.at(-1);
      if (page.length < DEFAULT_PAGE || last === undefined) return;
      gte = `${last[0]}\0`;
    }
  }

  get(name: string): Held | undefined {
    return this.#held.get(name);
  }

  all(): IterableIterator<[name: string, held: Held]> {
    return this.#held.entries();
  }

  /** Returns what may concern a member, as a target or as a holder. */
  about({ domain, key }: { domain: string; key: string }): Held[] {
    return [...(this.#byMember.get(`${domain} ${key}`) ?? [])].flatMap((name) => this.#held.get(name) ?? []);
  }

  /** Counts orders only. A cancelled one is kept just so that nobody brings the order again. */
  counts(): { orders: number; bytes: number } {
    const orders = [...this.#held.values()].filter(({ type }) => type === 'order');
    return { orders: orders.length, bytes: orders.reduce((sum, held) => sum + weightOf(held), 0) };
  }

  sealed(name: string): Promise<Uint8Array | undefined> {
    return this.#kv.get(SEALED + name);
  }

  /** Throws QUOTA_EXCEEDED if the depositor, or all together, would exceed their quota here. */
  assertRoom(held: Held): void {
    const before = this.#held.get(nameText(held));
    const more = weightOf(held) - (before === undefined ? 0 : weightOf(before));
    const own = this.#sums.get(held.starter) ?? { count: 0, bytes: 0 };
    const one = before === undefined ? 1 : 0;
    const tooMuch =
      own.count + one > HELD_PER_DEPOSITOR ||
      own.bytes + more > HELD_PER_DEPOSITOR_BYTES ||
      this.#all.count + one > HELD ||
      this.#all.bytes + more > HELD_BYTES;
    if (tooMuch) throw new DtkdError('QUOTA_EXCEEDED', 'this node cannot hold more orders', { next: 'Ask another member.' });
  }

  /** Writes a row durably. `sealed` comes with a new order. */
  async put(held: Held, sealed?: Uint8Array): Promise<void> {
    const name = nameText(held);
    const ops: KvOp[] = [{ type: 'put', key: META + name, value: encodeHeld(held) }];
    if (sealed !== undefined) ops.push({ type: 'put', key: SEALED + name, value: sealed });
    if (held.type === 'cancel') ops.push({ type: 'del', key: SEALED + name });
    await this.#kv.batch(ops, { sync: true });
    this.#forget(name);
    this.#remember(held);
  }

  async drop(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    await this.#kv.batch(
      names.flatMap((name): KvOp[] => [
        { type: 'del', key: META + name },
        { type: 'del', key: SEALED + name },
      ]),
      { sync: false },
    );
    for (const name of names) this.#forget(name);
  }

  #remember(held: Held): void {
    const sum = this.#sums.get(held.starter) ?? { count: 0, bytes: 0 };
    this.#sums.set(held.starter, sum);
    for (const each of [sum, this.#all]) {
      each.count += 1;
      each.bytes += weightOf(held);
    }
    const name = nameText(held);
    this.#held.set(name, held);
    for (const key of [held.target, ...held.holders]) {
      const member = `${held.domain} ${key}`;
      const names = this.#byMember.get(member) ?? new Set();
      this.#byMember.set(member, names.add(name));
    }
  }

  #forget(name: string): void {
    const held = this.#held.get(name);
    if (held === undefined) return;
    this.#held.delete(name);
    for (const key of [held.target, ...held.holders]) {
      const names = this.#byMember.get(`${held.domain} ${key}`);
      names?.delete(name);
      if (names?.size === 0) this.#byMember.delete(`${held.domain} ${key}`);
    }
    const sum = this.#sums.get(held.starter);
    for (const each of [sum, this.#all]) {
      if (each === undefined) continue;
      each.count -= 1;
      each.bytes -= weightOf(held);
    }
    if (sum?.count === 0) this.#sums.delete(held.starter);
  }
}
