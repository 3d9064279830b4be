import type { z } from 'zod';
import type { ConditionNow } from '../objects/conditions.ts';
import type { ApiObject } from '../objects/objects.ts';

/** A printed column. `path` is a dotted path into the object; `value` computes what no path can give. */
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

/** How objects of a kind are derived from those of another one. */
export interface Derivation {
  from: Pick<Kind, 'group' | 'plural'>;
  /** Returns the objects derived from one source, in a stable order. Each has the source's resourceVersion. */
  objects: (source: ApiObject) => ApiObject[];
  /** Returns the name of an object's source, given the object's name; undefined if no object of the kind can have that name. */
  sourceOf: (name: string) => string | undefined;
  /** The label that names an object's source. */
  label: string;
}

/**
 * Everything that dtkd knows about one kind of object. Routes, validation, discovery, tables, completion and the reference are derived
 * from it.
 */
export interface Kind {
  /** Empty for the core group, whose paths begin with `/api` instead of `/apis`. */
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  shortNames: readonly string[];
  scope: 'Namespaced' | 'Cluster';
  /** True: published in the author's log to the domains that `domainsOf` returns. False: never leaves its owner's store. */
  shared: boolean;
  verbs: readonly Verb[];
  /** Objects of the kind are never stored: they are derived from others on reading, and visible to those who may READ these. */
  derived?: Derivation;
  description: string;
  /** The object without `metadata`, as users write it. Unknown fields are reported under fieldValidation and dropped. */
  schema: z.ZodObject;
  /**
   * Top-level fields that only the daemon writes (`status`, and others for the kinds of the original design). User writes keep the stored
   * values.
   */
  serverFields: readonly string[];
  /** Fields usable in a field selector besides metadata.name and metadata.namespace. */
  selectableFields: readonly string[];
  columns: readonly Column[];
  /** True if name and age mean nothing to people: only the wide table shows them. */
  anonymous?: boolean;
  /**
   * Paths whose values are indexed besides the labels, so that a query by them costs only as much as its result: a path to a scalar, to
   * an array (each element), or `PATH.*` (each scalar entry of a record). Absent: the kind has no indexes.
   */
  indexed?: readonly string[];
  /** Short forms of paths in expressions (protocol/where/where.ts): `type` for `spec.type`, and thus also `type.…`. */
  aliases?: Readonly<Record<string, string>>;
  /** Paths whose texts are compared without regard to case, in expressions and indexes. */
  caseless?: readonly string[];
  /** For a path without a value, the path to read instead. */
  defaults?: Readonly<Record<string, string>>;
  /**
   * Replicas carry AUTHOR_ANNOTATION, because the meaning of such an object depends on its author. Its published form has no annotations.
   */
  attributed?: true;
  /**
   * Computes the object's `status.conditions` whenever it is stored here. Depends on the object alone, so that the conditions always
   * match its current generation. Absent: the kind has no conditions.
   */
  conditions?: (object: ApiObject) => readonly ConditionNow[];
  /** Names of the domains that an object of a shared kind is published to; `*`: all domains of this node. */
  domainsOf?: (object: ApiObject) => readonly string[];
  /** Returns what the members of `domain` see of an object of a shared kind: only user-written fields, and nothing about other domains. */
  published?: (object: ApiObject, domain: string) => ApiObject;
  /**
   * The inverse: merges what this node had published to `domain` and lost (undefined: had withdrawn) with what is stored now. Returns the
   * object to store, or undefined to delete it. If a kind has no such function, the published object is stored as it is.
   */
  adopted?: (published: ApiObject | undefined, domain: string, stored: ApiObject | undefined) => ApiObject | undefined;
}

/** `v1` for core kinds, else `group/version`. */
export function apiVersionOf(kind: Pick<Kind, 'group' | 'version'>): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}
