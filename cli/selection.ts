import { DtkdError } from '../protocol/errors.ts';
import type { Kind } from '../protocol/kinds/kind.ts';
import { type Selection, type Target, THIS_NODE } from './client/api.ts';
import { parseDuration } from './input/duration.ts';
import type { Format } from './output/format.ts';

/** Flags that choose objects, and how to show them. */
export interface ListFlags {
  namespace?: string;
  allNamespaces?: boolean;
  selector?: string;
  fieldSelector?: string;
  limit?: number;
  where?: string;
  stale?: boolean;
  /** A duration, such as `2s`. */
  timeout?: string;
  requireComplete?: boolean;
  output?: Format;
  headers: boolean;
}

/** The target of a list of the kind, for `-n` and `-A`. */
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

/** Flags that select among all objects, as they are written. */
const CHOOSING = { selector: '-l', fieldSelector: '--field-selector', where: '--where', limit: '--limit', all: '--all' } as const;

/**
 * Refuses flags that select, beside objects that are given in another way and for which they would be ignored. `given`: that way, such as
 * "names".
 */
export function assertNothingChooses(flags: { readonly [Flag in keyof typeof CHOOSING]?: unknown }, given: string): void {
  for (const [flag, written] of Object.entries(CHOOSING)) {
    if (flags[flag as keyof typeof CHOOSING] === undefined) continue;
    throw new DtkdError('BAD_REQUEST', `${written} chooses among all objects, and cannot be given with ${given}`, {
      next: `Leave out ${written}, or ${given}.`,
    });
  }
}

/** Refuses `-A` with names: on each node, the same name is another object. */
export function assertOneNode(kind: Kind, flags: Pick<ListFlags, 'allNamespaces'>): void {
  if (flags.allNamespaces !== true || kind.scope !== 'Namespaced') return;
  throw new DtkdError('BAD_REQUEST', 'a name belongs to one node, so -A cannot be given with names', { next: 'Name the node with -n.' });
}
