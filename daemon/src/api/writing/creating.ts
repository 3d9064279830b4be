/** Handles create: makes an object from a document, through its kind's handler if there is one. */

import { randomInt } from 'node:crypto';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { subjectText } from '../../../../protocol/rights/principal.ts';
import { begin, permit, shownAfter } from '../deciding/deciding.ts';
import { deployedOn, permitDeployment, type Reader } from '../deciding/deployment.ts';
import { assertWritableHere } from '../deciding/ownership.ts';
import { forward } from '../forwarding/forwarding.ts';
import type { WriteContext } from '../handlers.types.ts';
import { invalid } from '../request/causes.ts';
import { answerForm, assertJson } from '../request/media.ts';
import { answerObject } from '../request/object-answer.ts';
import { type Api, type ApiContext, flag, isDryRun, refOfTarget, type Target, targetOf, warn } from '../request/request.ts';
import { readWritten } from '../request/written-body.ts';
import { newObject, type UserDocument } from './document.ts';
import { assertFinalizers } from './finalizers.ts';
import { permitOwners, withWordOf } from './owner-references.ts';
import { storeCreated } from './store-writes.ts';
import { handlerOf, isObject, readDocument } from './written.ts';

/** How often a new name is generated if the last one is taken. */
const MAX_ATTEMPTS = 8;
/** Letters and digits that cannot be misread or form words. */
const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;

export async function createObject(api: Api, c: ApiContext, kind: Kind): Promise<Response> {
  const collection = targetOf(api, c, kind);
  begin(c, 'create', collection);
  const elsewhere = await forward(api, c, collection, 'write');
  if (elsewhere !== undefined) return elsewhere;
  assertWritableHere(api, collection);
  assertJson(c.req.header('content-type'));
  const form = answerForm(c.req.header('accept'));
  const document = readDocument(api, c, collection, await readWritten(c));
  const { resourceVersion } = document.metadata;
  if (resourceVersion !== undefined && resourceVersion !== '') {
    throw new DtkdError('BAD_REQUEST', 'a new object cannot have a metadata.resourceVersion', {
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
  begin(c, 'create', target);
  const principal = c.get('principal');
  const dryRun = isDryRun(c);
  if (dryRun) c.get('note').change = false;
  const creator = principal.type === 'user' ? subjectText(principal) : undefined;
  const object = withWordOf(principal, undefined, newObject(kind, document, name, target.namespace, creator));
  assertFinalizers(kind, undefined, object);
  await permitOwners(api, c, api.store, target, undefined, object);
  const judge = async (reader: Reader, wanted: ApiObject): Promise<void> => {
    permit(api, c, 'CREATE', target, wanted);
    await permitDeployment(api, c, reader, deployedOn(kind, undefined, wanted));
  };
  // before the answer can reveal what is there and before a handler acts; and again on the result of the handler
  await judge(api.store, object);
  if ((await api.store.get(refOfTarget(target))) !== undefined) throw alreadyExists(target);
  const context: WriteContext = { principal, dryRun, cascade: flag(c, 'cascade'), warn: (text) => warn(c, text) };
  const answer = await handlerOf(api, kind)?.create?.(object, context);
  if (answer !== undefined && 'handled' in answer && isObject(answer.handled)) return shownAfter(api, c, target, answer.handled);
  const wanted = isObject(answer) ? answer : object;
  const stored = await storeCreated(api.store, { target, object: wanted, dryRun, judge });
  if (stored === undefined) throw alreadyExists(target);
  return shownAfter(api, c, target, stored);
}

function nameOf(kind: Kind, document: UserDocument): string {
  const { name } = document.metadata;
  if (name !== undefined) return name;
  throw invalid(kind, '', [{ reason: 'FieldValueRequired', message: 'a name or generateName is required', field: 'metadata.name' }]);
}

function randomSuffix(): string {
  return Array.from({ length: SUFFIX_LENGTH }, () => SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)]).join('');
}

function alreadyExists({ kind, name }: Target): DtkdError {
  return new DtkdError('ALREADY_EXISTS', `${kind.plural} "${name}" already exists`, {
    next: 'Choose another name, or change the existing one.',
  });
}
