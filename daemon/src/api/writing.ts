/**
 * replace and patch: reads the document, lets the kind's handler have its say, and stores the result in one transaction that fails
 * if the object has changed since it was read. What the server owns is never taken from a document.
 */
import { DtkdError } from '../../../protocol/errors.ts';
import { checkJson, isRecord } from '../../../protocol/json.ts';
import type { Kind } from '../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../protocol/objects.ts';
import { applyJsonPatch, applyMergePatch } from '../../../protocol/patch.ts';
import { finishDeletion } from './deleting.ts';
import { changedObject, invalid, type UserDocument } from './document.ts';
import type { WriteContext } from './handlers.types.ts';
import { answerForm, assertJson, patchForm } from './media.ts';
import { assertOwn, assertWritableHere } from './ownership.ts';
import { answerObject, mustGet, notFound } from './reading.ts';
import {
  type Api,
  type ApiContext,
  authorize,
  flag,
  isDryRun,
  MAX_BODY_BYTES,
  readJson,
  refOfTarget,
  type Target,
  targetOf,
  warn,
} from './request.ts';
import { CHANGED, storeChanged, transact } from './store-writes.ts';
import { handlerOf, isObject, readDocument } from './written.ts';

/** A write that meets somebody else's is done again so many times, if the client named no version. */
const MAX_ATTEMPTS = 8;
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
  const context: WriteContext = { principal, dryRun: isDryRun(c), cascade: flag(c, 'cascade'), warn: (text) => warn(c, text) };
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
