/**
 * Asks other members which parts of an execution they know, all at once and for a short time. What a member says of a part that is not its own counts for
 * less than what its target or starter says, and both have to prove who they are by the plan itself.
 */
import { decodeCbor } from '../../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { PlannedTarget } from '../../../../../protocol/kinds/execution.ts';
import type { DispatchEvent } from '../../../../../protocol/orders/messages.ts';
import {
  type Order,
  order as orderSchema,
  type PlanEntry,
  type PlanHeader,
  planEntry,
  planHeader,
} from '../../../../../protocol/orders/order.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import { executionIdOf, verifyProof } from '../../../../../protocol/orders/plan-tree.ts';
import type { Member, Members } from '../../dispatch.types.ts';
import { MAX_FOUND } from '../limits.ts';
import { openConversation } from '../part/conversation.ts';
import { FairShare } from './fair-share.ts';

/** A part as one member tells of it. */
export interface FoundPart {
  member: Member;
  id: string;
  part: Part;
  header: PlanHeader;
  /** CBOR. */
  headerBytes: Uint8Array;
  /** Of a target: what it was told. */
  target: PlannedTarget | undefined;
}

/** Who tells of it, the more trustworthy the higher: somebody, the starter, the target itself. */
export type Standing = 0 | 1 | 2;

export interface Search {
  members: Pick<Members, 'list' | 'open'>;
  user: { name: string; uid: string };
  /** An id, or its beginning. */
  id: string;
  timeoutMs: number;
}

/** Resolves when all have answered, or the time is over. `unanswered` names connected members that did not. */
export async function findElsewhere({ members, user, id, timeoutMs }: Search): Promise<{ found: FoundPart[]; unanswered: string[] }> {
  const found = new FairShare<string, FoundPart>(MAX_FOUND);
  const unanswered: string[] = [];
  const signal = AbortSignal.timeout(timeoutMs);
  const byNode = new Map(members.list().map((member) => [member.node, member]));
  await Promise.all(
    [...byNode.values()].map(async (member) => {
      if (member.reach === 'away') return;
      try {
        for await (const one of answersOf({ members, user, id, timeoutMs }, member, signal)) found.add(member.node, one);
      } catch (error) {
        if (!(error instanceof DtkdError)) throw error;
        unanswered.push(member.node);
      }
    }),
  );
  return { found: found.values(), unanswered };
}

async function* answersOf({ members, user, id, timeoutMs }: Search, member: Member, signal: AbortSignal): AsyncGenerator<FoundPart> {
  const conversation = await openConversation(members, member, signal);
  const stop = () => conversation.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await conversation.ask({ type: 'find', user, id }, timeoutMs);
    // once each: who repeats itself takes no room from the others
    const told = new Set<string>();
    for (let events = 0; events < MAX_FOUND; events += 1) {
      const event = await conversation.next(timeoutMs);
      if (event === undefined || event.type === 'end') return;
      const one = event.type === 'part' && event.id.startsWith(id) ? readFound(member, event) : undefined;
      const name = `${one?.id} ${one?.part.index}`;
      if (one === undefined || told.has(name)) continue;
      told.add(name);
      yield one;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    conversation.close();
  }
}

/** Undefined if it does not fit together: such an answer is none. */
function readFound(member: Member, event: Extract<DispatchEvent, { type: 'part' }>): FoundPart | undefined {
  try {
    const { id, part } = event;
    const carried = event.order === undefined ? undefined : decodeCbor(event.order, orderSchema, 'an order');
    const headerBytes = carried?.header ?? event.header;
    if (headerBytes === undefined || executionIdOf(headerBytes) !== id) return undefined;
    const header = decodeCbor(headerBytes, planHeader, 'the header of a plan');
    if (part.index >= header.count) return undefined;
    const entry = carried === undefined ? undefined : entryOf(header, carried, part.index);
    if (carried !== undefined && entry === undefined) return undefined;
    const target = entry === undefined ? undefined : { ...entry, index: part.index, stage: part.stage ?? 0 };
    return { member, id, part, header, headerBytes: Uint8Array.from(headerBytes), target };
  } catch (error) {
    if (error instanceof DtkdError) return undefined;
    throw error;
  }
}

function entryOf(header: PlanHeader, { entry, index, proof }: Order, of: number): PlanEntry | undefined {
  const proved = index === of && verifyProof(header.root, { count: header.count, index, entry, proof });
  return proved ? decodeCbor(entry, planEntry, 'the entry of a plan') : undefined;
}

/**
 * How much a member's word counts for a part. `entries` are the plan's, as far as they were proved. Somebody whom the plan names by a key of another domain cannot
 * prove it here; who shows the order then counts for more than who does not.
 */
export function standingOf({ member, part, target }: FoundPart, entries: ReadonlyMap<number, PlanEntry>): Standing {
  const entry = target ?? entries.get(part.index);
  if (entry === undefined) return 0;
  if (entry.domain === member.domain) return entry.key === member.key ? 2 : entry.starter === member.key ? 1 : 0;
  return target === undefined ? 0 : 1;
}
