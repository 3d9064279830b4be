/**
 * Decides which of the members' frames go into one file: only frames with a valid signature, each once, and from nobody more than a
 * holder would keep. So no member can replace what others have, or make the file too large to write. Pure except for the port that knows
 * members.
 */
import { ANSWERS_PER_TARGET_BYTES, type AnswerFrame } from '../../../../protocol/orders/answer.ts';
import type { CancelFrame, OrderFrame } from '../../../../protocol/orders/carry.ts';
import { HELD_PER_DEPOSITOR_BYTES } from '../../../../protocol/orders/hold.ts';
import { MAX_PARCEL_ANSWERS, MAX_PARCEL_ORDERS } from '../../../../protocol/parcel/parcel.ts';
import type { Members } from '../dispatch.types.ts';
import { HELD_PER_DEPOSITOR } from '../hold/limits.ts';
import { isCancelledBy, isDepositedBy } from '../hold/order-box.ts';
import { isAnswered } from './answer-box.ts';
import { ANSWERS_PER_TARGET, ROW_BYTES } from './limits.ts';

type Frame = OrderFrame | CancelFrame | AnswerFrame;

interface Sum {
  count: number;
  bytes: number;
}

export class Sifting {
  readonly #members: Pick<Members, 'byKey'>;
  readonly #domain: string;
  readonly #given = new Set<string>();
  /** By type of frame and by its signer. */
  readonly #sums = new Map<string, Sum>();
  readonly #totals = { orders: 0, cancels: 0, answers: 0 };

  constructor(members: Pick<Members, 'byKey'>, domain: string) {
    this.#members = members;
    this.#domain = domain;
  }

  /** Returns true if one of this node's own frames, checked when they arrived, goes into the file. */
  own(frame: Frame): boolean {
    return !this.#given.has(nameOf(frame)) && this.#fits(frame);
  }

  /** Returns true if a frame that a member sent goes into the file. */
  told(frame: Frame, now: number): boolean {
    const by = frame.type === 'answer' ? frame.target : frame.starter;
    if (this.#given.has(nameOf(frame)) || this.#members.byKey(this.#domain, by) === undefined) return false;
    const until = frame.type === 'answer' ? frame.until : frame.notAfter;
    if (until <= now || !this.#hasRoom(frame, by) || !isSigned(this.#domain, frame)) return false;
    return this.#fits(frame, by);
  }

  #hasRoom(frame: Frame, by: string): boolean {
    const { count, bytes } = this.#sums.get(`${frame.type} ${by}`) ?? { count: 0, bytes: 0 };
    const most = frame.type === 'answer' ? ANSWERS_PER_TARGET : HELD_PER_DEPOSITOR;
    return count < most && bytes + weightOf(frame) <= (frame.type === 'answer' ? ANSWERS_PER_TARGET_BYTES : HELD_PER_DEPOSITOR_BYTES);
  }

  #fits(frame: Frame, by?: string): boolean {
    const kind = frame.type === 'order' ? 'orders' : frame.type === 'cancel' ? 'cancels' : 'answers';
    if (this.#totals[kind] >= (kind === 'answers' ? MAX_PARCEL_ANSWERS : MAX_PARCEL_ORDERS)) return false;
    this.#totals[kind] += 1;
    this.#given.add(nameOf(frame));
    if (by === undefined) return true;
    const key = `${frame.type} ${by}`;
    const { count, bytes } = this.#sums.get(key) ?? { count: 0, bytes: 0 };
    this.#sums.set(key, { count: count + 1, bytes: bytes + weightOf(frame) });
    return true;
  }
}

/** Identifies a frame. A final answer and one that is not final are different frames. */
function nameOf(frame: Frame): string {
  const { type, starter, target, id, index } = frame;
  return `${type} ${starter} ${target} ${id} ${index}${frame.type === 'answer' ? ` ${frame.final}` : ''}`;
}

function weightOf(frame: Frame): number {
  return ROW_BYTES + (frame.type === 'cancel' ? 0 : frame.sealed.length);
}

function isSigned(domain: string, frame: Frame): boolean {
  if (frame.type === 'answer') return isAnswered(domain, frame);
  const { starter, target, id, index, notAfter, signature } = frame;
  const name = { domain, starter, target, id, index };
  return frame.type === 'cancel' ? isCancelledBy(name, signature) : isDepositedBy(name, notAfter, frame.sealed, signature);
}
