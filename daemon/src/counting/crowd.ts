/**
 * Connections that have proved nothing yet, in a bounded number. Under a flood the oldest of the network that holds most of them gives
 * way: who floods pushes out himself, and somebody who knocks once from elsewhere gets his turn.
 */
import { isIPv6 } from 'node:net';

export class Crowd<T> {
  readonly #limit: number;
  readonly #evict: (member: T) => void;
  /** The oldest first, with its network. */
  readonly #members = new Map<T, string>();

  constructor(limit: number, evict: (member: T) => void) {
    this.#limit = limit;
    this.#evict = evict;
  }

  get size(): number {
    return this.#members.size;
  }

  /** `address`: where it comes from; any text that is no IP address is a network of its own. */
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

/** Of members with their networks, the oldest first: the first one of the network that has most. */
function oldestOfLargest<T>(members: Iterable<readonly [member: T, network: string]>): T | undefined {
  const sizes = new Map<string, number>();
  const all = [...members];
  for (const [, network] of all) sizes.set(network, (sizes.get(network) ?? 0) + 1);
  const largest = Math.max(...sizes.values());
  return all.find(([, network]) => sizes.get(network) === largest)?.[0];
}

/** A connection, as who gives way is found. */
export interface Holder<T> {
  readonly member: T;
  readonly network: string;
  /** Nothing is under way on it. */
  readonly waits: boolean;
}

/** Nobody gives way to a network that holds so many times as much: it would push out those who have only just come. A browser takes six connections. */
const MUCH_MORE = 8;

/**
 * Who gives way to one that comes from `network` where there is no room, of all, the oldest first: the oldest that waits, of the network that holds most of
 * those; if none waits, the oldest of the network that holds most of all, if that still has no less than the newcomer's then. So the shares of all who want more
 * become equal, however many they are. Undefined: nobody does.
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

/** What one party can have as many addresses of as it likes: an IPv4 address, or the /64 of an IPv6 address. */
export function networkOf(address: string): string {
  const bare = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
  if (!isIPv6(bare)) return bare;
  const [head = '', tail = ''] = bare.toLowerCase().split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail);
  const zeros = new Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}

/** An IPv4 address at the end stands for two. */
function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group.replace(/^0+(?=.)/, '')]));
}
