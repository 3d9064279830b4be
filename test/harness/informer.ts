/**
 * Follows a list as client libraries do: keeps each object that was ADDED or MODIFIED until it is DELETED, and remembers what was said.
 */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { waitFor } from '../wait.ts';
import type { ListOptions, SiteUser } from './user.ts';

const line = z.object({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.custom<ApiObject>((value) => z.looseObject({ metadata: z.looseObject({}).optional() }).safeParse(value).success),
});

export class Informer {
  /** By `node/name`. */
  readonly cache = new Map<string, ApiObject>();
  /** `ADDED node/name` and so on, in order, without bookmarks. */
  readonly events: string[] = [];
  readonly #response: IncomingMessage;
  #ended = false;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    let rest = '';
    response
      .on('error', () => undefined)
      .on('close', () => {
        this.#ended = true;
      });
    response.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const each of lines) if (each !== '') this.#take(line.parse(JSON.parse(each)));
    });
  }

  /** Follows from the present state. */
  static async open(user: SiteUser, kind: string, { query = {}, ...where }: ListOptions = {}): Promise<Informer> {
    const search = new URLSearchParams({ ...query, watch: 'true', allowWatchBookmarks: 'true' });
    return new Informer(await user.stream(`${user.site.path(kind, undefined, where)}?${search.toString()}`));
  }

  get ended(): boolean {
    return this.#ended;
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    await waitFor(condition, { what: `the watch to show ${what}; it said ${this.events.join(', ')}` });
  }

  close(): void {
    this.#response.destroy();
  }

  #take({ type, object }: z.infer<typeof line>): void {
    if (type === 'BOOKMARK') return;
    const key = `${object.metadata?.namespace}/${object.metadata?.name}`;
    this.events.push(`${type} ${key}`);
    if (type === 'ADDED' || type === 'MODIFIED') this.cache.set(key, object);
    else if (type === 'DELETED') this.cache.delete(key);
  }
}
