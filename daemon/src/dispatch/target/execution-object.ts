/** The Execution object in which this target shows its parts of another node's execution. Pure. */
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
 * The object as this node wrote it; parsed again whenever a part begins or ends. The store takes no other Execution objects, so checking
 * that an index is there is enough.
 */
const written = z.object({
  spec: z.object({ header: z.string(), targets: z.array(z.custom<PlannedTarget>((value) => indexed.safeParse(value).success)) }),
  status: z.object({ parts: z.array(z.custom<Part>((value) => indexed.safeParse(value).success)) }).optional(),
});

/** True if this target shows the part in an object. Parts that this node started are shown by its starter. */
export function isShown({ from }: JournalRow): boolean {
  return from !== undefined;
}

/** The object with a part added or updated. `order`: that of the row. */
export function withPart(object: ApiObject | undefined, order: CheckedOrder, row: JournalRow, node: string): ApiObject {
  const { id, index, header, headerBytes, entry } = order;
  const known = object === undefined ? undefined : written.safeParse(object).data;
  const target: PlannedTarget = { ...entry, index, stage: 0 };
  const parts = merged(known?.status?.parts ?? [], row.part);
  const fields: ExecutionFields = {
    spec: {
      starter: row.from?.node ?? header.starter,
      // the user as this node knows it, not as the order says
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
      // the one who started it may see the result, whatever was granted or revoked since
      ...(principal.type === 'user' ? { annotations: { [CREATOR_ANNOTATION]: subjectText(principal) } } : {}),
    },
  };
}
