/** This node's answers, as a target, to starters that it does not reach. Made from the journal on request, the latest first. */
import { type AnswerBody, type AnswerFrame, MAX_ANSWER_OUTPUT_BYTES } from '../../../../protocol/orders/answer.ts';
import type { Members } from '../dispatch.types.ts';
import type { Holding } from '../hold/hold.types.ts';
import type { PartHandle, Target } from '../target/target.types.ts';
import { boxAnswer } from './answer-box.ts';
import { MAX_ANSWER_LIFETIME_MS, OWN_ANSWERS } from './limits.ts';

export interface OwnAnswersPorts {
  members: Pick<Members, 'sign' | 'byKey'>;
  target: Pick<Target, 'ended' | 'known'>;
  holding: Pick<Holding, 'neverTaken'>;
  now(): number;
}

interface Ended {
  starter: string;
  id: string;
  index: number;
  until: number;
  endedAt: number;
  /** Cancelled before the order arrived. */
  never?: true;
}

/**
 * Yields the answers. `self`: this node's key in the domain. `outputBytes`: bytes of output in all of them together; once these are used
 * up, answers go without output. Every answer says how its part ended, because each export starts with the same latest ones.
 */
export async function* ownAnswers(
  ports: OwnAnswersPorts,
  { domain, self }: { domain: string; self: string },
  outputBytes: number,
): AsyncGenerator<AnswerFrame> {
  const { members, now } = ports;
  // A connected starter asks by itself.
  const isAbsent = (starter: string): boolean => {
    const member = members.byKey(domain, starter);
    return member !== undefined && member.reach !== 'connected';
  };
  const found: Ended[] = [];
  for await (const one of ports.target.ended(domain)) if (one.until > now() && isAbsent(one.starter)) found.push(one);
  for (const { notAfter, ...one } of ports.holding.neverTaken(domain, self)) {
    if (isAbsent(one.starter)) found.push({ ...one, until: notAfter, endedAt: now(), never: true });
  }
  found.sort((a, b) => b.endedAt - a.endedAt);
  let left = outputBytes;
  for (const one of found.slice(0, OWN_ANSWERS)) {
    const body = await bodyOf(ports, one, Math.min(left, MAX_ANSWER_OUTPUT_BYTES));
    if (body === undefined) continue;
    left -= body.records.length;
    const { starter, id, index } = one;
    const until = Math.min(one.until, now() + MAX_ANSWER_LIFETIME_MS);
    yield boxAnswer(members, domain, { starter, target: self, id, index, until, final: body.part.outcome !== 'unknown' }, body);
  }
}

async function bodyOf(
  { target }: OwnAnswersPorts,
  { id, index, endedAt, never }: Ended,
  outputBytes: number,
): Promise<AnswerBody | undefined> {
  const handle = await target.known(id, index);
  if (handle !== undefined) {
    const part = handle.part();
    return part.state === 'ended' ? { part, records: await outputOf(handle, outputBytes) } : undefined;
  }
  if (never !== true) return undefined;
  const reason = 'withdrawn before it arrived';
  return {
    part: { index, node: '', what: '', state: 'ended', outcome: 'skipped', code: 'ABORTED', reason, endedAt },
    records: new Uint8Array(),
  };
}

/** Returns the output from the beginning, in whole records, up to `most` bytes. */
async function outputOf(handle: PartHandle, most: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  while (length < most) {
    const records = await handle.read(length, most - length);
    if (records.length === 0 || length + records.length > most) break;
    pieces.push(records);
    length += records.length;
  }
  return Buffer.concat(pieces);
}
