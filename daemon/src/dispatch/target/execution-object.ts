/** Parts of another node's execution as this target shows them, in an Execution object of its own: pure. */
import { Buffer } from 'node:buffer';
import { z } from 'zod';
import { type ExecutionFields, executionKind, type PlannedTarget } from '../../../../protocol/kinds/execution.ts';
import { apiVersionOf } from '../../../../protocol/kinds/kind.ts';
import { type ApiObject, type ObjectRef, toTimestamp } from '../../../../protocol/objects/objects.ts';
import type { Part } from '../../../../protocol/orders/outcome.ts';
import { CREATOR_ANNOTATION, subjectText } from '../../../../protocol/rights/principal.ts';
import type { JournalRow } from './journal-row.ts';
import type { CheckedOrder } from './order-check.ts';

export function executionRef(node: string, id: string): ObjectRef {
  return { group: executionKind.group, plural: executionKind.plural, namespace: node, name: id };
}

const indexed = z.looseObject({ index: z.number() });
/**
 * What this node has written itself: whole when it was made, and read again with each part that begins or ends. The store takes no other Execution, so that there is an
 * index is enough to know what it is.
 */
const written = z.object({
  spec: z.object({ header: z.string(), targets: z.array(z.custom<PlannedTarget>((value) => indexed.safeParse(value).success)) }),
  status: z.object({ parts: z.array(z.custom<Part>((value) => indexed.safeParse(value).success)) }).optional(),
});

/** True if this part is shown by an object of this node: not those that its own starter shows. */
export function isShown({ from }: JournalRow): boolean {
  return from !== undefined;
}

/** The object with one part more, or with a part as it stands now. `order`: that of the row. */
export function withPart(object: ApiObject | undefined, order: CheckedOrder, row: JournalRow, node: string): ApiObject {
  const { id, index, header, headerBytes, entry } = order;
  const known = object === undefined ? undefined : written.safeParse(object).data;
  const target: PlannedTarget = { ...entry, index, stage: 0 };
  const parts = merged(known?.status?.parts ?? [], row.part);
  const fields: ExecutionFields = {
    spec: {
      starter: row.from?.node ?? header.starter,
      // As this node knows who that is, not as the order says.
      user: row.principal.type === 'user' ? row.principal.display : header.user,
      header: known?.spec.header ?? Buffer.from(headerBytes).toString('base64'),
      targets: merged(known?.spec.targets ?? [], target),
    },
    status: statusOf(parts, row.acceptedAt),
  };
  return { ...(object ?? newObject(id, node, row)), ...fields };
}

function merged<T extends { index: number }>(list: readonly T[], one: T): T[] {
  return [...list.filter(({ index }) => index !== one.index), one].sort((a, b) => a.index - b.index);
}

function statusOf(parts: Part[], acceptedAt: number): NonNullable<ExecutionFields['status']> {
  const ended = parts.every(({ state }) => state === 'ended');
  const started = Math.min(...parts.map(({ startedAt }) => startedAt ?? acceptedAt));
  const finished = Math.max(...parts.map(({ endedAt }) => endedAt ?? 0));
  return {
    phase: ended ? 'Finished' : 'Running',
    parts,
    startedAt: toTimestamp(started),
    ...(ended ? { finishedAt: toTimestamp(finished) } : {}),
  };
}

function newObject(id: string, node: string, { principal }: JournalRow): ApiObject {
  return {
    apiVersion: apiVersionOf(executionKind),
    kind: executionKind.kind,
    metadata: {
      name: id,
      namespace: node,
      uid: '',
      resourceVersion: '',
      generation: 1,
      creationTimestamp: '',
      // Who started it sees what became of it, whatever was granted or revoked since.
      ...(principal.type === 'user' ? { annotations: { [CREATOR_ANNOTATION]: subjectText(principal) } } : {}),
    },
  };
}
