import { describe, expect, it } from 'vitest';
import { expose, formDomain, uriOf } from '../harness/domain.ts';
import { drain } from '../harness/http.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';

const stage = useStage();
const MIB = 1024 * 1024;
/** The promise: with a body ten times as large, no daemon needs more memory than this. */
const ALLOWED = 32 * MIB;
const SAMPLE_MS = 100;

describe('a large download', () => {
  it('of 1 GiB takes at most 32 MiB more memory on any daemon than one of 100 MiB', async () => {
    const sites = (await stage.current.startAll('owner', 'user', 'bystander')) as [Site, Site, Site];
    const [owner, user] = sites;
    await formDomain('bulk', sites);
    const origin = await stage.current.origin();
    await expose(owner, 'files', origin, 'bulk');
    const uri = await uriOf(user, 'files', owner);

    const peaks = async (mebibytes: number): Promise<number[]> => {
      const most = sites.map(() => 0);
      const sample = async (): Promise<void> => {
        for (const [index, site] of sites.entries()) most[index] = Math.max(most[index] ?? 0, await site.rss());
      };
      const sampling = setInterval(() => void sample(), SAMPLE_MS);
      try {
        const response = await user.openUri(uri, { path: `/bytes?n=${mebibytes * MIB}` });
        expect(await drain(response)).toBe(mebibytes * MIB);
        await sample();
      } finally {
        clearInterval(sampling);
      }
      return most;
    };

    await peaks(20);
    const small = await peaks(100);
    const large = await peaks(1024);
    for (const [index, site] of sites.entries()) {
      const more = (large[index] ?? 0) - (small[index] ?? 0);
      console.log(
        `${site.name}: ${Math.round((small[index] ?? 0) / MIB)} MiB at 100 MiB, ${Math.round((large[index] ?? 0) / MIB)} MiB at 1 GiB`,
      );
      expect(more, `${site.name} took more`).toBeLessThanOrEqual(ALLOWED);
    }
  });
});
