/** One object that a peer sent: checked, and put under the namespace by which the peer is known here. Pure. */
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

/** What rows of one answer have to be: each is checked against the ones before. */
export interface RowRules {
  kind: Pick<Kind, 'group' | 'version' | 'kind'>;
  peer: Pick<PeerNode, 'namespace' | 'key'>;
  /** The peer's name for itself: that of the first row. */
  ownName?: string;
}

/** Throws FRAME_INVALID saying what is wrong with it. Takes the value over: it must not be used elsewhere. */
export function peerObject(value: unknown, rules: RowRules): ApiObject {
  assertObject(value, rules);
  const { metadata } = value;
  metadata.namespace = rules.peer.namespace;
  // only this daemon says of a row that it is old
  if (metadata.annotations !== undefined) Reflect.deleteProperty(metadata.annotations, STALE_ANNOTATION);
  return value;
}

/** Reads an object that went through `peerObject` before it was written down. */
export function objectOf(json: string): ApiObject {
  const object: ApiObject = JSON.parse(json);
  return object;
}

function assertObject(value: unknown, rules: RowRules): asserts value is ApiObject {
  if (!isRecord(value) || !isRecord(value['metadata'])) throw invalid('a row that is no object');
  try {
    checkJson(value);
  } catch (cause) {
    throw invalid('a row that is nested too deeply', cause);
  }
  const { kind } = rules;
  if (value['apiVersion'] !== apiVersionOf(kind) || value['kind'] !== kind.kind) throw invalid(`a row that is no ${kind.kind}`);
  const { name, namespace, uid, resourceVersion, creationTimestamp, labels, annotations } = value['metadata'];
  if (typeof name !== 'string' || !OBJECT_NAME.test(name)) throw invalid('a row without a proper name');
  if (typeof namespace !== 'string' || !isOwnName(namespace, rules)) throw invalid('a row of another node');
  if (typeof uid !== 'string' || !UID.test(uid)) throw invalid(`a row without a uid, ${name}`);
  if (typeof resourceVersion !== 'string' || !VERSION.test(resourceVersion)) throw invalid(`a row without a version, ${name}`);
  if (typeof creationTimestamp !== 'string' || creationTimestamp.length > MAX_TIMESTAMP) throw invalid(`a row without a time, ${name}`);
  if (!isTexts(labels) || !isTexts(annotations)) throw invalid(`a row with improper labels or annotations, ${name}`);
}

/** One answer speaks of one node, under the name by which it is shown here or one that this was made of because another has it, too. */
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
