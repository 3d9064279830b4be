import type { Kind } from '../protocol/kinds/kind.ts';
import { type Selection, type Target, THIS_NODE } from './client/api.ts';
import { parseDuration } from './input/duration.ts';
import type { Format } from './output/format.ts';

/** Flags that say which objects are meant, and how they are shown. */
export interface ListFlags {
  namespace?: string;
  allNamespaces?: boolean;
  selector?: string;
  fieldSelector?: string;
  limit?: number;
  where?: string;
  stale?: boolean;
  /** As people write it, e.g. `2s`. */
  timeout?: string;
  requireComplete?: boolean;
  output?: Format;
  headers: boolean;
}

/** Where a list of the kind is, for `-n` and `-A`. */
export function targetOf(kind: Kind, flags: Pick<ListFlags, 'namespace' | 'allNamespaces'>): Target {
  return { kind, namespace: flags.allNamespaces === true ? undefined : (flags.namespace ?? THIS_NODE) };
}

type SelectionFlags = Pick<ListFlags, 'selector' | 'fieldSelector' | 'limit' | 'where' | 'stale' | 'timeout'>;

export function selectionOf(flags: SelectionFlags): Selection {
  return {
    labelSelector: flags.selector,
    fieldSelector: flags.fieldSelector,
    where: flags.where,
    stale: flags.stale,
    peerTimeoutMs: flags.timeout === undefined ? undefined : parseDuration(flags.timeout),
    limit: flags.limit,
  };
}
