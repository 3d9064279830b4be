/** Which objects a grant applies to. Pure. Parses a `GrantScope` once, so that matching an object costs next to nothing. */
import { isRecord } from '../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { dtDomainKind } from '../../../protocol/kinds/dtdomain.ts';
import { dtPeerKind } from '../../../protocol/kinds/dtpeer.ts';
import { eventKind } from '../../../protocol/kinds/event.ts';
import { kindByAnyName, kindByPlural } from '../../../protocol/kinds/index.ts';
import type { Kind } from '../../../protocol/kinds/kind.ts';
import { DTKD_GROUP, modelKind } from '../../../protocol/kinds/model.ts';
import { policyKind } from '../../../protocol/kinds/policy.ts';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import { secretKind } from '../../../protocol/kinds/secret.ts';
import { serviceInstanceKind } from '../../../protocol/kinds/service-instance.ts';
import { type LabelRequirement, matchesLabels, parseLabelSelector } from '../../../protocol/objects/selectors.ts';
import { actNamed, GRANTABLE_ACTS, type GrantScope } from '../../../protocol/rights/capability.ts';
import type { Asked } from './access.types.ts';

/** A parsed scope, ready for matching. */
export interface Scope {
  /** `plural.group`, the plural alone for core kinds, or `*`. */
  kind: string;
  name?: string;
  model?: string;
  /** In lower case, since types are compared without regard to case. */
  type?: string;
  /** Undefined: any labels. */
  labels?: readonly LabelRequirement[];
}

export type Ancestry = (type: string) => readonly string[];

/** `resources.dtkd.dev`; the plural alone for core kinds. */
export function kindText(group: string, plural: string): string {
  return group === '' ? plural : `${plural}.${group}`;
}

export const MODELS = kindText(DTKD_GROUP, modelKind.plural);
export const RESOURCES = kindText(DTKD_GROUP, resourceKind.plural);
export const INSTANCES = kindText(DTKD_GROUP, serviceInstanceKind.plural);

/**
 * Kinds and acts that `*` does not include, so that they must be granted by name: domains and their members, policies on whose code runs
 * here, secrets, Events, running any program, copying files, and metrics.
 */
const BY_NAME_ONLY: ReadonlySet<string> = new Set([
  // Events show to whoever may read the object that they are about
  ...[dtDomainKind, dtPeerKind, policyKind, secretKind, eventKind].map(({ group, plural }) => kindText(group, plural)),
  ...GRANTABLE_ACTS.map((act) => kindText(DTKD_GROUP, act)),
]);

/** Parses a stored scope. Throws BAD_REQUEST if its selector is invalid. */
export function scopeOf({ kind, name, model, type, labelSelector }: GrantScope): Scope {
  const labels = labelSelector === undefined ? [] : parseLabelSelector(labelSelector);
  return {
    kind,
    ...(name === undefined ? {} : { name }),
    ...(model === undefined ? {} : { model }),
    ...(type === undefined ? {} : { type: type.toLowerCase() }),
    ...(labels.length === 0 ? {} : { labels }),
  };
}

/** The kind (or act) that a scope names in any accepted spelling; undefined for `*`. Throws INVALID for an unknown kind. */
export function kindOfScope(text: string): Pick<Kind, 'group' | 'plural'> | undefined {
  if (text === '*') return undefined;
  const act = actNamed(text);
  if (act !== undefined) return { group: DTKD_GROUP, plural: act };
  const dot = text.indexOf('.');
  const exact = dot < 0 ? undefined : kindByPlural(text.slice(dot + 1), text.slice(0, dot));
  const kind = exact ?? kindByAnyName(text);
  if (kind?.derived !== undefined) {
    throw new DtkdError('INVALID', `${kind.plural} are visible to users who may READ ${kind.derived.from.plural}`, {
      next: `Grant rights on ${kind.derived.from.plural}.`,
      details: { causes: [{ reason: 'FieldValueInvalid', message: 'follows from another kind', field: 'spec.on.kind' }] },
    });
  }
  if (kind !== undefined) return kind;
  throw new DtkdError('INVALID', `there is no kind "${text.slice(0, 80)}"`, {
    next: 'See "dtkd api-resources" for the kinds; * means all of them.',
    details: { causes: [{ reason: 'FieldValueInvalid', message: 'is no kind', field: 'spec.on.kind' }] },
  });
}

/**
 * True if a scope applies to what is asked. Without an object only its kind and name are known, so a scope that looks at more does not
 * match.
 */
export function matchesScope(scope: Scope, { group, plural, name, object, lineage }: Asked, types: { ancestry: Ancestry }): boolean {
  const kind = kindText(group, plural);
  if (scope.kind !== kind && (scope.kind !== '*' || BY_NAME_ONLY.has(kind))) return false;
  if (scope.name !== undefined && scope.name !== name) return false;
  if (scope.model !== undefined && scope.model !== modelOf(kind, name, object)) return false;
  if (scope.type !== undefined) {
    const type = kind === RESOURCES ? textAt(object, 'type') : undefined;
    if (type === undefined || !(lineage ?? types.ancestry(type.toLowerCase())).includes(scope.type)) return false;
  }
  return scope.labels === undefined || (object !== undefined && matchesLabels(scope.labels, object.metadata.labels));
}

/** The model of an object; a Model belongs to itself. */
export function modelOf(kind: string, name: string, object: Asked['object']): string | undefined {
  if (kind === MODELS) return name;
  return kind === RESOURCES ? textAt(object, 'model') : undefined;
}

function textAt(object: Asked['object'], field: string): string | undefined {
  const spec = object?.['spec'];
  const value = isRecord(spec) ? spec[field] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/**
 * True if everything in `child` is in `parent`, judged by how they are written: each narrowing of the parent must be in the child as well.
 */
export function covers(parent: Scope, child: Scope): boolean {
  if (parent.kind !== child.kind && (parent.kind !== '*' || BY_NAME_ONLY.has(child.kind))) return false;
  if (parent.name !== undefined && parent.name !== child.name) return false;
  if (parent.model !== undefined && parent.model !== child.model) return false;
  if (parent.type !== undefined && parent.type !== child.type) return false;
  const said = new Set((child.labels ?? []).map(requirementText));
  return (parent.labels ?? []).every((requirement) => said.has(requirementText(requirement)));
}

function requirementText(requirement: LabelRequirement): string {
  const values = 'values' in requirement ? [...new Set(requirement.values)].sort() : [];
  return JSON.stringify([requirement.key, requirement.operator, values]);
}
