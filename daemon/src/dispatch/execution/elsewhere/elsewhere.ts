/**
 * Executions that other nodes started, from what nodes report: each part as its target says, else as the starter says. Guarantees that a
 * report from a node of the plan prevails where that node can prove it; counts parts that nobody reports.
 */
import { executionKind } from '../../../../../protocol/kinds/execution.ts';
import { apiVersionOf } from '../../../../../protocol/kinds/kind.ts';
import { type ApiObject, toTimestamp } from '../../../../../protocol/objects/objects.ts';
import type { PlanEntry } from '../../../../../protocol/orders/order.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { ExecutionPhase } from '../../../../../protocol/orders/words.ts';
import type { Member } from '../../dispatch.types.ts';
import { type FoundPart, standingOf } from './finding.ts';

/** One execution, merged from the reports. */
export interface Merged {
  id: string;
  object: ApiObject;
  /** By index: its state, and the members to ask about it, the best first. */
  parts: ReadonlyMap<number, { part: Part; sources: Member[] }>;
  /** Number of parts that nobody reports. */
  missing: number;
}

/** Merges the reports about each execution. */
export function mergeFound(found: readonly FoundPart[]): Merged[] {
  return [...Map.groupBy(found, ({ id }) => id).values()].map(mergeOne);
}

function mergeOne(found: FoundPart[]): Merged {
  const [first] = found;
  if (first === undefined) throw new RangeError('nothing was found');
  const entries = new Map(found.flatMap(({ part, target }) => (target === undefined ? [] : [[part.index, target]])));
  const byIndex = Map.groupBy(found, ({ part }) => part.index);
  const parts = new Map<number, { part: Part; sources: Member[] }>();
  for (const index of [...byIndex.keys()].sort((a, b) => a - b)) {
    const ranked = [...(byIndex.get(index) ?? [])].sort((a, b) => standingOf(b, entries) - standingOf(a, entries));
    const [best] = ranked;
    if (best !== undefined) parts.set(index, { part: shownPart(best, entries), sources: ranked.map(({ member }) => member) });
  }
  const { header, headerBytes, id } = first;
  const missing = header.count - parts.size;
  const list = [...parts.values()].map(({ part }) => part);
  const object: ApiObject = {
    apiVersion: apiVersionOf(executionKind),
    kind: executionKind.kind,
    metadata: {
      name: id,
      namespace: header.starter,
      uid: '',
      resourceVersion: '',
      generation: 1,
      creationTimestamp: toTimestamp(header.createdAt),
    },
    spec: {
      starter: header.starter,
      user: header.user,
      header: Buffer.from(headerBytes).toString('base64'),
      targets: [...entries.values()].sort((a, b) => a.index - b.index),
    },
    status: {
      phase: phaseOf(list),
      parts: list,
      startedAt: toTimestamp(header.createdAt),
      ...(missing > 0 ? { message: `no node that can be reached knows ${missing} of its ${header.count} targets` } : {}),
    },
  };
  return { id, object, parts, missing };
}

/** A target reports a part under its own name for itself; here the part gets this node's name for it. */
function shownPart(found: FoundPart, entries: ReadonlyMap<number, PlanEntry>): Part {
  return standingOf(found, entries) === 2 ? { ...found.part, node: found.member.node } : found.part;
}

/** `Paused` if the starter says so of a part and no other part has anything to do until it goes on. */
export function phaseOf(parts: Iterable<Part>): ExecutionPhase {
  let phase: ExecutionPhase = 'Finished';
  for (const part of parts) {
    if (part.state === 'ended') continue;
    if (!isIdle(part)) return 'Running';
    if (part.state === 'waiting' && part.paused === true) phase = 'Paused';
    else if (phase === 'Finished') phase = 'Running';
  }
  return phase;
}

/** The part waits for its turn, or for its target to be reachable. */
export function isIdle({ state }: Part): boolean {
  return state === 'waiting' || state === 'queued';
}
