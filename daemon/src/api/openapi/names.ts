/** The names of schemas, as Kubernetes clients know them. Pure. */
import type { Kind } from '../../../../protocol/kinds/kind.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
export const OBJECT_META = `${META}.ObjectMeta`;
export const LIST_META = `${META}.ListMeta`;
export const OWNER_REFERENCE = `${META}.OwnerReference`;
export const STATUS = `${META}.Status`;
export const DELETE_OPTIONS = `${META}.DeleteOptions`;
export const PRECONDITIONS = `${META}.Preconditions`;
export const PATCH = `${META}.Patch`;
export const WATCH_EVENT = `${META}.WatchEvent`;
export const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

/** `io.k8s.api.core.v1.Service`, `dev.dtkd.v1.Node`: the group reversed, as for custom resources. */
export function schemaName({ group, version, kind }: Pick<Kind, 'group' | 'version' | 'kind'>): string {
  if (group === '') return `io.k8s.api.core.${version}.${kind}`;
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

export function listName(kind: Pick<Kind, 'group' | 'version' | 'kind'>): string {
  return `${schemaName(kind)}List`;
}

const SCHEMAS = '#/components/schemas/';

export function refTo(name: string): { $ref: string } {
  return { $ref: `${SCHEMAS}${name}` };
}

/** A field that is described by another schema. Nothing may stand beside a reference, so the field's own description is put around it. */
export function fieldOf(name: string, description: string): { description: string; allOf: { $ref: string }[] } {
  return { description, allOf: [refTo(name)] };
}

/** The schema name in a reference of a version 3 document. */
export function nameOfRef(ref: string): string {
  return ref.slice(SCHEMAS.length);
}
