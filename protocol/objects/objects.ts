import { z } from 'zod';

/** A calendar time as RFC 3339, UTC, in whole seconds, as the Kubernetes API writes it. */
export type Timestamp = string;

/** The most recent result: under load, thousands fall into the same second. */
let latest = { second: Number.NaN, text: '' };

/** Formats a time in milliseconds since the epoch. */
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
  apiVersion: z.string().max(253).describe('The API version of the owner.'),
  kind: z.string().max(63).describe('The kind of the owner.'),
  name: objectName.describe('The name of the owner.'),
  uid: z.string().max(64).describe('The UID of the owner.'),
  controller: z.boolean().optional().describe('Whether the owner manages this object.'),
  blockOwnerDeletion: z
    .boolean()
    .optional()
    .describe('Whether the owner, if it is deleted in the foreground, waits until this object is gone.'),
});

/** What a client may write in `metadata`; the server fills in the rest. */
export const objectMeta = z.object({
  name: objectName.optional().describe('The name of the object, unique for the kind within a namespace.'),
  generateName: z.string().max(240).optional().describe('The prefix of a name that the server completes if no name is given.'),
  namespace: z
    .string()
    .max(63)
    .optional()
    .describe('The name of the node that owns the object. `default` is the node that gets the request.'),
  uid: z
    .string()
    .max(64)
    .optional()
    .describe(
      'The unique ID of the object. A later object of the same name has another. Set by the server. A write that gives another ID fails.',
    ),
  resourceVersion: z
    .string()
    .regex(/^\d{0,20}$/)
    .optional()
    .describe(
      'The version of the object at its owner. Set by the server. A write that gives it fails unless the object still has that version.',
    ),
  generation: z
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe('The number of the current version of the fields that users write. Set by the server.'),
  creationTimestamp: z.string().max(40).nullable().optional().describe('When the object was created, in RFC 3339. Set by the server.'),
  deletionTimestamp: z
    .string()
    .max(40)
    .nullable()
    .optional()
    .describe('When the deletion of the object was requested, in RFC 3339. Set by the server.'),
  deletionGracePeriodSeconds: z.number().int().nonnegative().optional().describe('Accepted but not used.'),
  selfLink: z.string().max(1024).optional().describe('The path of the object in the API. Set by the server.'),
  labels: labels.nullable().optional().describe('Keys and values to select objects by.'),
  annotations: annotations.nullable().optional().describe('Arbitrary data that people and programs attach to the object.'),
  finalizers: z
    .array(z.string().regex(QUALIFIED))
    .max(32)
    .nullable()
    .optional()
    .describe('The finalizers that must be removed before a deleted object is gone.'),
  ownerReferences: z
    .array(ownerReference)
    .max(32)
    .nullable()
    .optional()
    .describe('The objects that this one depends on. It is deleted once all of them are gone.'),
  managedFields: z.array(z.unknown()).max(64).nullable().optional().describe('Accepted but not kept.'),
});

/** `metadata` of a stored object, with everything that the server fills in. */
export interface ObjectMeta {
  name: string;
  /** Absent for cluster-scoped kinds; else the name of the node that owns the object. */
  namespace?: string;
  uid: string;
  /** The owner's version of the object: a decimal integer, the same by whatever path the object is read. */
  resourceVersion: string;
  /** Counts changes of what users write (everything but metadata and status). */
  generation: number;
  creationTimestamp: Timestamp;
  deletionTimestamp?: Timestamp;
  /** With deletionTimestamp: nothing here has a grace period, so it is 0. */
  deletionGracePeriodSeconds?: number;
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

/** Identifies an object. `group` is empty for core kinds, `namespace` for cluster-scoped kinds. */
export interface ObjectRef {
  group: string;
  plural: string;
  namespace: string;
  name: string;
}
