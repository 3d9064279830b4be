/** The crash story, told by crash.test.ts in a few rounds and by crash.long.ts in a hundred. */
import { expect } from 'vitest';
import { appDocument, found } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { waitFor } from '../wait.ts';

/** Writers at once: enough that every kill meets a batch of several transactions. */
const WRITERS = 8;
/** Acknowledgements to wait for before the kill. */
const LEAST = 12;

/**
 * Kills the daemon in the middle of concurrent writes, `rounds` times. After each, the store opens and every acknowledged object is there,
 * created, changed or deleted as acknowledged last.
 */
export async function killDuringWrites(site: Site, rounds: number): Promise<void> {
  await found(site, 'crash');
  /** Name → the label acknowledged last, or undefined for deleted. Writes in flight are in `open`. */
  const acknowledged = new Map<string, string | undefined>();
  for (let round = 0; round < rounds; round += 1) {
    const open = new Set<string>();
    let stopping = false;
    let count = 0;
    const write = async (writer: number): Promise<void> => {
      for (let number = 0; !stopping; number += 1) {
        const name = `r${round}-w${writer}-n${number}`;
        open.add(name);
        try {
          await site.create(appDocument(name, ['crash']));
          acknowledged.set(name, '');
          if (number % 3 === 1) {
            await site.call(site.path('dtapp', name), {
              method: 'PATCH',
              contentType: 'application/merge-patch+json',
              body: { metadata: { labels: { round: String(round) } } },
            });
            acknowledged.set(name, String(round));
          } else if (number % 3 === 2) {
            await site.delete('dtapp', name);
            acknowledged.set(name, undefined);
          }
        } catch {
          // The daemon is gone: what this write did is unknown, so nothing is asked of it.
          return;
        }
        open.delete(name);
        count += 1;
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
    // A few more each round, so that the kill meets the log at ever other lengths.
    await waitFor(() => count >= LEAST + (round % 7), { what: `acknowledgements in round ${round}`, pollMs: 5 });
    const killed = site.kill9();
    stopping = true;
    await killed;
    await Promise.all(writers);
    await site.start();
    const stored = new Map((await site.list('dtapps')).map((app) => [app.metadata.name, app.metadata.labels?.['round'] ?? '']));
    for (const [name, label] of acknowledged) {
      if (open.has(name)) {
        acknowledged.delete(name);
        continue;
      }
      expect(stored.get(name), `${name} after round ${round}`).toBe(label);
    }
  }
}
