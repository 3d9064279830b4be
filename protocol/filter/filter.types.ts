/** A parsed node filter, which can be matched synchronously. */
import type { Pattern } from './pattern.ts';

/** The part of a NodeView that a filter looks at. */
export interface FilteredNode {
  /** The node's name as known here. */
  node: string;
  object: { metadata: { labels?: Readonly<Record<string, string>> | undefined }; spec?: unknown; status?: unknown };
}

export interface CompiledFilter {
  /** All of these must match. Empty: every node. */
  include: readonly Condition[];
  /** One list per text. A node is excluded if all conditions of a list match. */
  exclude: readonly (readonly Condition[])[];
  /** True: a node that both match is excluded; false: it is included. */
  excludePrecedence: boolean;
}

/** One key with its values. */
export interface Condition {
  key: FilterKey;
  /** The condition as shown in messages: `tags=web,db`. */
  text: string;
  /** Literal values, one of which must match; lower-cased if case does not matter. Most filters have only these. */
  literals: ReadonlySet<string>;
  /** Values that are more than a literal, one of which must match instead. */
  anyOf: readonly Alternative[];
}

/** A pattern, or several tags joined by `+`, all of which a node must have. */
export interface Alternative {
  allOf: readonly { literal: string; pattern: Pattern }[];
}

export type FilterKey =
  | { of: 'fact'; name: 'hostname' | 'osFamily' | 'osName' | 'osVersion' | 'osArch' }
  | { of: 'name' }
  | { of: 'type' }
  | { of: 'tags' }
  /** A property in spec.properties, else a label. */
  | { of: 'property'; name: string };
