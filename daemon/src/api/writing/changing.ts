/**
 * Handles replace and patch: reads the document, runs the kind's handler, and stores the result in one transaction that fails if
 * the object has changed since it was read. Fields that the server owns are never taken from a document.
 */

import { checkJson, isRecord } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { applyJsonPatch, applyMergePatch } from '../../../../protocol/patch/patch.ts';
import { type PatchRule, patchRulesOf } from '../../../../protocol/patch/patch-rules.ts';
import { applyStrategicMergePatch } from '../../../../protocol/patch/strategic-merge.ts';
import { begin, may, mustGet, notFound, permit, permitChange, shownAfter } from '../deciding/deciding.ts';
import { deployedOn, permitDeployment } from '../deciding/deployment.ts';
import { assertOwn, assertWritableHere } from '../deciding/ownership.ts';
import { forward } from '../forwarding/forwarding.ts';
import type { WriteContext } from '../handlers.types.ts';
import { answerForm, assertJson, type PatchForm, patchForm } from '../request/media.ts';
import { answerObject } from '../request/object-answer.ts';
import {
  type Api,
  type ApiContext,
  flag,
  isDryRun,
  MAX_BODY_BYTES,
  NAMESPACE_POINTER,
  namespaceOf,
  refOfTarget,
  type Target,
  targetOf,
  warn,
} from '../request/request.ts';
import { readWritten } from '../request/written-body.ts';
import { redacted } from '../views/visibility.ts';
import { finishDeletion } from './deleting.ts';
import { changedObject, type UserDocument } from './document.ts';
import { assertFinalizers } from './finalizers.ts';
import { permitOwners, withWordOf } from './owner-references.ts';
import { CHANGED, type Judge, storeChanged } from './store-writes.ts';
import { handlerOf, isObject, readDocument } from './written.ts';

/** How often a write that conflicts with another one is repeated, if the client named no version. */
const MAX_ATTEMPTS = 8;

export async function replaceObject(api: Api, c: ApiContext, kind: Kind): Promise<Response> {
  const target = targetOf(api, c, kind);
  begin(c, 'update', target);
  const elsewhere = await forward(api, c, target, 'write');
  if (elsewhere !== undefined) return elsewhere;
  const form = answerForm(c.req.header('accept'));
  assertJson(c.req.header('content-type'));
  const document = readDocument(api, c, target, await readWritten(c));
  return answerObject(c, kind, await change(api, c, target, () => document), form);
}

export async function patchObject(api: Api, c: ApiContext, kind: Kind): Promise<Response> {
  const target = targetOf(api, c, kind);
  begin(c, 'patch', target);
  const elsewhere = await forward(api, c, target, 'write');
  if (elsewhere !== undefined) return elsewhere;
  const form = answerForm(c.req.header('accept'));
  const rules = patchRulesOf(kind);
  const type = patchForm(c.req.header('content-type'), rules !== undefined);
  const patch = namedPatch(api, await readWritten(c));
  if (type === 'merge-patch' && !isRecord(patch))
    throw new DtkdError('BAD_REQUEST', 'the body is not a merge patch', { next: 'Send a JSON object.' });
  const apply = (stored: ApiObject) => {
    // a JSON patch reveals what is there by its success or failure
    if (type === 'json-patch') permit(api, c, 'READ', target, stored);
    const result = patched(type, stored, patch, rules);
    assertBounded(result);
    return readDocument(api, c, target, result);
  };
  return answerObject(c, kind, await change(api, c, target, apply), form);
}

/** The patch with `default` as the namespace replaced by this node's name, since stored objects never say `default`. */
function namedPatch(api: Api, patch: unknown): unknown {
  if (!Array.isArray(patch)) return patch;
  return patch.map((step: unknown) => {
    if (!isRecord(step) || step['path'] !== NAMESPACE_POINTER || typeof step['value'] !== 'string') return step;
    return { ...step, value: namespaceOf(api, step['value']) };
  });
}

function patched(type: PatchForm, stored: ApiObject, patch: unknown, rules: PatchRule | undefined): unknown {
  if (type === 'json-patch') return applyJsonPatch(stored, patch);
  return type === 'merge-patch' ? applyMergePatch(stored, patch) : applyStrategicMergePatch(stored, patch, rules ?? {});
}

/** Computes what a request makes of the stored object, if the caller may change it. Pure except for warnings. */
type Evaluate = (stored: ApiObject) => { changed: ApiObject; finished: boolean };

async function change(api: Api, c: ApiContext, target: Target, documentFrom: (stored: ApiObject) => UserDocument): Promise<ApiObject> {
  const { kind } = target;
  const context: WriteContext = {
    principal: c.get('principal'),
    dryRun: isDryRun(c),
    cascade: flag(c, 'cascade'),
    warn: (text) => warn(c, text),
  };
  if (context.dryRun) c.get('note').change = false;
  const first = await mustGet(api, c, target);
  permit(api, c, 'UPDATE', target, first);
  assertWritableHere(api, target, first);
  const evaluate: Evaluate = (stored) => {
    permit(api, c, 'UPDATE', target, stored);
    const document = documentFrom(stored);
    assertPreconditions(target, stored, document);
    const changed = withWordOf(context.principal, stored, changedObject(kind, stored, document));
    assertFinalizers(kind, stored, changed);
    permitChange(api, c, target, stored, changed);
    return { changed, finished: stored.metadata.deletionTimestamp !== undefined && changed.metadata.finalizers === undefined };
  };
  const changed =
    handlerOf(api, kind) === undefined
      ? await storeEvaluated(api, c, target, evaluate, context.dryRun)
      : await changeWithHandler(api, c, target, evaluate, context);
  // whether a dry run would change anything reveals what is there
  if (context.dryRun && !may(api, c, 'READ', target, changed)) return redacted(first);
  return shownAfter(api, c, target, changed);
}

/** Without a handler, the change is made inside the transaction: concurrent patches all succeed, one after another. */
function storeEvaluated(api: Api, c: ApiContext, target: Target, evaluate: Evaluate, dryRun: boolean): Promise<ApiObject> {
  const ref = refOfTarget(target);
  return api.store.transact(
    async (tx) => {
      const stored = await tx.get(ref);
      if (stored === undefined) throw notFound(target);
      await assertOwn(tx, target, stored, 'changed');
      const { changed, finished } = evaluate(stored);
      await permitDeployment(api, c, tx, deployedOn(target.kind, stored, changed));
      await permitOwners(api, c, tx, target, stored, changed);
      if (!finished) return tx.put(changed);
      await tx.delete(ref);
      return changed;
    },
    { dryRun },
  );
}

/** A handler may take time, so it works on the object that was read; if that has changed meanwhile, everything is done again. */
async function changeWithHandler(api: Api, c: ApiContext, target: Target, evaluate: Evaluate, context: WriteContext): Promise<ApiObject> {
  const { kind } = target;
  const warned = c.get('warnings').length;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const stored = await mustGet(api, c, target);
    await assertOwn(api.store, target, stored, 'changed');
    const { changed, finished } = evaluate(stored);
    await permitDeployment(api, c, api.store, deployedOn(kind, stored, changed));
    await permitOwners(api, c, api.store, target, stored, changed);
    if (finished) {
      const judge: Judge = (_, still) => permitChange(api, c, target, still, changed);
      const gone = await finishDeletion(api, target, stored, changed, context, judge);
      if (gone !== CHANGED) return gone;
    } else {
      const answer = await handlerOf(api, kind)?.update?.(changed, stored, context);
      if (answer !== undefined && 'handled' in answer && isObject(answer.handled)) return answer.handled;
      const object = isObject(answer) ? answer : changed;
      const judge: Judge = (_, still) => permitChange(api, c, target, still, object);
      const result = await storeChanged(api.store, stored, { target, object, dryRun: context.dryRun, judge });
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
    throw new DtkdError('CONFLICT', `${kind.plural} "${name}" is now another object with that name (its uid differs)`, {
      next: 'Read it again.',
    });
  }
  if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== stored.metadata.resourceVersion) {
    throw new DtkdError(
      'CONFLICT',
      `${kind.plural} "${name}" has changed since version ${resourceVersion}; it is at ${stored.metadata.resourceVersion}`,
      {
        next: 'Read it again, make your change there, and send it.',
      },
    );
  }
}
