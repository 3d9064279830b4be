import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { createContent } from '../../../daemon/src/dispatch/content/content.ts';
import type { ContentOptions, ContentStore } from '../../../daemon/src/dispatch/content/content.types.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { domainId, FakeNetwork, keyOf } from '../fake-members.ts';

const site = domainId('site');

/** Where to ask a node. */
export const at = (node: string) => ({ domain: site, key: keyOf(node, site) });

/** The bytes in parts of `size`. */
export async function* chunks(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** Content stores of nodes that reach one another over a network that can be cut, with one clock. */
export class ContentWorld {
  directory = '';
  network = new FakeNetwork();
  time = 1_000_000;
  readonly #running: ContentStore[] = [];

  async open(): Promise<void> {
    this.directory = await mkdtemp(join(tmpdir(), 'dtkd-content-'));
    this.network = new FakeNetwork();
    this.time = 1_000_000;
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((content) => content.stop()));
    await rm(this.directory, { recursive: true, force: true });
  }

  /** A node that runs. */
  async node(name: string, options: Partial<ContentOptions> = {}): Promise<ContentStore> {
    const content = createContent({
      directory: join(this.directory, name),
      members: this.network.node(name),
      rows: memoryKv(),
      logger: silentLogger,
      now: () => this.time,
      restMs: 5,
      ...options,
    });
    await content.start();
    this.#running.push(content);
    return content;
  }
}

/** A world for each test of the file. */
export function useContentWorld(): ContentWorld {
  const world = new ContentWorld();
  beforeEach(() => world.open());
  afterEach(() => world.close());
  return world;
}
