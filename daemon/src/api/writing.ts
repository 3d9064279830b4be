/**
 * create, replace, patch: reads the document, lets the kind's handler have its say, and stores the result in one transaction that fails
 * if the object has changed since it was read. What the server owns is never taken from a document.
 */
import { randomInt } from 'node:crypto';
import { DtkdError } from '../../../protocol/errors.ts';
import { checkJson, isRecord } from '../../../protocol/json.ts';
import type { Kind } from '../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../protocol/objects.ts';
import { applyJsonPatch, applyMergePatch } from '../../../protocol/patch.ts';
import { finishDeletion } from './deleting.ts';
import { changedObject, invalid, newObject, parseDocument, type UserDocument } from './document.ts';
import type { WriteContext } from './handlers.types.ts';
import { answerForm, assertJson, patchForm } from './media.ts';
import { assertOwn, assertWritableHere } from './ownership.ts';
import { answerObject, mustGet, notFound } from './reading.ts';
import {
  type Api,
  type ApiContext,
  authorize,
  fieldValidation,
  isDryRun,
  MAX_BODY_BYTES,
  namespaceOf,
  readJson,
  refOfTarget,
  type Target,
  targetOf,
  warn,
} from './request.ts';
import { CHANGED, storeChanged, storeCreated, transact } from './store-writes.ts';

/** A write that meets somebody else's is done again so many times, if the client named no version. */
const MAX_ATTEMPTS = 8;
/** Letters and digits that cannot be misread or make words. */
const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;

export async function createObject(api: Api, c: ApiContext, kind: Kind): Promise<Response> {
  const collection = targetOf(api, c, kind);
  assertWritableHere(api, collection);
  assertJson(c.req.header('content-type'));
  const form = answerForm(c.req.header('accept'));
  const document = readDocument(api, c, collection, await readJson(c));
  const { resourceVersion } = document.metadata;
  if (resourceVersion !== undefined && resourceVersion !== '') {
    throw new DtkdError('BAD_REQUEST', 'a new object has no metadata.resourceVersion', {
      next: 'Leave it out, or replace the object with PUT.',
    });
  }
  const generated = document.metadata.generateName;
  if (document.metadata.name !== undefined || generated === undefined || generated === '') {
    return answerObject(c, kind, await create(api, c, collection, document, nameOf(kind, document)), form, 201);
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return answerObject(c, kind, await create(api, c, collection, document, generated + randomSuffix()), form, 201);
    } catch (error) {
      if (!(error instanceof DtkdError && error.code === 'ALREADY_EXISTS') || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

async function create(api: Api, c: ApiContext, collection: Target, document: UserDocument, name: string): Promise<ApiObject> {
  const target = { ...collection, name };
  const { kind } = target;
  c.set('about', { group: kind.group, kind: kind.plural, name });
  const principal = authorize(api, c, 'create', target);
  if ((await api.store.get(refOfTarget(target))) !== undefined) throw alreadyExists(target);
  const object = newObject(kind, document, name, target.namespace);
  const context: WriteContext = { principal, dryRun: isDryRun(c), warn: (text) => warn(c, text) };
  const answer = await handlerOf(api, kind)?.create?.(object, context);
  if (answer !== undefined && 'handled' in answer && isObject(answer.handled)) return answer.handled;
  const wanted = isObject(answer) ? answer : object;
  const stored = await storeCreated(api.store, target, wanted, context.dryRun);
  if (stored === undefined) throw alreadyExists(target);
  return stored;
}

export async function replaceObject(api: Api, c: ApiContext, kind: Kind): Promise<Response> {
  const target = targetOf(api, c, kind);
  const form = answerForm(c.req.header('accept'));
  assertJson(c.req.header('content-type'));
  const document = readDocument(api, c, target, await readJson(c));
  return answerObject(c, kind, await change(api, c, target, 'update', () => document), form);
}

export async function patchObject(api: Api, c: ApiContext, kind: Kind): Promise<Response> {
  const target = targetOf(api, c, kind);
  const form = answerForm(c.req.header('accept'));
  const type = patchForm(c.req.header('content-type'));
  const patch = await readJson(c);
  if (type === 'merge-patch' && !isRecord(patch))
    throw new DtkdError('BAD_REQUEST', 'the body is not a merge patch', { next: 'Send a JSON object.' });
  const apply = (stored: ApiObject) => {
    const result = type === 'merge-patch' ? applyMergePatch(stored, patch) : applyJsonPatch(stored, patch);
    assertBounded(result);
    return readDocument(api, c, target, result);
  };
  return answerObject(c, kind, await change(api, c, target, 'patch', apply), form);
}

/** What a request makes of the object that is stored; pure but for warnings. */
type Evaluate = (stored: ApiObject) => { changed: ApiObject; finished: boolean };

async function change(
  api: Api,
  c: ApiContext,
  target: Target,
  verb: 'update' | 'patch',
  documentFrom: (stored: ApiObject) => UserDocument,
): Promise<ApiObject> {
  const { kind } = target;
  const principal = authorize(api, c, verb, target);
  const context: WriteContext = { principal, dryRun: isDryRun(c), warn: (text) => warn(c, text) };
  assertWritableHere(api, target, await mustGet(api, target));
  const evaluate: Evaluate = (stored) => {
    const document = documentFrom(stored);
    assertPreconditions(target, stored, document);
    const changed = changedObject(kind, stored, document);
    assertFinalizers(kind, stored, changed);
    return { changed, finished: stored.metadata.deletionTimestamp !== undefined && changed.metadata.finalizers === undefined };
  };
  const handler = handlerOf(api, kind);
  if (handler === undefined) return storeEvaluated(api, target, evaluate, context.dryRun);
  return changeWithHandler(api, c, target, evaluate, context);
}

/** With nobody else to ask, the change is made inside the transaction: concurrent patches all go in, one after the other. */
function storeEvaluated(api: Api, target: Target, evaluate: Evaluate, dryRun: boolean): Promise<ApiObject> {
  const ref = refOfTarget(target);
  return transact(api.store, dryRun, async (tx) => {
    const stored = await tx.get(ref);
    if (stored === undefined) throw notFound(target);
    await assertOwn(tx, target, stored, 'changed');
    const { changed, finished } = evaluate(stored);
    if (!finished) return tx.put(changed);
    await tx.delete(ref);
    return changed;
  });
}

/** A handler may take its time, so it works on what was read; if somebody else was quicker, all is done again. */
async function changeWithHandler(api: Api, c: ApiContext, target: Target, evaluate: Evaluate, context: WriteContext): Promise<ApiObject> {
  const { kind } = target;
  const warned = c.get('warnings').length;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const stored = await mustGet(api, target);
    await assertOwn(api.store, target, stored, 'changed');
    const { changed, finished } = evaluate(stored);
    if (finished) {
      const gone = await finishDeletion(api, target, stored, changed, context);
      if (gone !== CHANGED) return gone;
    } else {
      const answer = await handlerOf(api, kind)?.update?.(changed, stored, context);
      if (answer !== undefined && 'handled' in answer && isObject(answer.handled)) return answer.handled;
      const result = await storeChanged(api.store, target, stored, isObject(answer) ? answer : changed, context.dryRun);
      if (result === undefined) throw notFound(target);
      if (result !== CHANGED) return result;
    }
    c.get('warnings').length = warned;
  }
  throw new DtkdError('CONFLICT', `${kind.plural} "${target.name}" changes faster than it can be written`, { next: 'Try again.' });
}

/** Validates a document for a target, and reports the fields that its kind does not have as the client asked for it. */
function readDocument(api: Api, c: ApiContext, target: Target, body: unknown): UserDocument {
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
    const causes = document.unknown.slice(0, 100).map((field) => ({ reason: 'FieldValueInvalid', message: 'unknown field', field }));
    throw new DtkdError(
      'BAD_REQUEST',
      `${target.kind.kind} has no field ${document.unknown
        .slice(0, 5)
        .map((field) => `"${field}"`)
        .join(', ')}`,
      {
        details: { causes },
        next: 'Correct or remove it, or use fieldValidation=Warn.',
      },
    );
  }
  if (validation === 'Warn') for (const field of document.unknown) warn(c, `unknown field "${field}" is dropped`);
  return document;
}

function nameOf(kind: Kind, document: UserDocument): string {
  const { name } = document.metadata;
  if (name !== undefined) return name;
  throw invalid(kind, '', [{ reason: 'FieldValueRequired', message: 'a name or generateName is required', field: 'metadata.name' }]);
}

function randomSuffix(): string {
  return Array.from({ length: SUFFIX_LENGTH }, () => SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)]).join('');
}

function assertBounded(result: unknown): void {
  checkJson(result);
  if (JSON.stringify(result).length > MAX_BODY_BYTES) {
    throw new DtkdError('TOO_LARGE', `the patched object would be larger than ${MAX_BODY_BYTES} bytes`);
  }
}

function assertPreconditions({ kind, name }: Target, stored: ApiObject, { metadata }: UserDocument): void {
  const { resourceVersion, uid } = metadata;
  if (uid !== undefined && uid !== '' && uid !== stored.metadata.uid) {
    throw new DtkdError('CONFLICT', `${kind.plural} "${name}" is another object of that name now (its uid differs)`, {
      next: 'Read it again.',
    });
  }
  if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== stored.metadata.resourceVersion) {
    throw new DtkdError(
      'CONFLICT',
      `${kind.plural} "${name}" has changed since version ${resourceVersion}; it is at ${stored.metadata.resourceVersion}`,
      {
        next: 'Read it again, make your change in that, and send it.',
      },
    );
  }
}

/** An object that is being deleted may only lose finalizers. */
function assertFinalizers(kind: Kind, stored: ApiObject, changed: ApiObject): void {
  if (stored.metadata.deletionTimestamp === undefined) return;
  const added = (changed.metadata.finalizers ?? []).filter((finalizer) => !stored.metadata.finalizers?.includes(finalizer));
  if (added.length === 0) return;
  throw invalid(kind, stored.metadata.name, [
    { reason: 'FieldValueForbidden', message: 'no finalizer can be added while the object is being deleted', field: 'metadata.finalizers' },
  ]);
}

export function handlerOf(api: Api, kind: Kind) {
  return api.extensions.kinds.get(`${kind.group}/${kind.plural}`);
}

function isObject(value: unknown): value is ApiObject {
  return isRecord(value) && isRecord(value['metadata']);
}

function alreadyExists({ kind, name }: Target): DtkdError {
  return new DtkdError('ALREADY_EXISTS', `${kind.plural} "${name}" already exists`, {
    next: 'Choose another name, or change the one that is there.',
  });
}
