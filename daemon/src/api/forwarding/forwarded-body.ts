/**
 * Converts documents sent to another node and back. Pure. The node's namespace is `default` there, and here the name by which this
 * node knows it.
 */
import { z } from 'zod';
import { isRecord, parseJson } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { apiVersionOf, type Kind } from '../../../../protocol/kinds/kind.ts';
import { type ApiObject, objectName } from '../../../../protocol/objects/objects.ts';
import { NAMESPACE_POINTER } from '../request/request.ts';
import type { Status } from '../request/status.ts';

const MAX_MESSAGE = 4_096;
const MAX_REASON = 63;

/** A document, patch or JSON patch with the namespace as the owner knows it. */
export function outgoing(body: unknown, namespace: string): unknown {
  if (Array.isArray(body)) {
    return body.map((step: unknown) => {
      if (!isRecord(step) || step['path'] !== NAMESPACE_POINTER || !says(step['value'], namespace)) return step;
      return { ...step, value: 'default' };
    });
  }
  if (!isRecord(body) || !isRecord(body['metadata']) || !says(body['metadata']['namespace'], namespace)) return body;
  return { ...body, metadata: { ...body['metadata'], namespace: 'default' } };
}

/** True if this names the namespace, false if nothing is said. Throws BAD_REQUEST for another namespace. */
function says(said: unknown, namespace: string): boolean {
  if (said === undefined || said === null || said === '') return false;
  if (said === namespace) return true;
  throw new DtkdError('BAD_REQUEST', `the object says namespace "${String(said).slice(0, 80)}", the path says "${namespace}"`, {
    next: 'Make both the same.',
  });
}

const metadata = z.object({
  name: objectName,
  namespace: z.string(),
  uid: z.string().max(64),
  resourceVersion: z.string().regex(/^\d{1,20}$/),
  creationTimestamp: z.string().max(40),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

/**
 * An object that its owner returned, in the namespace by which the owner is known here. Throws UNAVAILABLE if it is not an object
 * of the kind.
 */
export function incoming(bytes: Uint8Array, kind: Kind, namespace: string): ApiObject {
  const value = readAnswer(bytes, namespace);
  const isOfKind = isRecord(value) && value['apiVersion'] === apiVersionOf(kind) && value['kind'] === kind.kind;
  if (!isOfKind || !metadata.safeParse(value['metadata']).success) throw misbehaved(namespace, `with something that is not a ${kind.kind}`);
  return renamed(value, namespace);
}

/** Sets the namespace of anything that looks like an object. */
function renamed(value: Record<string, unknown>, namespace: string): ApiObject {
  const object: ApiObject = JSON.parse(JSON.stringify(value));
  object.metadata.namespace = namespace;
  return object;
}

/** A subresource's answer: an object gets the namespace, anything else stays as it is. */
export function incomingAny(bytes: Uint8Array, namespace: string): unknown {
  const value = readAnswer(bytes, namespace);
  if (isRecord(value) && isRecord(value['metadata']) && typeof value['metadata']['namespace'] === 'string')
    return renamed(value, namespace);
  return value;
}

const status = z.object({
  message: z.string().optional(),
  reason: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});

/** The Status with which the owner refused. */
export function incomingStatus(bytes: Uint8Array, code: number, namespace: string): Status {
  const parsed = status.safeParse(tryRead(bytes));
  const { message, reason, details } = parsed.success ? parsed.data : {};
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: message?.slice(0, MAX_MESSAGE) ?? `node "${namespace}" answered with status ${code}`,
    ...(reason === undefined ? {} : { reason: reason.slice(0, MAX_REASON) }),
    ...(details === undefined ? {} : { details }),
    code,
  };
}

const success = z.object({
  kind: z.literal('Status'),
  status: z.literal('Success'),
  message: z.string().max(MAX_MESSAGE).optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});

/** The Status that reports success; undefined if the answer is something else. */
export function incomingSuccess(bytes: Uint8Array): unknown {
  const parsed = success.safeParse(tryRead(bytes));
  return parsed.success ? { apiVersion: 'v1', metadata: {}, ...parsed.data, code: 200 } : undefined;
}

function tryRead(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes);
  } catch {
    return undefined;
  }
}

function readAnswer(bytes: Uint8Array, namespace: string): unknown {
  try {
    return parseJson(bytes);
  } catch {
    throw misbehaved(namespace, 'with something that is not JSON');
  }
}

export function misbehaved(namespace: string, what: string): DtkdError {
  return new DtkdError('UNAVAILABLE', `node "${namespace}" answered ${what}`, {
    next: `It may run another version of dtkd: see dtkd get node ${namespace}.`,
    details: { node: namespace },
  });
}
