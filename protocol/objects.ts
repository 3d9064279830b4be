import { z } from 'zod';

/** A calendar time as RFC 3339, UTC, in whole seconds, as the Kubernetes API writes it. */
export type Timestamp = string;

/** The last one made: under load a second has thousands. */
let latest = { second: Number.NaN, text: '' };

export function toTimestamp(milliseconds: number): Timestamp {
  const second = Math.floor(milliseconds / 1000);
  if (second !== latest.second) latest = { second, text: `${new Date(milliseconds).toISOString().slice(0, 19)}Z` };
  return latest.text;
}

const LABEL_PART = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;
const QUALIFIED = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const OBJECT_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

export const objectName = z.string().regex(OBJECT_NAME, 'must be a lower-case DNS subdomain name of at most 253 characters');
export const labels = z.record(z.string().regex(QUALIFIED, 'must be a label key'), z.string().regex(LABEL_PART, 'must be a label value'));
export const annotations = z.record(z.string().regex(QUALIFIED, 'must be an annotation key'), z.string().max(16_384));

export const ownerReference = z.object({
  apiVersion: z.string().max(253),
  kind: z.string().max(63),
  name: objectName,
  uid: z.string().max(64),
  controller: z.boolean().optional(),
  blockOwnerDeletion: z.boolean().optional(),
});

/** What a client may write in `metadata`; the server fills in the rest. */
export const objectMeta = z.object({
  name: objectName.optional(),
  generateName: z.string().max(240).optional(),
  namespace: z.string().max(63).optional(),
  uid: z.string().max(64).optional(),
  resourceVersion: z
    .string()
    .regex(/^\d{0,20}$/)
    .optional(),
  generation: z.number().int().nonnegative().optional(),
  creationTimestamp: z.string().max(40).nullable().optional(),
  deletionTimestamp: z.string().max(40).nullable().optional(),
  deletionGracePeriodSeconds: z.number().int().nonnegative().optional(),
  selfLink: z.string().max(1024).optional(),
  labels: labels.nullable().optional(),
  annotations: annotations.nullable().optional(),
  finalizers: z.array(z.string().regex(QUALIFIED)).max(32).nullable().optional(),
  ownerReferences: z.array(ownerReference).max(32).nullable().optional(),
  managedFields: z.array(z.unknown()).max(64).nullable().optional(),
});

/** `metadata` of a stored object: what the server guarantees is there. */
export interface ObjectMeta {
  name: string;
  /** Absent for cluster-scoped kinds; else the name of the node that owns the object. */
  namespace?: string;
  uid: string;
  /** The owner's stamp: a decimal integer, the same by whatever path the object is read. */
  resourceVersion: string;
  /** Counts changes of what the user wrote (everything but metadata and status). */
  generation: number;
  creationTimestamp: Timestamp;
  deletionTimestamp?: Timestamp;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: z.infer<typeof ownerReference>[];
}

/** Any stored object. Fields other than these are described by the kind's schema. */
export interface ApiObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** Names one object: `group` is empty for core kinds; `namespace` is empty for cluster-scoped kinds. */
export interface ObjectRef {
  group: string;
  plural: string;
  namespace: string;
  name: string;
}
