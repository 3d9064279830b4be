/** A node filter once it is parsed: what is matched without waiting for anything. */
import type { Pattern } from './pattern.ts';

/** What a filter looks at: a node's NodeView, or as much of it. */
export interface FilteredNode {
  /** Its name here. */
  node: string;
  object: { metadata?: { labels?: Readonly<Record<string, string>> | undefined } | undefined; spec?: unknown; status?: unknown };
}

export interface CompiledFilter {
  /** All of them have to hold. Empty: every node. */
  include: readonly Condition[];
  /** One list for each text: a node is left out if all of one list hold. */
  exclude: readonly (readonly Condition[])[];
  excludePrecedence: boolean;
}

/** One key with its values. */
export interface Condition {
  key: FilterKey;
  /** As it was written, for what is said about it. */
  text: string;
  /** One of them is enough. */
  anyOf: readonly Alternative[];
  /** Values that are compared as they stand, for speed; folded where case does not count. */
  literals: ReadonlySet<string>;
}

/** A value, or several tags joined by `+`, all of which a node has to have. */
export interface Alternative {
  allOf: readonly { literal: string; pattern: Pattern }[];
}

export type FilterKey =
  | { of: 'fact'; name: 'hostname' | 'osFamily' | 'osName' | 'osVersion' | 'osArch' }
  | { of: 'name' }
  | { of: 'type' }
  | { of: 'tags' }
  | { of: 'property'; name: string };
