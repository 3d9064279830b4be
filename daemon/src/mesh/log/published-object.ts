/**
 * What one key of an author's document means: `group/plural/name` → `{b, o}`, where `b` is the point in the author's history at which the
 * object was first published, and `o` the object without its namespace. Pure. Anything shaped like an object is kept. It is shown only if
 * this version knows and shares its kind and it passes the kind's schema, since a later version may know other kinds and other values.
 */
import { z } from 'zod';
import { DtkdError } from '../../../../protocol/errors.ts';
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import { apiVersionOf, type Kind } from '../../../../protocol/kinds/kind.ts';
import { parsePointText } from '../../../../protocol/log/log-entry.ts';
import { type ApiObject, annotations, labels, objectName, ownerReference } from '../../../../protocol/objects/objects.ts';
import { MAX_OBJECT_BYTES } from './limits.ts';
import { keyText, type ObjectKey, publishedName, SELF_NAME } from './object-place.ts';

/** The value of a key. */
export interface Published {
  /** `pointText` of its first publication. */
  b: string;
  o: ApiObject;
}

/** Bytes of `{"b":"<36 digits>","o":}`. */
const VALUE_FRAME_BYTES = 50;

const GROUP = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$/;
const PLURAL = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Metadata as an owner stamps it. The namespace is not read, since it follows from whose log this is. */
const publishedMeta = z.object({
  name: objectName,
  uid: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
  resourceVersion: z.string().regex(/^\d{1,20}$/),
  generation: z.number().int().nonnegative(),
  creationTimestamp: z.string().regex(TIMESTAMP),
  deletionTimestamp: z.string().regex(TIMESTAMP).exactOptional(),
  labels: labels.exactOptional(),
  annotations: annotations.exactOptional(),
  finalizers: z.array(z.string().max(317)).max(32).exactOptional(),
  ownerReferences: z.array(ownerReference).max(32).exactOptional(),
});

const publishedValue = z.object({
  b: z.string().refine((text) => parsePointText(text) !== undefined, 'must be a place in the log'),
  o: z.looseObject({ apiVersion: z.string().min(1).max(317), kind: z.string().min(1).max(63), metadata: publishedMeta }),
});

/** Reads a value that was judged before; undefined if it is not a published value. */
export function readPublished(value: unknown): Published | undefined {
  return publishedValue.safeParse(value).data;
}

/** Undefined if the text is not a key. */
export function parseKey(text: string): ObjectKey | undefined {
  const [group, plural, name, more] = text.split('/');
  if (group === undefined || plural === undefined || name === undefined || more !== undefined) return undefined;
  if (!GROUP.test(group) || !PLURAL.test(plural) || !objectName.safeParse(name).success) return undefined;
  return { group, plural, name };
}

/** The kind that this version shows for such a key; undefined for private and unknown kinds, and for other versions of known ones. */
export function shownKind(key: ObjectKey, apiVersion: string): Kind | undefined {
  const kind = kindByPlural(key.group, key.plural);
  return kind?.shared === true && apiVersionOf(kind) === apiVersion ? kind : undefined;
}

/** An own object as it appears in a domain's log. Checks its schema and size as every replica will. Throws INVALID or QUOTA_EXCEEDED. */
export function publishedObject(kind: Kind, object: ApiObject, domain: string): ApiObject {
  const { apiVersion, kind: kindName, metadata, ...fields } = kind.published?.(object, domain) ?? object;
  const { namespace: _namespace, ...stamps } = metadata;
  const kept = { ...stamps, name: publishedName(kind, metadata.name) };
  // Through JSON: the log holds exactly what the store's JSON says (fields that are undefined are absent).
  const published: ApiObject = JSON.parse(JSON.stringify({ apiVersion, kind: kindName, metadata: kept, ...fields }));
  try {
    const key = keyText({ group: kind.group, plural: kind.plural, name: kept.name });
    parsePublished(key, { b: '0'.repeat(36), o: published }, domain, { strictly: true });
  } catch (error) {
    if (!(error instanceof DtkdError) || error.code !== 'ENTRY_INVALID') throw error;
    throw new DtkdError('INVALID', `${kindName} "${metadata.name}" cannot be published: ${error.message}`, { cause: error });
  }
  return published;
}

/**
 * Judges a value in an author's document. Returns the object to show, without its namespace, or undefined if this version does not show
 * it. With `strictly`, fields that fail the kind's schema are refused. Otherwise the object is only hidden: a later version may have
 * written them, and a refused entry would block all that its author writes afterwards. Throws ENTRY_INVALID or QUOTA_EXCEEDED.
 */
export function parsePublished(keyOf: string, value: unknown, domain: string, { strictly = false } = {}): ApiObject | undefined {
  const key = parseKey(keyOf);
  if (key === undefined) throw refuse('a key', 'names no object');
  const parsed = publishedValue.safeParse(value);
  if (!parsed.success) throw refuse(keyOf, describe(parsed.error));
  const { apiVersion, kind: kindName, metadata, ...fields } = parsed.data.o;
  // Measured on the value as received: schemas drop different fields in different versions, but the quota must not differ.
  const bytes = Buffer.byteLength(JSON.stringify(value)) - VALUE_FRAME_BYTES;
  if (bytes > MAX_OBJECT_BYTES) {
    throw new DtkdError('QUOTA_EXCEEDED', `"${keyOf}" is ${bytes} bytes, more than the ${MAX_OBJECT_BYTES} that can be shared`, {
      next: 'Make the object smaller, or do not share it into a domain.',
    });
  }
  if (metadata.name !== key.name) throw refuse(keyOf, 'the object has another name');
  if (groupOf(apiVersion) !== key.group) throw refuse(keyOf, 'the object is of another group');
  const kind = shownKind(key, apiVersion);
  if (kind === undefined) return undefined;
  if (kind.kind !== kindName) throw refuse(keyOf, 'the object is of another kind');
  if (kind.scope === 'Cluster' && key.name !== SELF_NAME) throw refuse(keyOf, `an author has one ${kind.kind}, named "${SELF_NAME}"`);
  const body = kind.schema.safeParse(fields);
  if (!body.success) {
    if (strictly) throw refuse(keyOf, describe(body.error));
    return undefined;
  }
  const object: ApiObject = { ...body.data, apiVersion, kind: kindName, metadata };
  // Apply the publishing rules again, so that fields that only a daemon writes, or that concern other domains, do not get through.
  return inOrder(kind.published?.(object, domain) ?? object);
}

function inOrder({ apiVersion, kind, metadata, ...fields }: ApiObject): ApiObject {
  return { apiVersion, kind, metadata, ...fields };
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0];
  return `${issue?.path.join('.') || 'the value'}: ${issue?.message ?? 'invalid'}`;
}

function refuse(key: string, why: string): DtkdError {
  return new DtkdError('ENTRY_INVALID', `"${key.slice(0, 300)}" is refused: ${why}`);
}
