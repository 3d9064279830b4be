import { DtkdError } from '../../../protocol/errors.ts';
import { KINDS, kindOf } from '../../../protocol/kinds/index.ts';
import { apiVersionOf } from '../../../protocol/kinds/kind.ts';
import type { ObjectRef } from '../../../protocol/objects/objects.ts';

/**
 * Keys of the store's rows: `o/GROUP/PLURAL/NAMESPACE!NAME` for objects, `c/VERSION` for the change log, `m/…` for the store itself. `!`
 * sorts before every character of a name, so that objects sort by namespace, then by name.
 */
const PART = /^[A-Za-z0-9._:-]*$/;
const VERSION_DIGITS = 16;

export const OBJECT_PREFIX = 'o/';
export const LOG_PREFIX = 'c/';
export const BASE_KEY = 'm/base';
/** The rules by which each kind is indexed. */
export const INDEXES_KEY = 'm/indexes';

/** The prefix of the keys of all objects of a kind. */
export function kindPrefix(group: string, plural: string): string {
  return `${OBJECT_PREFIX}${checked(group)}/${checked(plural)}/`;
}

/** An object's key without its kind's prefix. */
export function rowName(namespace: string, name: string): string {
  return `${checked(namespace)}!${checked(name)}`;
}

/** The key of an object's row. Throws BAD_REQUEST for names that no object can have. */
export function objectKey(ref: ObjectRef): string {
  return kindPrefix(ref.group, ref.plural) + rowName(ref.namespace, ref.name);
}

/** Reads a key made by `objectKey`. */
export function refOfKey(key: string): ObjectRef {
  const [, group = '', plural = '', rest = ''] = key.split('/');
  const cut = rest.indexOf('!');
  return { group, plural, namespace: rest.slice(0, cut), name: rest.slice(cut + 1) };
}

/** The key of a version in the change log. Of fixed width, so that keys sort in the order of versions. */
export function logKey(version: number): string {
  return LOG_PREFIX + version.toString(16).padStart(VERSION_DIGITS, '0');
}

/** Reads a key made by `logKey`. */
export function versionOfLogKey(key: string): number {
  return Number.parseInt(key.slice(LOG_PREFIX.length), 16);
}

function checked(part: string): string {
  if (!PART.test(part)) throw new DtkdError('BAD_REQUEST', `"${part.slice(0, 80)}" cannot be part of an object's name`);
  return part;
}

/** The reference of an object, from its own fields. Throws INVALID for an unknown kind. */
export function refOf(object: { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } }): ObjectRef {
  const kind = kindOf(object);
  if (kind === undefined) {
    throw new DtkdError('INVALID', `no kind ${String(object.kind).slice(0, 80)} in ${String(object.apiVersion).slice(0, 80)} is known`, {
      next: `Known kinds: ${KINDS.map((known) => `${known.kind} (${apiVersionOf(known)})`).join(', ')}.`,
    });
  }
  const namespace = kind.scope === 'Cluster' ? '' : (object.metadata.namespace ?? '');
  return { group: kind.group, plural: kind.plural, namespace, name: object.metadata.name };
}
