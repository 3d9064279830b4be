/** A node filter once it is parsed: what is matched without waiting for anything. */
import type { Pattern } from './pattern.ts';

/** What a filter looks at: a NodeView, or as much of it. */
export interface FilteredNode {
  /** Its name here. */
  node: string;
  object: { metadata: { labels?: Readonly<Record<string, string>> | undefined }; spec?: unknown; status?: unknown };
}

export interface CompiledFilter {
  /** All of them have to hold. Empty: every node. */
  include: readonly Condition[];
  /** One list for each text: a node is left out if all of one list hold. */
  exclude: readonly (readonly Condition[])[];
  /** A node that both match is left out; else it stays in. */
  excludePrecedence: boolean;
}

/** One key with its values. */
export interface Condition {
  key: FilterKey;
  /** As it is said back: `tags=web,db`. */
  text: string;
  /** Values as they are written, of which one is enough; folded where case does not count. Most filters have no other. */
  literals: ReadonlySet<string>;
  /** The values that are more than a literal, of which one is enough as well. */
  anyOf: readonly Alternative[];
}

/** A pattern, or several tags joined by `+`, all of which a node has to have. */
export interface Alternative {
  allOf: readonly { literal: string; pattern: Pattern }[];
}

export type FilterKey =
  | { of: 'fact'; name: 'hostname' | 'osFamily' | 'osName' | 'osVersion' | 'osArch' }
  | { of: 'name' }
  | { of: 'type' }
  | { of: 'tags' }
  /** Of spec.properties; else a label. */
  | { of: 'property'; name: string };
