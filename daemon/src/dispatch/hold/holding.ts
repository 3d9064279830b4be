/**
 * Orders for members that are away: gives this node's own orders to others to hold, holds those of others, delivers each when its target
 * can be reached, and accepts those for this node. Owns the rows `h/…`. Guarantees that what it reports as held is durable, that this
 * node neither delivers nor accepts an order after it was cancelled here, and that others cannot fill this node. A target may get an
 * order several times, from several holders; starting it only once is up to the target. Does not decide what may run.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { HOLD_PROTOCOL, type HoldAnswer, type HoldRequest } from '../../../../protocol/orders/hold.ts';
import { MAX_ORDER_LIFETIME_MS, MAX_TARGETS } from '../../../../protocol/orders/order.ts';
import type { Member } from '../dispatch.types.ts';
import { Errands } from './errands.ts';
import { type Held, type HeldName, type HeldOrderRow, mayBeThere, nameText, said, toTell } from './held.ts';
import { HeldRows } from './held-rows.ts';
import type { CarriedOrder, Delivery, Holding, HoldingOptions } from './hold.types.ts';
import * as limits from './limits.ts';
import { Locks } from './locks.ts';
import { boxOrder, cancellationBytes, depositBytes, isCancelledBy, isDepositedBy, unboxOrder } from './order-box.ts';
import { HoldServing } from './serving.ts';
import { Telling } from './telling.ts';

type Deposit = Parameters<Holding['deposit']>[0];
type Entry = Parameters<Holding['cancel']>[0];

/** A holder's reply to a cancellation if it did not have the order (any more). */
const NOT_HELD = 'NOT_FOUND';

export function createHolding(options: HoldingOptions): Holding {
  return new OrderHolding(options);
}

class OrderHolding implements Holding {
  readonly #options: HoldingOptions;
  readonly #rows: HeldRows;
  readonly #serving: HoldServing;
  readonly #errands: Errands;
  readonly #listeners = new Set<(delivery: Delivery) => void>();
  readonly #locks = new Locks();
  readonly #telling: Telling;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(options: HoldingOptions) {
    this.#options = options;
    this.#rows = new HeldRows(options.rows);
    this.#serving = new HoldServing({ answer: (request, from) => this.#answer(request, from), logger: options.logger });
    this.#telling = new Telling({
      ...options,
      rows: this.#rows,
      locks: this.#locks,
      closing: this.#closing.signal,
      selfKey: (held) => this.#selfKey(held),
      onHandedOver: (held, answer) => this.#announce(held, answer),
    });
    this.#errands = new Errands({ ...options, run: (to) => this.#telling.tell(to) });
  }

  async start(): Promise<void> {
    await this.#rows.open();
    await this.#sweep();
    for (const [, held] of this.#rows.all()) this.#wantTold(held);
    this.#options.members.handle(HOLD_PROTOCOL, (stream, from) => this.#serving.serve(stream, from));
    this.#errands.start();
    const sweep = () => {
      this.#sweep().catch((error: unknown) => this.#options.logger.warn({ err: error }, 'Expired orders could not be removed'));
    };
    this.#timer = setInterval(sweep, limits.SWEEP_MS);
    this.#timer.unref();
    this.#unsubscribe = this.#options.members.onChange(sweep);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#unsubscribe();
    this.#closing.abort();
    await Promise.all([this.#serving.close(), this.#errands.stop()]);
  }

  counts(): { orders: number; bytes: number } {
    return this.#rows.counts();
  }

  firstExpiry(): number | undefined {
    let first: number | undefined;
    for (const [, held] of this.#rows.all())
      if (held.type === 'order' && (first === undefined || held.notAfter < first)) first = held.notAfter;
    return first;
  }

  onDelivery(listener: (delivery: Delivery) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // The starter's side.

  async deposit({ domain, target, id, index, notAfter, order }: Deposit): Promise<{ holders: string[] }> {
    const { members, node, offer } = this.#options;
    const member = members.byKey(domain, target);
    if (member === undefined) throw new DtkdError('ORDER_INVALID', 'orders are held only for members of a common domain');
    const name: HeldName = { domain, target, starter: member.selfKey, id, index };
    this.#assertTime(notAfter);
    const offered = offer && ((bundle: Uint8Array) => offer(bundle, member, notAfter));
    const sealed = await boxOrder(members, name, order, offered);
    const asked = this.#holdersFor(member);
    const signature = members.sign(domain, 'order', depositBytes(name, notAfter, sealed));
    const row: HeldOrderRow = { ...name, type: 'order', notAfter, bytes: sealed.length, holders: asked.map(({ key }) => key), signature };
    // Written here first, with all members that will be asked: whatever happens from now on, the order can be cancelled.
    await this.#rows.put(row, sealed);
    const holders = await this.#give(asked, { type: 'deposit', ...said(row), sealed, signature });
    await this.#locks
      .locked(nameText(name), async () => {
        // It may have been delivered or cancelled meanwhile.
        const now = this.#rows.get(nameText(name));
        if (now?.type === 'order') await this.#rows.put({ ...now, holders: holders.map(({ key }) => key) });
      })
      .catch((error: unknown) => {
        // It is held all the same. Its row still lists all members that were asked as possible holders.
        this.#options.logger.warn({ err: error, id, index }, 'The holders of an order could not be stored');
      });
    this.#wantTold(row);
    return { holders: [...holders.map((holder) => holder.node), node.name] };
  }

  /** Returns the members to ask to hold an order for this target: connected ones first, otherwise in random order. */
  #holdersFor(target: Member): Member[] {
    const rank = { connected: 0, idle: 1, away: 2 };
    return this.#options.members
      .list()
      .filter(({ domain, key, reach }) => domain === target.domain && key !== target.key && reach !== 'away')
      .map((member) => ({ member, at: rank[member.reach] + Math.random() }))
      .sort((a, b) => a.at - b.at)
      .slice(0, limits.MAX_ASKED)
      .map(({ member }) => member);
  }

  /** Asks members until enough have taken the order. Also returns those that were sent it but did not answer: they may have it. */
  async #give(asked: readonly Member[], request: HoldRequest): Promise<Member[]> {
    const left = [...asked];
    const holders: Member[] = [];
    let certain = 0;
    while (certain < limits.HOLDERS && left.length > 0) {
      const now = left.splice(0, limits.HOLDERS - certain);
      await Promise.all(
        now.map(async (member) => {
          let sent = false;
          const before = () => {
            sent = true;
          };
          const answer = await this.#telling.ask(member, request, { timeoutMs: limits.PROMPT_MS, before });
          if (answer?.type === 'done') certain += 1;
          if (answer?.type === 'done' || (answer === undefined && sent)) holders.push(member);
        }),
      );
    }
    return holders;
  }

  async cancel({ domain, target, id, index }: Entry): Promise<{ notReached: string[] }> {
    const { members } = this.#options;
    const name = { domain, target, starter: this.#selfKey({ domain, target, starter: '' }) ?? '', id, index };
    const row = await this.#locks.locked(nameText(name), async () => {
      const held = this.#rows.get(nameText(name));
      if (held === undefined) {
        throw new DtkdError('NOT_FOUND', 'no such order is held here: it was delivered, or has expired', {
          next: 'Abort it at its target.',
        });
      }
      if (held.type === 'cancel') return held;
      const signature = members.sign(domain, 'order', cancellationBytes(name));
      const { notAfter, holders } = held;
      const taken: Held = { ...name, type: 'cancel', notAfter, holders, signature, brought: false, sent: mayBeThere(held) };
      await this.#rows.put(taken);
      return taken;
    });
    this.#wantTold(row);
    return { notReached: await this.#tellAtOnce(row) };
  }

  /** Tells the target and the holders that an order is cancelled. Returns those that may not heed it. */
  async #tellAtOnce(row: Held & { type: 'cancel' }): Promise<string[]> {
    const { members } = this.#options;
    const request: HoldRequest = { type: 'cancel', ...said(row), signature: row.signature };
    const told = await Promise.all(
      toTell(row, undefined).map(async (key) => {
        const member = members.byKey(row.domain, key);
        const answer =
          member === undefined || member.reach === 'away'
            ? undefined
            : await this.#telling.ask(member, request, { timeoutMs: limits.PROMPT_MS });
        if (answer?.type === 'done') await this.#telling.told(nameText(row), key);
        return { key, node: member?.node ?? key.slice(0, 12), answer };
      }),
    );
    const target = told.find(({ key }) => key === row.target);
    if (row.brought || target?.answer?.type === 'done') return [];
    const holders = told.filter(({ key }) => key !== row.target);
    const unsure = holders.filter(({ answer }) => answer?.type !== 'done').map(({ node }) => node);
    // A holder that no longer has it may have delivered it. So may this node, if it has tried.
    const handedOver = row.sent === true || holders.some(({ answer }) => answer?.code === NOT_HELD) || this.#telling.isHanding(row);
    return [...unsure, ...(handedOver || unsure.length > 0 ? [target?.node ?? row.target.slice(0, 12)] : [])];
  }

  mayHaveDelivered({ domain, target, id, index }: Entry): boolean {
    const starter = this.#selfKey({ domain, target, starter: '' }) ?? '';
    const held = this.#rows.get(nameText({ domain, target, starter, id, index }));
    // A missing order was delivered or has expired.
    return held === undefined || mayBeThere(held) || this.#telling.isHanding(held);
  }

  // Orders carried in files.

  async *carry(domain: string): AsyncGenerator<CarriedOrder> {
    for (const name of [...this.#rows.all()].flatMap(([text, held]) => (held.domain === domain ? [text] : []))) {
      const carried = await this.#locks.locked(name, () => this.#giveOut(name));
      if (carried !== undefined) yield carried;
    }
  }

  async #giveOut(name: string): Promise<CarriedOrder | undefined> {
    const held = this.#rows.get(name);
    if (held === undefined || held.notAfter <= this.#options.now()) return undefined;
    if (held.type === 'cancel') return { type: 'cancel', ...said(held), signature: held.signature };
    const sealed = await this.#rows.sealed(name);
    if (sealed === undefined || held.signature === undefined) return undefined;
    if (held.carried !== true) await this.#rows.put({ ...held, carried: true });
    return { type: 'order', ...said(held), sealed, signature: held.signature };
  }

  async takeCarried({ domain, self }: { domain: string; self: string }, carried: CarriedOrder): Promise<'taken' | 'known'> {
    const { starter, target, id, index, notAfter } = carried;
    const name: HeldName = { domain, target, starter, id, index };
    // About its own orders this node knows more than anybody else.
    if (starter === self) return 'known';
    if (index >= MAX_TARGETS) throw new DtkdError('ORDER_INVALID', 'no plan can have that many targets');
    if (this.#options.members.byKey(domain, starter) === undefined) {
      throw new DtkdError('NOT_A_MEMBER', 'the node that started it is not a member known here');
    }
    return this.#locks.locked(nameText(name), async () => {
      const before = this.#rows.get(nameText(name));
      const from = { key: starter, selfKey: self };
      if (carried.type === 'cancel') {
        // The expiry is not signed: an earlier copy may have claimed a shorter one.
        if (before?.type === 'cancel' && before.notAfter >= notAfter) return 'known';
        await this.#takeBack(name, carried, from);
        return 'taken';
      }
      if (before !== undefined) return 'known';
      if (!isDepositedBy(name, notAfter, carried.sealed, carried.signature)) {
        throw new DtkdError('SIGNATURE_INVALID', 'the order is not from the node that it names as its starter');
      }
      if (target !== self) await this.#keep(name, { ...carried, type: 'deposit' }, from);
      else if (await this.#options.isTaken?.(name)) return 'known';
      else await this.#accept(name, carried.sealed, from);
      return 'taken';
    });
  }

  neverTaken(domain: string, self: string): ReturnType<Holding['neverTaken']> {
    const ours = [...this.#rows.all()].filter(([, held]) => held.type === 'cancel' && held.domain === domain && held.target === self);
    return ours.map(([, { starter, id, index, notAfter }]) => ({ starter, id, index, notAfter }));
  }

  async answered(which: HeldName): Promise<void> {
    const name = nameText(which);
    await this.#locks.locked(name, async () => {
      if (this.#rows.get(name)?.type === 'order') await this.#rows.drop([name]);
    });
  }

  // Telling others, and the outcome.

  #wantTold(held: Held): void {
    for (const key of toTell(held, this.#selfKey(held))) this.#errands.want({ domain: held.domain, key });
  }

  #announce(held: HeldOrderRow, { type, code, message }: HoldAnswer): void {
    if (this.#selfKey(held) !== held.starter) return;
    const { domain, target, id, index } = held;
    const taken = type === 'done';
    const why = taken ? {} : { ...(code === undefined ? {} : { code }), ...(message === undefined ? {} : { message }) };
    for (const listener of this.#listeners) listener({ domain, target, id, index, taken, ...why });
  }

  // Requests of other members.

  async #answer(request: HoldRequest, from: Member): Promise<HoldAnswer> {
    const name: HeldName = { domain: from.domain, target: request.target, starter: request.starter, id: request.id, index: request.index };
    if (request.index >= MAX_TARGETS) throw new DtkdError('ORDER_INVALID', 'no plan can have that many targets');
    return this.#locks.locked(nameText(name), () => {
      switch (request.type) {
        case 'deposit':
          return this.#keep(name, request, from);
        case 'deliver':
          return this.#accept(name, request.sealed, from);
        case 'cancel':
          return this.#takeBack(name, request, from);
      }
    });
  }

  async #keep(name: HeldName, request: HoldRequest & { type: 'deposit' }, from: Pick<Member, 'key' | 'selfKey'>): Promise<HoldAnswer> {
    const { notAfter, sealed, signature } = request;
    if (from.key !== name.starter) throw new DtkdError('FORBIDDEN', 'an order is accepted only from its starter');
    if (name.target === from.selfKey) throw new DtkdError('ORDER_INVALID', 'the order is for this node: deliver it');
    if (this.#options.members.byKey(name.domain, name.target) === undefined) {
      throw new DtkdError('ORDER_INVALID', 'the target is not a member known here');
    }
    if (this.#options.members.byKey(name.domain, name.starter) === undefined) {
      throw new DtkdError('NOT_A_MEMBER', 'the node that started it is not a member known here');
    }
    if (signature !== undefined && !isDepositedBy(name, notAfter, sealed, signature)) {
      throw new DtkdError('SIGNATURE_INVALID', 'the signature of the order does not match its content');
    }
    this.#assertTime(notAfter);
    const before = this.#rows.get(nameText(name));
    if (before?.type === 'cancel') throw new DtkdError('ABORTED', 'the order was withdrawn');
    const { sent, carried } = before ?? {};
    const row: HeldOrderRow = { ...name, type: 'order', notAfter, bytes: sealed.length, holders: [], signature, sent, carried };
    this.#rows.assertRoom(row);
    await this.#rows.put(row, sealed);
    this.#wantTold(row);
    return { type: 'done' };
  }

  async #accept(name: HeldName, sealed: Uint8Array, from: Pick<Member, 'selfKey'>): Promise<HoldAnswer> {
    if (name.target !== from.selfKey) throw new DtkdError('ORDER_INVALID', 'the order is for another node');
    if (this.#rows.get(nameText(name))?.type === 'cancel') throw new DtkdError('ABORTED', 'the order was withdrawn');
    const { members, accept } = this.#options;
    const { user, ...order } = await unboxOrder(members, name, sealed);
    const starter = members.byKey(name.domain, name.starter);
    if (starter === undefined) throw new DtkdError('NOT_A_MEMBER', 'the node that started it is not a member known here');
    await accept({ member: starter, user }, order, this.#closing.signal);
    return { type: 'done' };
  }

  async #takeBack(
    name: HeldName,
    { notAfter, signature }: HoldRequest & { type: 'cancel' },
    from: Pick<Member, 'key' | 'selfKey'>,
  ): Promise<HoldAnswer> {
    const isTarget = name.target === from.selfKey;
    const { members, cancelled, now } = this.#options;
    const starter = members.byKey(name.domain, name.starter);
    if (starter === undefined || (!isTarget && from.key !== name.starter)) {
      throw new DtkdError('FORBIDDEN', 'an order can be withdrawn only by its starter');
    }
    if (!isCancelledBy(name, signature)) throw new DtkdError('SIGNATURE_INVALID', 'its starter did not withdraw the order');
    const before = this.#rows.get(nameText(name));
    const until = Math.min(Math.max(notAfter, before?.notAfter ?? 0), now() + MAX_ORDER_LIFETIME_MS);
    const row: Held = {
      ...name,
      type: 'cancel',
      notAfter: until,
      holders: [],
      signature,
      brought: before?.type === 'cancel' && before.brought,
      sent: before !== undefined && mayBeThere(before),
    };
    if (before === undefined) this.#rows.assertRoom(row);
    if (until > now()) await this.#rows.put(row);
    if (isTarget) await cancelled?.(starter, { id: name.id, index: name.index });
    else this.#wantTold(row);
    const sure = isTarget || (before?.type === 'order' && !mayBeThere(before) && !this.#telling.isHanding(row));
    return { type: 'done', ...(sure ? {} : { code: NOT_HELD }) };
  }

  // Helpers.

  #assertTime(notAfter: number): void {
    const now = this.#options.now();
    if (notAfter <= now) throw new DtkdError('ORDER_EXPIRED', 'the order has expired');
    if (notAfter > now + MAX_ORDER_LIFETIME_MS + limits.CLOCK_SLACK_MS) {
      throw new DtkdError('ORDER_INVALID', 'orders are held for at most seven days');
    }
  }

  /** Returns this node's key in the domain of a held order, or undefined if it cannot be told now. */
  #selfKey({ domain, target, starter }: Pick<HeldName, 'domain' | 'target' | 'starter'>): string | undefined {
    const { members } = this.#options;
    return (members.byKey(domain, target) ?? members.byKey(domain, starter) ?? members.list().find((member) => member.domain === domain))
      ?.selfKey;
  }

  /**
   * Forgets what has expired, and the orders of members that are gone. Orders for members that are gone stay: their starters may want to
   * know that nobody got them.
   */
  async #sweep(): Promise<void> {
    const now = this.#options.now();
    const rows = [...this.#rows.all()];
    const gone = new Set([...new Set(rows.map(([, { starter }]) => starter))].filter((key) => this.#options.isGone(key)));
    await this.#rows.drop(rows.filter(([, held]) => held.notAfter <= now || gone.has(held.starter)).map(([name]) => name));
  }
}
