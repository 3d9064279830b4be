import { readdir, stat } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { appDocument, appsSeen, formDomain } from '../test/harness/domain.ts';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import { waitFor } from '../test/wait.ts';
import type { Benchmark, Context, Figure } from './benchmark.types.ts';
import { spread } from './stats.ts';

const DOMAIN = 'bench';
const WRITERS = 64;
const MB = 1e6;
const FACTOR = 3;
const FLOOR_MB = 32;
/** How long compaction may take to come to rest. */
const SETTLE_MS = 120_000;

async function bytesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  const sizes = await Promise.all(
    entries.map((entry) =>
      entry.isFile()
        ? stat(joinPath(entry.parentPath, entry.name)).then(
            (info) => info.size,
            () => 0,
          )
        : 0,
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Resolves when the size has not changed for a few checks, or the time is up. */
async function settledBytes(site: Site): Promise<number> {
  let last = -1;
  let same = 0;
  await waitFor(
    async () => {
      const now = await bytesBelow(joinPath(site.dir, 'db'));
      same = now === last ? same + 1 : 0;
      last = now;
      return same >= 5;
    },
    { what: 'the disk to come to rest', timeoutMs: SETTLE_MS, pollMs: 1_000 },
  ).catch(() => undefined);
  return last;
}

/** Disk of a daemon, and of a member that follows it, over 100,000 updates of shared objects through its API. */
export const benchmark: Benchmark = {
  name: 'growth',
  title: 'Disk growth over 100,000 updates of 1,000 shared objects',
  needs: [],

  async run({ quick, say }: Context): Promise<Figure[]> {
    const objects = quick ? 100 : 1_000;
    const updates = quick ? 2_000 : 100_000;
    const stage = await Stage.open();
    try {
      const sites = (await stage.startAll('author', 'follower')) as [Site, Site];
      const [author, follower] = sites;
      await formDomain(DOMAIN, sites);
      const each = async (total: number, act: (index: number) => Promise<unknown>): Promise<number> => {
        let next = 0;
        const began = performance.now();
        await Promise.all(
          Array.from({ length: WRITERS }, async () => {
            while (next < total) {
              const index = next;
              next += 1;
              await act(index);
              if ((index + 1) % 10_000 === 0)
                say(`${index + 1} done, disk ${Math.round((await bytesBelow(joinPath(author.dir, 'db'))) / MB)} MB`);
            }
          }),
        );
        return total / ((performance.now() - began) / 1000);
      };
      await each(objects, (index) => author.create(appDocument(`app-${index}`, [DOMAIN])));
      const rate = await each(updates, (index) =>
        author.call(author.path('dtapp', `app-${index % objects}`), {
          method: 'PATCH',
          contentType: 'application/merge-patch+json',
          body: { metadata: { annotations: { 'bench/update': String(index) } } },
        }),
      );
      say('waiting for the follower and for compaction');
      await waitFor(async () => (await appsSeen(follower)).length >= objects, {
        what: 'the follower to have all',
        timeoutMs: SETTLE_MS,
        pollMs: 1_000,
      });
      const live = Buffer.byteLength(JSON.stringify(await author.list('dtapps')));
      const limit = (FACTOR * live) / MB + FLOOR_MB;
      const figures: Figure[] = [];
      for (const site of sites) {
        const disk = spread([(await settledBytes(site)) / MB]);
        figures.push({
          metric: `disk of the ${site.name}`,
          unit: 'MB',
          dtkd: disk,
          ratio: disk.median / limit,
          limit: { text: `at most ${FACTOR} x the live state (${(live / MB).toFixed(2)} MB) + ${FLOOR_MB} MB`, met: disk.median <= limit },
        });
      }
      figures.push({ metric: `acknowledged updates a second, ${WRITERS} writers`, unit: 'updates/s', dtkd: spread([rate]) });
      return figures;
    } finally {
      await stage.close();
    }
  },
};
