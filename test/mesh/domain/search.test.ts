import { beforeEach, describe, expect, it } from 'vitest';
import { Search, type SearchPorts } from '../../../daemon/src/mesh/domain/search.ts';
import { silentLogger } from '../../silent-logger.ts';
import { waitFor } from '../../wait.ts';

describe('the search for members that are missed', () => {
  let done: string[];
  let isMissed: boolean;
  /** What becomes of a beginning. */
  let start: () => Promise<void>;
  let search: Search;

  beforeEach(() => {
    done = [];
    isMissed = true;
    start = async () => {};
    const host = {
      startDiscovery: async () => {
        done.push('begin');
        await start();
        done.push('begun');
      },
      stopDiscovery: async () => void done.push('end'),
    };
    search = new Search({
      host,
      peers: { connected: () => [] },
      logger: silentLogger,
      mdns: true,
      members: () => new Map(),
      misses: () => isMissed,
    } as unknown as SearchPorts);
  });

  it('ends only what has begun, however long that took', async () => {
    const begun = Promise.withResolvers<void>();
    start = () => begun.promise;
    search.check();
    await waitFor(() => done.length === 1, { what: 'it to begin' });
    isMissed = false;
    search.check();
    begun.resolve();
    await waitFor(() => done.includes('end'), { what: 'it to end' });
    expect(done).toEqual(['begin', 'begun', 'end']);
  });

  it('begins again after it failed, as long as somebody is missed', async () => {
    start = () => Promise.reject(new Error('no network yet'));
    search.check();
    await waitFor(() => done.includes('begin'), { what: 'it to fail' });
    start = async () => {};
    await waitFor(
      () => {
        search.check();
        return done.includes('begun');
      },
      { what: 'it to begin again' },
    );
    expect(done).toEqual(['begin', 'end', 'begin', 'begun']);
  });
});
