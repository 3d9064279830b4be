/** The Execution object of an execution that this node started. Pure. */
import {
  type DispatchRequestSpec,
  type ExecutionFields,
  executionKind,
  executionSchema,
  type PlannedTarget,
} from '../../../../protocol/kinds/execution.ts';
import { apiVersionOf } from '../../../../protocol/kinds/kind.ts';
import { type ApiObject, type ObjectRef, toTimestamp } from '../../../../protocol/objects/objects.ts';
import type { Part } from '../../../../protocol/orders/outcome.ts';
import type { ExecutionPhase } from '../../../../protocol/orders/words.ts';
import { CREATOR_ANNOTATION, displayOf, type Principal, subjectText } from '../../../../protocol/rights/principal.ts';

export function executionRef(node: string, id: string): ObjectRef {
  return { group: executionKind.group, plural: executionKind.plural, namespace: node, name: id };
}

/** A uid made from the id, which is as unique. */
function uidOf(id: string): string {
  return [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20, 32)].join('-');
}

/** A new object, with the plan, which never changes. */
export function newExecution(given: {
  id: string;
  node: string;
  principal: Principal;
  request: DispatchRequestSpec;
  header: Uint8Array;
  targets: PlannedTarget[];
  status: NonNullable<ExecutionFields['status']>;
}): ApiObject {
  const { id, node, principal, request, header, targets, status } = given;
  const fields: ExecutionFields = {
    spec: { starter: node, user: displayOf(principal), request, header: Buffer.from(header).toString('base64'), targets },
    status,
  };
  return {
    apiVersion: apiVersionOf(executionKind),
    kind: executionKind.kind,
    metadata: {
      name: id,
      namespace: node,
      // set here and not by the store: the rights of its creator count from the beginning, and are bound to an object with a uid
      uid: uidOf(id),
      resourceVersion: '',
      generation: 1,
      creationTimestamp: '',
      ...(principal.type === 'user' ? { annotations: { [CREATOR_ANNOTATION]: subjectText(principal) } } : {}),
    },
    ...fields,
  };
}

export function statusOf(given: {
  phase: ExecutionPhase;
  parts: readonly Part[];
  startedAt: number;
  finishedAt: number | undefined;
  message: string | undefined;
  pauses?: number;
}): NonNullable<ExecutionFields['status']> {
  const { phase, parts, startedAt, finishedAt, message, pauses = 0 } = given;
  return {
    phase,
    parts: [...parts],
    startedAt: toTimestamp(startedAt),
    ...(finishedAt === undefined ? {} : { finishedAt: toTimestamp(finishedAt) }),
    ...(message === undefined ? {} : { message: message.slice(0, 1_024) }),
    ...(pauses === 0 ? {} : { pauses }),
  };
}

export function withStatus(object: ApiObject, status: NonNullable<ExecutionFields['status']>): ApiObject {
  return { ...object, status };
}

/** The fields of an Execution; undefined if the object is not a valid one. */
export function fieldsOf(object: ApiObject): ExecutionFields | undefined {
  return executionSchema.safeParse(object).data;
}
