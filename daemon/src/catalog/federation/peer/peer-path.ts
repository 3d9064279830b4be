import type { Kind } from '../../../../../protocol/kinds/kind.ts';
import type { Selectors } from '../federation.types.ts';

export interface PeerQuery extends Selectors {
  limit?: number;
  continue?: string;
  watch?: boolean;
  resourceVersion?: string;
  allowWatchBookmarks?: boolean;
}

/** Path and query of a kind's collection at a peer, which `default` names. */
export function peerPath({ group, version, plural }: Pick<Kind, 'group' | 'version' | 'plural'>, query: PeerQuery): string {
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  return `${base}/namespaces/default/${plural}?${parameters.toString()}`;
}
