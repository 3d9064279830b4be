/** What all writes share: reading the user's document for a target, and finding the kind's handler. */

import { isRecord } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { KindHandler } from '../handlers.types.ts';
import { type Api, type ApiContext, fieldValidation, namespaceOf, type Target, warn } from '../request/request.ts';
import { MAX_SAID } from '../request/written-body.ts';
import { parseDocument, type UserDocument } from './document.ts';

/** The path to explain for an unknown field: `model.spec` for `spec.descriptin`. */
function explainedPath({ singular }: Kind, field: string): string {
  const around = field
    .replaceAll(/\[\d+\]/g, '')
    .split('.')
    .slice(0, -1);
  return [singular, ...around].join('.');
}

/** Validates a document for a target, and reports fields that its kind does not have in the way that the client asked for. */
export function readDocument(api: Api, c: ApiContext, target: Target, body: unknown): UserDocument {
  const document = parseDocument(target.kind, body);
  const { namespace, name } = document.metadata;
  const wanted = namespace === undefined || namespace === '' ? target.namespace : namespaceOf(api, namespace);
  if (target.kind.scope === 'Namespaced' && wanted !== target.namespace) {
    throw new DtkdError('BAD_REQUEST', `the object says namespace "${wanted}", the path says "${target.namespace}"`, {
      next: 'Make both the same; "default" means this node.',
    });
  }
  if (target.name !== '' && name !== undefined && name !== target.name) {
    throw new DtkdError('BAD_REQUEST', `the object says name "${name}", the path says "${target.name}"`, {
      next: 'Names cannot be changed.',
    });
  }
  const validation = fieldValidation(c);
  if (validation === 'Strict' && document.unknown.length > 0) {
    const causes = document.unknown.slice(0, 100).map((field) => ({ reason: 'FieldValueInvalid', message: `no field "${field}"`, field }));
    const said = causes.slice(0, MAX_SAID).map(({ message }) => message);
    throw new DtkdError('BAD_REQUEST', `${target.kind.kind} has ${said.join(', ')}`, {
      details: { causes },
      next: `Correct or remove it; "dtkd explain ${explainedPath(target.kind, document.unknown[0] ?? '')}" lists the fields there are.`,
    });
  }
  if (validation === 'Warn') for (const field of document.unknown) warn(c, `unknown field "${field}" is dropped`);
  return document;
}

export function handlerOf(api: Api, kind: Kind): KindHandler | undefined {
  return api.extensions.kinds.get(`${kind.group}/${kind.plural}`);
}

export function isObject(value: unknown): value is ApiObject {
  return isRecord(value) && isRecord(value['metadata']);
}
