import type { Kind } from '../protocol/kinds/kind.ts';
import { type Selection, type Target, THIS_NODE } from './client/api.ts';
import type { Format } from './output/format.ts';

/** Flags that say which objects are meant, and how they are shown. */
export interface ListFlags {
  namespace?: string;
  allNamespaces?: boolean;
  selector?: string;
  fieldSelector?: string;
  limit?: number;
  output?: Format;
  headers: boolean;
}

/** Where a list of the kind is, for `-n` and `-A`. */
export function targetOf(kind: Kind, flags: Pick<ListFlags, 'namespace' | 'allNamespaces'>): Target {
  return { kind, namespace: flags.allNamespaces === true ? undefined : (flags.namespace ?? THIS_NODE) };
}

export function selectionOf(flags: Pick<ListFlags, 'selector' | 'fieldSelector' | 'limit'>): Selection {
  return { labelSelector: flags.selector, fieldSelector: flags.fieldSelector, limit: flags.limit };
}
