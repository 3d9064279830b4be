/** Handles delete and deletecollection: preconditions, finalizers, dependents, and the kind's handler, which may delete in its own way. */

import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { finalizersAtDeletion, isForDependents, ORPHAN_FINALIZER } from '../../../../protocol/objects/finalizers.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { ListQuery } from '../../store/object-store.types.ts';
import { begin, may, mayKnowOf, mustGet, notFound, permit, shownAfter } from '../deciding/deciding.ts';
import { assertOwn, assertWritableHere } from '../deciding/ownership.ts';
import { forward } from '../forwarding/forwarding.ts';
import type { WriteContext } from '../handlers.types.ts';
import { type Api, type ApiContext, answerJson, flag, refOfTarget, type Target, targetOf, warn } from '../request/request.ts';
import { selectionQuery } from '../request/selection.ts';
import { success } from '../request/status.ts';
import { visibleObjects } from '../views/visible-rows.ts';
import { type DeleteOptions, markedObject, readDeleteOptions } from './deletion.ts';
import { CHANGED, type Judge, storeChanged, storeDeleted } from './store-writes.ts';
import { handlerOf } from './written.ts';

const MAX_ATTEMPTS = 8;
/** Number of objects of a collection that are read at a time and deleted before the next are read. */
const COLLECTION_PART = 100;

export async function deleteObject(api: Api, c: ApiContext, kind: Kind): Promise<Response> {
  const target = targetOf(api, c, kind);
  begin(c, 'delete', target);
  const elsewhere = await forward(api, c, target, 'write');
  if (elsewhere !== undefined) return elsewhere;
  const asked = await readDeleteOptions(c);
  const left = await remove(api, c, target, asked, contextOf(c, asked.dryRun));
  if (isWaiting(left)) return answerJson(c, shownAfter(api, c, target, left));
  return answerJson(c, success({ name: target.name, group: kind.group, kind: kind.plural, uid: left.metadata.uid }));
}

/** True if the object still exists until its finalizers are gone. */
function isWaiting({ metadata }: ApiObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length > 0;
}

function contextOf(c: ApiContext, dryRun: boolean): WriteContext {
  if (dryRun) c.get('note').change = false;
  return { principal: c.get('principal'), dryRun, cascade: flag(c, 'cascade'), warn: (text) => warn(c, text) };
}

/** Deletes the object, or marks it as being deleted while it has finalizers; returns its last state. */
async function remove(
  api: Api,
  c: ApiContext,
  target: Target,
  { preconditions, policy }: DeleteOptions,
  context: WriteContext,
): Promise<ApiObject> {
  const judge: Judge = (_, stored) => permit(api, c, 'DELETE', target, stored);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const stored = await mustGet(api, c, target);
    permit(api, c, 'DELETE', target, stored);
    assertWritableHere(api, target, stored);
    assertPreconditions(target, stored, preconditions);
    if (handlerOf(api, target.kind)?.delete === undefined) await assertOwn(api.store, target, stored, 'deleted');
    const { finalizers: held, ...metadata } = stored.metadata;
    const finalizers = finalizersAtDeletion(held, policy);
    const left =
      finalizers.length > 0
        ? await mark(api, c, target, stored, finalizers, context, judge)
        : await finishDeletion(api, target, stored, held === undefined ? stored : { ...stored, metadata }, context, judge);
    if (left !== CHANGED) return left;
  }
  throw new DtkdError('CONFLICT', `${target.kind.plural} "${target.name}" changes faster than it can be deleted`, { next: 'Try again.' });
}

async function mark(
  api: Api,
  c: ApiContext,
  target: Target,
  stored: ApiObject,
  finalizers: string[],
  context: WriteContext,
  judge: Judge,
): Promise<ApiObject | typeof CHANGED> {
  const marked = markedObject(stored, finalizers, context.principal, Date.now());
  if (marked === stored) return stored;
  if (stored.metadata.deletionTimestamp === undefined && finalizers.some(isForDependents)) {
    await assertDeletable(api, c, target, stored, finalizers, context, judge);
  }
  const result = await storeChanged(api.store, stored, { target, object: marked, dryRun: context.dryRun, judge });
  if (result === undefined) throw notFound(target);
  return result;
}

/**
 * Refuses now what would be refused in the end, rather than after the dependents are gone. A foreground deletion with dependents is
 * refused only for reasons that their end cannot change (403), since they may be the reason for any other refusal. Dependents that
 * the caller may not see do not count, since this would reveal them; but all count when the daemon itself continues a deletion that
 * was agreed to.
 */
async function assertDeletable(
  api: Api,
  c: ApiContext,
  target: Target,
  stored: ApiObject,
  finalizers: readonly string[],
  context: WriteContext,
  judge: Judge,
): Promise<void> {
  const warned = c.get('warnings').length;
  try {
    await finishDeletion(api, target, stored, stored, { ...context, dryRun: true }, judge);
  } catch (error) {
    const isFinal = error instanceof DtkdError && error.httpStatus === 403;
    if (finalizers.includes(ORPHAN_FINALIZER) || isFinal) throw error;
    const counts = (ref: ObjectRef, object: ApiObject) => c.env?.own !== undefined || mayKnowOf(api, c, ref, object);
    if ((await api.hasDependents?.(stored.metadata.uid, counts)) !== true) throw error;
  }
  c.get('warnings').length = warned;
}

/** Deletes an object that nothing holds back any more: through its kind's handler, or here. */
export async function finishDeletion(
  api: Api,
  target: Target,
  stored: ApiObject,
  last: ApiObject,
  context: WriteContext,
  judge: Judge,
): Promise<ApiObject | typeof CHANGED> {
  const answer = await handlerOf(api, target.kind)?.delete?.(last, context);
  if (answer !== undefined) return answer.handled;
  await assertOwn(api.store, target, stored, 'deleted');
  const result = await storeDeleted(api.store, stored, { target, dryRun: context.dryRun, judge });
  if (result === undefined) throw notFound(target);
  return result === CHANGED ? CHANGED : last;
}

function assertPreconditions({ kind, name }: Target, stored: ApiObject, { uid, resourceVersion }: DeleteOptions['preconditions']): void {
  const { metadata } = stored;
  if ((uid ?? metadata.uid) === metadata.uid && (resourceVersion ?? metadata.resourceVersion) === metadata.resourceVersion) return;
  throw new DtkdError('CONFLICT', `${kind.plural} "${name}" is not the object, or not the version, that was to be deleted`, {
    next: 'Read it again, and delete it if you still want to.',
  });
}

/** Deletes the selected objects that the caller may delete; leaves alone what this node does not own. */
export async function deleteCollection(api: Api, c: ApiContext, kind: Kind): Promise<Response> {
  const target = targetOf(api, c, kind);
  begin(c, 'deletecollection', target);
  const elsewhere = await forward(api, c, target, 'write');
  if (elsewhere !== undefined) return elsewhere;
  assertWritableHere(api, target);
  const asked = await readDeleteOptions(c);
  const context = contextOf(c, asked.dryRun);
  const query = selectionQuery(api, c, target);
  let next: string | undefined;
  let count = 0;
  do {
    const part: ListQuery = { ...query, limit: COLLECTION_PART, ...(next === undefined ? {} : { continue: next }) };
    const page = await visibleObjects(api, context.principal, part);
    for (const { metadata } of page.items) {
      if (await removeOne(api, c, { ...target, name: metadata.name }, { ...asked, preconditions: { uid: metadata.uid } }, context))
        count += 1;
      // after each one: the next may be refused, and these are gone all the same
      if (count > 0 && !context.dryRun) c.get('note').done = `${count} deleted`;
    }
    next = page.continue;
  } while (next !== undefined);
  c.get('note').because = `${count} deleted`;
  return answerJson(c, { ...success({ group: kind.group, kind: kind.plural }), message: `${count} deleted` });
}

/** False if this node does not own the object, the object is gone, or the caller may not delete it. */
async function removeOne(api: Api, c: ApiContext, target: Target, asked: DeleteOptions, context: WriteContext): Promise<boolean> {
  const ref = refOfTarget(target);
  if ((await api.store.originOf(ref)) !== 'own') return false;
  const stored = await api.store.get(ref);
  if (stored === undefined || !may(api, c, 'DELETE', target, stored)) return false;
  try {
    await remove(api, c, target, asked, context);
  } catch (error) {
    if (!(error instanceof DtkdError && error.code === 'NOT_FOUND')) throw error;
  }
  return true;
}
