/**
 * Delivers held orders to their targets, and brings cancellations to targets and holders. Guarantees that it is on disk that a target may
 * have an order before a byte of it is sent, and that a cancelled order is not delivered afterwards. Does not know when members can be
 * reached (errands.ts).
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { HoldAnswer, HoldRequest } from '../../../../protocol/orders/hold.ts';
import { askHold } from './asking.ts';
import { type Held, type HeldOrderRow, isFinal, nameText, said, toTell } from './held.ts';
import type { HeldRows } from './held-rows.ts';
import type { HoldingOptions } from './hold.types.ts';
import type { Locks } from './locks.ts';

export interface TellingOptions extends Pick<HoldingOptions, 'members' | 'logger' | 'now'> {
  rows: HeldRows;
  locks: Locks;
  /** Aborted when this node stops. */
  closing: AbortSignal;
  /** Returns this node's key in the domain of a held order, or undefined if it cannot be told now. */
  selfKey(held: Held): string | undefined;
  /** Called with the target's answer to a delivery, once there is nothing more to try. */
  onHandedOver(held: HeldOrderRow, answer: HoldAnswer): void;
}

export class Telling {
  readonly #options: TellingOptions;
  /** Orders that are being delivered right now. */
  readonly #handing = new Set<string>();

  constructor(options: TellingOptions) {
    this.#options = options;
  }

  /** True if the order is being delivered right now. */
  isHanding(held: Held): boolean {
    return this.#handing.has(nameText(held));
  }

  /** Tells a member everything there is to tell. Returns true if nothing is left. Errors: those of the disk. */
  async tell(to: { domain: string; key: string }): Promise<boolean> {
    const { rows, selfKey, closing, now } = this.#options;
    let done = true;
    for (const held of rows.about(to)) {
      if (!toTell(held, selfKey(held)).includes(to.key)) continue;
      if (closing.aborted) return false;
      if (held.notAfter <= now()) continue;
      const answer = held.type === 'order' ? await this.#handOver(nameText(held), held) : await this.#bringBack(held, to);
      // The member cannot be reached: the rest waits as well.
      if (answer === undefined) return false;
      done &&= answer.type === 'done' || isFinal(answer.code);
    }
    return done;
  }

  /** Records that a member knows of a cancellation. */
  async told(name: string, key: string): Promise<void> {
    const { rows, locks } = this.#options;
    await locks.locked(name, async () => {
      const held = rows.get(name);
      if (held?.type !== 'cancel') return;
      const holders = held.holders.filter((holder) => holder !== key);
      await rows.put({ ...held, holders, brought: held.brought || key === held.target });
    });
  }

  /** Sends a request to a member. Undefined if there was no answer. */
  async ask(
    to: { domain: string; key: string },
    request: HoldRequest,
    how: { timeoutMs?: number; before?: () => void | Promise<void> } = {},
  ): Promise<HoldAnswer | undefined> {
    const { members, closing, logger } = this.#options;
    try {
      return await askHold(members, to, request, closing, how);
    } catch (error) {
      logger.debug({ err: error, key: to.key, about: request.id }, `A member did not answer a ${request.type}`);
      return undefined;
    }
  }

  async #handOver(name: string, held: HeldOrderRow): Promise<HoldAnswer | undefined> {
    const { rows, locks, onHandedOver } = this.#options;
    const sealed = await rows.sealed(name);
    if (sealed === undefined || rows.get(name)?.type !== 'order') return { type: 'done' };
    this.#handing.add(name);
    // If so, the target may have taken it then, whatever it says now.
    const sentBefore = rows.get(name)?.sent === true;
    try {
      const before = () => this.#markSent(name, true);
      const answer = await this.ask({ domain: held.domain, key: held.target }, { type: 'deliver', ...said(held), sealed }, { before });
      if (answer === undefined) return undefined;
      // The target says that it did not take the order.
      if (answer.type === 'refused' && !isFinal(answer.code) && !sentBefore) await this.#markSent(name, false);
      if (answer.type === 'done' || isFinal(answer.code)) {
        await locks.locked(name, async () => {
          if (rows.get(name)?.type === 'order') await rows.drop([name]);
        });
        onHandedOver(held, answer);
      }
      return answer;
    } finally {
      this.#handing.delete(name);
    }
  }

  /**
   * Records durably whether the order has been sent. True is recorded before the first byte goes out, since the target may then have the
   * order whatever happens. Errors: ABORTED if the order must not be sent any more.
   */
  async #markSent(name: string, sent: boolean): Promise<void> {
    const { rows, locks } = this.#options;
    await locks.locked(name, async () => {
      const held = rows.get(name);
      if (held?.type !== 'order') {
        if (sent) throw new DtkdError('ABORTED', 'the order was withdrawn');
        return;
      }
      if ((held.sent ?? false) !== sent) await rows.put({ ...held, sent });
    });
  }

  async #bringBack(held: Held & { type: 'cancel' }, to: { domain: string; key: string }): Promise<HoldAnswer | undefined> {
    const answer = await this.ask(to, { type: 'cancel', ...said(held), signature: held.signature });
    if (answer?.type === 'done' || isFinal(answer?.code)) await this.told(nameText(held), to.key);
    return answer;
  }
}
