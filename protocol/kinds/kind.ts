import type { z } from 'zod';
import type { ConditionNow } from '../objects/conditions.ts';
import type { ApiObject } from '../objects/objects.ts';

/** A printed column. `path` is a dotted path into the object; `value` computes instead where a path will not do. */
export interface Column {
  name: string;
  type: 'string' | 'integer' | 'boolean' | 'date';
  description: string;
  path?: string;
  value?: (object: ApiObject, now: number) => string | number | boolean | undefined;
  /** 0 is always shown, 1 only with `-o wide`. */
  priority: 0 | 1;
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
export const READ_VERBS: readonly Verb[] = ['get', 'list', 'watch'];
export const ALL_VERBS: readonly Verb[] = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];

/** How objects of a kind follow from those of another one. */
export interface Derivation {
  from: Pick<Kind, 'group' | 'plural'>;
  /** What follows from one source, in an order that does not change; each bears its resourceVersion. */
  objects: (source: ApiObject) => ApiObject[];
  /** Name of the source of an object, as its name tells; undefined if it can be no object of the kind. */
  sourceOf: (name: string) => string | undefined;
  /** The label that names an object's source. */
  label: string;
}

/**
 * All that dtkd knows about one kind of object. Routes, validation, discovery, tables, completion and the reference come from it.
 */
export interface Kind {
  /** Empty for the core group, whose paths begin with `/api` and not `/apis`. */
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  shortNames: readonly string[];
  scope: 'Namespaced' | 'Cluster';
  /** True: published in the author's log to the domains that `domainsOf` names. False: never leaves its owner's store. */
  shared: boolean;
  verbs: readonly Verb[];
  /** Objects of the kind are never stored: they follow from others when they are read, and who may READ those sees them. */
  derived?: Derivation;
  description: string;
  /** The object without `metadata`, as users write it. Unknown fields are reported under fieldValidation and dropped. */
  schema: z.ZodObject;
  /** Top-level fields that only the daemon writes (`status` and, for the seed's kinds, others). Kept from the stored object on user writes. */
  serverFields: readonly string[];
  /** Fields usable in a field selector besides metadata.name and metadata.namespace. */
  selectableFields: readonly string[];
  columns: readonly Column[];
  /** True where name and age say nothing to people: only the wide table has them. */
  anonymous?: boolean;
  /**
   * Paths whose values are indexed beside the labels, so that a query by them costs as much as its answer: a path to a scalar, to an array
   * (each element), or `PATH.*` (each scalar entry of a record). Absent: the kind has no indexes.
   */
  indexed?: readonly string[];
  /** Short forms of paths in expressions (protocol/where/where.ts): `type` for `spec.type`, and so also `type.…`. */
  aliases?: Readonly<Record<string, string>>;
  /** Paths whose texts expressions and indexes compare without regard to case. */
  caseless?: readonly string[];
  /** A path, and the one that is read where there is nothing at it. */
  defaults?: Readonly<Record<string, string>>;
  /** Replicas bear AUTHOR_ANNOTATION: who wrote such an object decides what it means. Its published form has no annotations. */
  attributed?: true;
  /**
   * What is true of an object, said in its `status.conditions` whenever it is stored here. Follows from the object alone, so that the conditions
   * always speak of its present generation. Absent: the kind says none.
   */
  conditions?: (object: ApiObject) => readonly ConditionNow[];
  /** Names of the domains into which an object of a shared kind is published; `*`: all that this node is in. */
  domainsOf?: (object: ApiObject) => readonly string[];
  /** What the members of `domain` get to see of an object of a shared kind: user-written fields only, without a word of other domains. */
  published?: (object: ApiObject, domain: string) => ApiObject;
  /**
   * The other way: what this node itself had published to `domain` and has lost (undefined: had taken back), joined with what is stored
   * now. Returns the object to store, or undefined to delete it. Where a kind has none, the published object is stored as it is.
   */
  adopted?: (published: ApiObject | undefined, domain: string, stored: ApiObject | undefined) => ApiObject | undefined;
}

/** `v1` for core kinds, else `group/version`. */
export function apiVersionOf(kind: Pick<Kind, 'group' | 'version'>): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}
