/** Checks one object that a peer sent, and puts it under the namespace that the peer has here. Pure. */
import { checkJson, isRecord } from '../../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { isDnsLabel } from '../../../../../protocol/ids.ts';
import { apiVersionOf, type Kind } from '../../../../../protocol/kinds/kind.ts';
import { STALE_ANNOTATION } from '../../../../../protocol/objects/completeness.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { PeerNode } from '../peer-api.types.ts';

const OBJECT_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const VERSION = /^\d{1,20}$/;
const UID = /^[A-Za-z0-9-]{1,64}$/;
const MAX_TIMESTAMP = 40;

/** Rules for the rows of one answer, including those that follow from earlier rows. */
export interface RowRules {
  kind: Pick<Kind, 'group' | 'version' | 'kind'>;
  peer: Pick<PeerNode, 'namespace' | 'key'>;
  /** The peer's name for itself, taken from the first row. */
  ownName?: string;
}

/** Throws FRAME_INVALID if the row is invalid. Modifies the value: the caller must not use it any more. */
export function peerObject(value: unknown, rules: RowRules): ApiObject {
  assertObject(value, rules);
  const { metadata } = value;
  metadata.namespace = rules.peer.namespace;
  // only this daemon marks rows as old
  if (metadata.annotations !== undefined) Reflect.deleteProperty(metadata.annotations, STALE_ANNOTATION);
  return value;
}

/** Parses an object that passed `peerObject` before it was stored. */
export function objectOf(json: string): ApiObject {
  const object: ApiObject = JSON.parse(json);
  return object;
}

function assertObject(value: unknown, rules: RowRules): asserts value is ApiObject {
  if (!isRecord(value) || !isRecord(value['metadata'])) throw invalid('a row that is not an object');
  try {
    checkJson(value);
  } catch (cause) {
    throw invalid('a row that is nested too deeply', cause);
  }
  const { kind } = rules;
  if (value['apiVersion'] !== apiVersionOf(kind) || value['kind'] !== kind.kind) throw invalid(`a row that is not a ${kind.kind}`);
  const { name, namespace, uid, resourceVersion, creationTimestamp, labels, annotations } = value['metadata'];
  if (typeof name !== 'string' || !OBJECT_NAME.test(name)) throw invalid('a row without a valid name');
  if (typeof namespace !== 'string' || !isOwnName(namespace, rules)) throw invalid('a row of another node');
  if (typeof uid !== 'string' || !UID.test(uid)) throw invalid(`a row without a uid, ${name}`);
  if (typeof resourceVersion !== 'string' || !VERSION.test(resourceVersion)) throw invalid(`a row without a version, ${name}`);
  if (typeof creationTimestamp !== 'string' || creationTimestamp.length > MAX_TIMESTAMP) throw invalid(`a row without a time, ${name}`);
  if (!isTexts(labels) || !isTexts(annotations)) throw invalid(`a row with invalid labels or annotations, ${name}`);
}

/**
 * True if the namespace is the peer's name for itself, and all rows of the answer agree on it. It is the peer's name here, or one from
 * which that was made, since another member has the same; or any, if the peer is shown by its key.
 */
function isOwnName(namespace: string, rules: RowRules): boolean {
  if (rules.ownName !== undefined) return namespace === rules.ownName;
  const shown = rules.peer.namespace;
  if (!isDnsLabel(namespace)) return false;
  const cut = shown.lastIndexOf('-');
  if (namespace !== shown && !(cut > 0 && namespace.startsWith(shown.slice(0, cut))) && !rules.peer.key.startsWith(shown)) return false;
  rules.ownName = namespace;
  return true;
}

function isTexts(value: unknown): value is Record<string, string> | undefined {
  return value === undefined || (isRecord(value) && Object.values(value).every((text) => typeof text === 'string'));
}

export function invalid(what: string, cause?: unknown): DtkdError {
  return new DtkdError('FRAME_INVALID', `it sent ${what}`, cause === undefined ? {} : { cause });
}
