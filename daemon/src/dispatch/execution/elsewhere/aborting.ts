/** Ends an execution that another node started: at its targets, and at its starter for parts that have not been told yet. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Member, Members } from '../../dispatch.types.ts';
import { fieldsOf } from '../execution-object.ts';
import type { AbortAnswer } from '../executions.types.ts';
import type { Timing } from '../limits.ts';
import { openConversation } from '../part/conversation.ts';
import { type LocalTarget, localConversation } from '../part/local-conversation.ts';
import { wireUser } from '../starting.ts';
import type { Merged } from './elsewhere.ts';

export interface AbortElsewhere {
  members: Pick<Members, 'open'>;
  target: LocalTarget;
  principal: Principal;
  merged: Merged;
  index: number | undefined;
  timing: Timing;
}

/** Asks each node that knows parts of it once; each node decides for itself. */
export async function abortElsewhere(asked: AbortElsewhere): Promise<AbortAnswer> {
  const { merged, index } = asked;
  const open = [...merged.parts].filter(([at, { part }]) => (index === undefined || at === index) && part.state !== 'ended');
  const nodes = new Map(open.flatMap(([, { sources }]) => sources.map((member) => [member.node, member])));
  // the starter first, so that it starts no more parts while others end the running ones
  const starter = fieldsOf(merged.object)?.spec.starter;
  const [first, rest] = [
    [...nodes.values()].filter(({ node }) => node === starter),
    [...nodes.values()].filter(({ node }) => node !== starter),
  ];
  const answers = [
    ...(await Promise.all(first.map((one) => askOne(asked, one)))),
    ...(await Promise.all(rest.map((one) => askOne(asked, one)))),
  ];
  const ended = new Set(answers.flatMap(({ ended: indexes }) => indexes));
  const reasons = new Map(answers.flatMap(({ node, reason }) => (reason === undefined ? [] : [[node, reason]])));
  const told: AbortAnswer['told'] = [];
  const notTold: AbortAnswer['notTold'] = [];
  for (const [at, { part, sources }] of open) {
    if (ended.has(at)) told.push({ index: at, node: part.node });
    else
      notTold.push({
        index: at,
        node: part.node,
        reason: sources.flatMap(({ node }) => reasons.get(node) ?? [])[0] ?? 'it gave no answer',
      });
  }
  return { id: merged.id, told, notTold };
}

async function askOne(
  { members, target, principal, merged, index, timing }: AbortElsewhere,
  member: Member,
): Promise<{ node: string; ended: number[]; reason?: string }> {
  const ended: number[] = [];
  const { node } = member;
  const user = wireUser(principal);
  try {
    const signal = AbortSignal.timeout(timing.connectMs);
    const conversation = member.domain === '' ? localConversation(target, principal) : await openConversation(members, member, signal);
    try {
      await conversation.ask(
        { type: 'abort', ...(user === undefined ? {} : { user }), id: merged.id, ...(index === undefined ? {} : { index }) },
        timing.answerMs,
      );
      for (let events = 0; events <= 2 * merged.parts.size; events += 1) {
        const event = await conversation.next(timing.answerMs);
        if (event === undefined || event.type === 'end') break;
        if (event.type === 'error') return { node, ended, reason: event.message };
        if (event.type === 'part' && event.id === merged.id) ended.push(event.part.index);
      }
    } finally {
      conversation.close();
    }
    return { node, ended };
  } catch (error) {
    if (error instanceof DtkdError) return { node, ended, reason: error.message };
    throw error;
  }
}
