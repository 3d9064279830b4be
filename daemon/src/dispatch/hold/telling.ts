/**
 * Tells others of what is held here: hands orders over to their targets, and brings cancellations to targets and holders. Guarantees that it is durable that an order
 * may be at its target before a byte of it goes out, and that what was taken back is not handed over afterwards. Does not know when somebody can be reached (errands.ts).
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
  /** Given when this node stops. */
  closing: AbortSignal;
  /** This node's key in the domain of what is held, as far as that can be told now. */
  selfKey(held: Held): string | undefined;
  /** Told of what came of handing an order over, where nothing more is to be tried. */
  onHandedOver(held: HeldOrderRow, answer: HoldAnswer): void;
}

export class Telling {
  readonly #options: TellingOptions;
  /** Orders that are being handed over just now. */
  readonly #handing = new Set<string>();

  constructor(options: TellingOptions) {
    this.#options = options;
  }

  /** An order is being handed over just now. */
  isHanding(held: Held): boolean {
    return this.#handing.has(nameText(held));
  }

  /** Tells a member all that there is to tell; true if nothing is left. Errors: those of the disk. */
  async tell(to: { domain: string; key: string }): Promise<boolean> {
    const { rows, selfKey, closing, now } = this.#options;
    let done = true;
    for (const held of rows.about(to)) {
      if (!toTell(held, selfKey(held)).includes(to.key)) continue;
      if (closing.aborted) return false;
      if (held.notAfter <= now()) continue;
      const answer = held.type === 'order' ? await this.#handOver(nameText(held), held) : await this.#bringBack(held, to);
      // It cannot be reached: the others wait as well.
      if (answer === undefined) return false;
      done &&= answer.type === 'done' || isFinal(answer.code);
    }
    return done;
  }

  /** Writes down that somebody knows of a cancellation. */
  async told(name: string, key: string): Promise<void> {
    const { rows, locks } = this.#options;
    await locks.locked(name, async () => {
      const held = rows.get(name);
      if (held?.type !== 'cancel') return;
      const holders = held.holders.filter((holder) => holder !== key);
      await rows.put({ ...held, holders, brought: held.brought || key === held.target });
    });
  }

  /** Undefined: there was no answer. */
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
    // it may have been taken then, whatever is said now
    const sentBefore = rows.get(name)?.sent === true;
    try {
      const before = () => this.#markSent(name, true);
      const answer = await this.ask({ domain: held.domain, key: held.target }, { type: 'deliver', ...said(held), sealed }, { before });
      if (answer === undefined) return undefined;
      // The target says that it did not take it.
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

  /** Durably, before a byte of it goes out: whatever happens then, the target may have it. Errors: ABORTED if it must not go out any more. */
  async #markSent(name: string, sent: boolean): Promise<void> {
    const { rows, locks } = this.#options;
    await locks.locked(name, async () => {
      const held = rows.get(name);
      if (held?.type !== 'order') {
        if (sent) throw new DtkdError('ABORTED', 'the order was taken back');
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
