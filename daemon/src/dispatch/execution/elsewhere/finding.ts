/**
 * Asks the members that are not away, all at once and for a short time, which parts of an execution they know. A member's report on a
 * part that is not its own counts for less than that of the part's target or starter, both of which must prove by the plan who they are.
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

/** A part as one member reports it. */
export interface FoundPart {
  member: Member;
  id: string;
  part: Part;
  header: PlanHeader;
  /** CBOR. */
  headerBytes: Uint8Array;
  /** What the part was to do, if the member showed its order. */
  target: PlannedTarget | undefined;
}

/** Who reports the part, by trust: 0 anybody, 1 the starter, 2 the target itself. */
export type Standing = 0 | 1 | 2;

export interface Search {
  members: Pick<Members, 'list' | 'open'>;
  user: { name: string; uid: string };
  /** An id, or the beginning of one. */
  id: string;
  timeoutMs: number;
}

/** Resolves when all have answered, or after `timeoutMs`. `unanswered` names members that seemed reachable and did not answer. */
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
    // each part once: repetitions take no room from others
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

/** Undefined if the answer is inconsistent: it is then ignored. */
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
 * How much a member's report on a part counts. `entries`: the plan's entries, as far as they were proved. A member that the plan names by
 * its key of another domain cannot prove that here; then one that shows the order counts for more than one that does not.
 */
export function standingOf({ member, part, target }: FoundPart, entries: ReadonlyMap<number, PlanEntry>): Standing {
  const entry = target ?? entries.get(part.index);
  if (entry === undefined) return 0;
  if (entry.domain === member.domain) return entry.key === member.key ? 2 : entry.starter === member.key ? 1 : 0;
  return target === undefined ? 0 : 1;
}
