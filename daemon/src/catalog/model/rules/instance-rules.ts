/**
 * Models, types and resources of service instances change only in transactions that write their ServiceInstance object, as staging and
 * converging do. An instance's objects have its label, and its types its name after the `@`. All objects that claim to belong to an
 * instance, or did so before, are judged.
 */
import { instanceOfCode, instanceOfType } from '../../../../../protocol/definitions/scoped-names.ts';
import { isRecord, jsonEqual } from '../../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { DTKD_GROUP } from '../../../../../protocol/kinds/model.ts';
import { INSTANCE_LABEL, LEAVING_LABEL, serviceInstanceKind } from '../../../../../protocol/kinds/service-instance.ts';
import type { ApiObject, ObjectRef } from '../../../../../protocol/objects/objects.ts';
import type { Change } from '../../../store/object-store.types.ts';
import { PLURALS, refIn } from '../objects.ts';
import { objectText, type Refusal, titleOf } from '../refusal.ts';
import type { Case } from './case.ts';
import type { Touched } from './touched.ts';

/** The instances that an object names, by the field that names them. */
type Claims = ReadonlyMap<string, string>;

const LABEL_FIELD = `metadata.labels[${INSTANCE_LABEL}]`;

/**
 * Judges what a transaction writes to instances' objects. Errors: CONFLICT for changes by hand; causes for objects that do not belong to
 * one instance in all fields.
 */
export async function judgeInstances(work: Case, changes: readonly Change[], touched: readonly Touched[]): Promise<void> {
  const written = writtenInstances(changes, work.node);
  for (const change of touched) {
    const { ref, before, after } = change;
    const had = before === undefined ? new Map<string, string>() : claimsOf(change.plural, before);
    const has = after === undefined ? new Map<string, string>() : await allClaims(work, change.plural, after);
    if (had.size === 0 && has.size === 0) continue;
    if (before !== undefined && after !== undefined && jsonEqual(before['spec'], after['spec']) && sameLabels(before, after)) continue;
    const foreign = [...had.values(), ...has.values()].find((instance) => !written.has(instance));
    if (foreign !== undefined)
      throw byHand(
        ref,
        foreign,
        [had, has].some((claims) => claims.get(LABEL_FIELD) === foreign),
      );
    if (after !== undefined) judgeClaims(ref, has, work.refusal);
  }
}

/** Refuses to delete a ServiceInstance before all objects that belong to it. */
export async function assertInstancesEmpty(work: Pick<Case, 'tx' | 'node'>, changes: readonly Change[]): Promise<void> {
  for (const [name, last] of writtenInstances(changes, work.node)) {
    if (last.type !== 'DELETED') continue;
    for (const plural of PLURALS) {
      const { group, namespace } = refIn(work.node, plural, '');
      const path = `metadata.labels.${INSTANCE_LABEL}`;
      const [left] = await work.tx.find({ group, plural, namespace, path, value: name, limit: 1 });
      if (left === undefined) continue;
      throw new DtkdError('CONFLICT', `the service "${name}" cannot be deleted: it still has ${titleOf(objectText(left))}`, {
        next: `Remove it with all its resources: dtkd service uninstall ${name}.`,
      });
    }
  }
}

/** The ServiceInstance objects of this node that a transaction writes, by name, each with its last change. */
function writtenInstances(changes: readonly Change[], node: string): Map<string, Change> {
  const { group, plural } = serviceInstanceKind;
  const own = changes.filter(({ ref }) => ref.group === group && ref.plural === plural && ref.namespace === node);
  return new Map(own.map((change) => [change.ref.name, change]));
}

function claimsOf(plural: Touched['plural'], object: ApiObject): Map<string, string> {
  const claims = new Map<string, string>();
  const claim = (field: string, instance: unknown) => {
    if (typeof instance === 'string' && instance !== '') claims.set(field, instance);
  };
  const spec = isRecord(object['spec']) ? object['spec'] : {};
  claim(LABEL_FIELD, object.metadata.labels?.[INSTANCE_LABEL]);
  if (plural === 'types') {
    claim('spec.instance', spec['instance']);
    claim('spec.name', typeof spec['name'] === 'string' ? instanceOfType(spec['name']) : undefined);
    claim('spec.extends', typeof spec['extends'] === 'string' ? instanceOfType(spec['extends']) : undefined);
    const module = isRecord(spec['module']) ? spec['module']['name'] : undefined;
    claim('spec.module', typeof module === 'string' ? instanceOfCode(module) : undefined);
  }
  if (plural === 'resources') claim('spec.type', typeof spec['type'] === 'string' ? instanceOfType(spec['type']) : undefined);
  return claims;
}

/** Includes the instance of a resource's model: an instance's model contains only its own resources. */
async function allClaims(work: Case, plural: Touched['plural'], object: ApiObject): Promise<Claims> {
  const claims = claimsOf(plural, object);
  const spec = isRecord(object['spec']) ? object['spec'] : {};
  const model = plural === 'resources' && typeof spec['model'] === 'string' ? spec['model'] : undefined;
  const instance = model === undefined ? undefined : (await work.model(model))?.metadata.labels?.[INSTANCE_LABEL];
  if (instance !== undefined) claims.set('spec.model', instance);
  return claims;
}

function sameLabels(a: ApiObject, b: ApiObject): boolean {
  return [INSTANCE_LABEL, LEAVING_LABEL].every((label) => a.metadata.labels?.[label] === b.metadata.labels?.[label]);
}

/** True for a resource of an instance that is being taken down: it need not fit the present form of its type. */
export function isLeaving({ metadata: { labels = {} } }: ApiObject): boolean {
  return labels[INSTANCE_LABEL] !== undefined && labels[LEAVING_LABEL] !== undefined;
}

/** Requires that an instance's object names the same instance in all fields. */
function judgeClaims(ref: ObjectRef, claims: Claims, refusal: Refusal): void {
  const instance = claims.get(LABEL_FIELD);
  const faults = refusal.against(ref);
  if (instance === undefined) {
    faults.add(LABEL_FIELD, 'is missing, but the object belongs to a service', 'FieldValueRequired');
    return;
  }
  for (const [field, other] of claims) {
    if (other !== instance)
      faults.add(field, `names the service "${other}", but the object belongs to "${instance}"`, 'FieldValueForbidden');
  }
  const required = { models: [], types: ['spec.instance', 'spec.name'], resources: ['spec.model'] }[ref.plural] ?? [];
  for (const field of required) if (!claims.has(field)) faults.add(field, `must belong to the service "${instance}"`, 'FieldValueRequired');
  if (ref.plural === 'models' && ref.name !== instance) faults.add('metadata.name', `must be "${instance}"`, 'FieldValueForbidden');
}

function byHand(ref: ObjectRef, instance: string, isIts: boolean): DtkdError {
  const why = isIts
    ? `belongs to the service "${instance}", and changes only with it`
    : `cannot be in the model of the service "${instance}", or have one of its types: these belong to the service`;
  return new DtkdError('CONFLICT', `${titleOf(objectText(ref))} ${why}`, {
    next: `Change the service, then converge it: dtkd service set ${instance} …`,
    details: { what: objectText(ref), service: `${serviceInstanceKind.plural}.${DTKD_GROUP}/${instance}` },
  });
}
