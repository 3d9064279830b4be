/** Content as the API offers it to this node's operator and users. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Members } from '../dispatch.types.ts';
import type { ContentStore } from './content.types.ts';

export interface ClientContent {
  take: ContentStore['take'];
  find(digest: string, options: { node?: string; size?: number; signal: AbortSignal }): Promise<{ path: string; size: number } | undefined>;
}

export function contentForClients(content: ContentStore, members: Pick<Members, 'byNode'>): ClientContent {
  return {
    take: (source, options) => content.take(source, options),
    async find(digest, { node, ...how }) {
      const path = (await content.path(digest)) ?? (node === undefined ? undefined : await fetchFrom(node, digest, how));
      const size = content.size(digest);
      return path === undefined || size === undefined ? undefined : { path, size };
    },
  };

  function fetchFrom(node: string, digest: string, how: { size?: number; signal: AbortSignal }): Promise<string> {
    const from = members.byNode(node);
    if (from === undefined)
      throw new DtkdError('CONTENT_MISSING', `content ${digest.slice(0, 12)}… is not here, and ${node} is not a member`);
    return content.fetch(digest, { ...how, from });
  }
}
