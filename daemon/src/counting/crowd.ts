/**
 * A bounded set of connections that have proved nothing yet. When it is full, the oldest connection of the network that holds most
 * gives way: whoever floods evicts its own connections, and a single visitor from elsewhere still gets in.
 */
import { isIPv6 } from 'node:net';

export class Crowd<T> {
  readonly #limit: number;
  readonly #evict: (member: T) => void;
  /** Members and their networks, oldest first. */
  readonly #members = new Map<T, string>();

  constructor(limit: number, evict: (member: T) => void) {
    this.#limit = limit;
    this.#evict = evict;
  }

  get size(): number {
    return this.#members.size;
  }

  /** `address`: where the member comes from; text that is not an IP address is a network of its own. */
  add(member: T, address: string): void {
    while (this.#members.size >= this.#limit) {
      const victim = oldestOfLargest(this.#members);
      if (victim === undefined) break;
      this.#members.delete(victim);
      this.#evict(victim);
    }
    this.#members.set(member, networkOf(address));
  }

  delete(member: T): boolean {
    return this.#members.delete(member);
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#members.keys();
  }
}

/** The oldest member of the network that has most. `members` come oldest first. */
function oldestOfLargest<T>(members: Iterable<readonly [member: T, network: string]>): T | undefined {
  const sizes = new Map<string, number>();
  const all = [...members];
  for (const [, network] of all) sizes.set(network, (sizes.get(network) ?? 0) + 1);
  const largest = Math.max(...sizes.values());
  return all.find(([, network]) => sizes.get(network) === largest)?.[0];
}

/** A connection, as `whoGivesWay` sees it. */
export interface Holder<T> {
  readonly member: T;
  readonly network: string;
  /** Nothing is under way on it. */
  readonly waits: boolean;
}

/**
 * A network does not give way to one that already holds this many times as much, which would evict clients that have only just
 * connected. A browser opens six connections.
 */
const MUCH_MORE = 8;

/**
 * Chooses which connection gives way to a newcomer from `network` when there is no room; `all` are the open ones, oldest first.
 * First choice is the oldest waiting connection of the network with most waiting ones. If none waits, it is the oldest connection
 * of the network that holds most, provided that this network then still holds no less than the newcomer's. So all networks that
 * want more end up with equal shares, however many there are. Undefined if none gives way.
 */
export function whoGivesWay<T>(all: readonly Holder<T>[], network: string): T | undefined {
  const held = new Map<string, number>();
  for (const one of all) held.set(one.network, (held.get(one.network) ?? 0) + 1);
  const own = held.get(network) ?? 0;
  const of = (one: Holder<T>): number => held.get(one.network) ?? 0;
  const members = (some: readonly Holder<T>[]) => some.map((one): [Holder<T>, string] => [one, one.network]);
  const waiting = oldestOfLargest(members(all.filter((one) => one.waits && of(one) * MUCH_MORE >= own)));
  if (waiting !== undefined) return waiting.member;
  const busy = oldestOfLargest(members(all));
  return busy === undefined || busy.network === network || of(busy) - 1 <= own ? undefined : busy.member;
}

/** The block of addresses that one party typically controls: a single IPv4 address, or the /64 of an IPv6 address. */
export function networkOf(address: string): string {
  const bare = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
  if (!isIPv6(bare)) return bare;
  const [head = '', tail = ''] = bare.toLowerCase().split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail);
  const zeros = new Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}

/** An embedded IPv4 address at the end counts as two groups. */
function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group.replace(/^0+(?=.)/, '')]));
}
