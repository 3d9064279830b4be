import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join as joinPath } from 'node:path';
import { appDocument } from '../test/harness/domain.ts';
import { missing } from '../test/harness/programs.ts';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import { waitFor } from '../test/wait.ts';
import type { Benchmark, Context, Figure } from './benchmark.types.ts';
import { startSites } from './many-sites.ts';
import { SerfCluster } from './peers/serf.ts';
import { spread } from './stats.ts';

const DOMAIN = 'bench';
const ROUND_TIMEOUT_MS = 30_000;
/** Between two measurements, so that what the one still does does not count against the other, in milliseconds. */
const REST_MS = 250;
/** Both sides rest so long before the first round, in milliseconds: what joining stirred up has settled then. */
const SETTLE_MS = 15_000;

/** A watch of dtApps at one site, open all the time: tells of each app when the site shows it. */
class AppWatch {
  readonly seen = new Map<string, number>();
  readonly #close: () => void;

  private constructor(close: () => void) {
    this.#close = close;
  }

  static async open(site: Site): Promise<AppWatch> {
    const ca = await readFile(joinPath(site.dir, 'ca.crt'), 'utf8');
    const url = new URL(`${site.apiUrl}${site.path('dtapp')}?watch=true`);
    const sent = request(url, { ca, headers: { authorization: `Bearer ${site.token}` }, agent: false });
    const watch = new AppWatch(() => sent.destroy());
    await new Promise<void>((resolve, reject) => {
      sent.once('error', reject);
      sent.once('response', (response) => {
        sent.on('error', () => undefined);
        let rest = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          const now = performance.now();
          const lines = (rest + text).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) {
            const name = /"dtkd\.dev\/app":"([^"]+)"/.exec(line)?.[1] ?? /"metadata":\{[^{}]*?"name":"(round-[^"]+)"/.exec(line)?.[1];
            if (name !== undefined && !watch.seen.has(name)) watch.seen.set(name, now);
          }
        });
        response.on('error', () => undefined);
        resolve();
      });
      sent.end();
    });
    return watch;
  }

  close(): void {
    this.#close();
  }
}

/** From creating a dtApp on one of fifty daemons until all fifty show it, against a user event of serf to fifty agents. */
export const benchmark: Benchmark = {
  name: 'fifty',
  title: 'A new dtApp until it is visible on 50 daemons, against a user event to 50 serf agents',
  needs: ['serf'],

  async run({ quick, say }: Context): Promise<Figure[]> {
    const count = quick ? 8 : 50;
    const rounds = quick ? 3 : 20;
    const stage = await Stage.open();
    let serf: SerfCluster | undefined;
    const watches: AppWatch[] = [];
    try {
      const sites = await startSites(stage, DOMAIN, count, say);
      for (const site of sites) watches.push(await AppWatch.open(site));
      const first = sites[0];
      if (first === undefined) throw new Error('no sites');
      const withSerf = missing(this.needs) === undefined;
      if (withSerf) serf = await SerfCluster.start(count);
      say('settling');
      await settle(sites);
      const medians: number[] = [];
      const lasts: number[] = [];
      const serfMedians: number[] = [];
      const serfLasts: number[] = [];
      let reached = 0;
      let serfReached = 0;
      for (let round = 1; round <= rounds; round += 1) {
        const name = `round-${round}`;
        const began = performance.now();
        await first.create(appDocument(name, [DOMAIN]));
        await waitFor(() => watches.every((watch) => watch.seen.has(name)), { what: 'all', timeoutMs: ROUND_TIMEOUT_MS, pollMs: 10 }).catch(
          () => undefined,
        );
        const times = watches.flatMap((watch) => {
          const at = watch.seen.get(name);
          return at === undefined ? [] : [at - began];
        });
        reached += times.length === count ? 1 : 0;
        medians.push(spread(times).median);
        lasts.push(spread(times).most);
        await rest(REST_MS);
        if (serf === undefined) continue;
        const theirs = await serf.event(`round-${round};`, ROUND_TIMEOUT_MS / 3);
        serfReached += theirs.length === count ? 1 : 0;
        serfMedians.push(spread(theirs).median);
        serfLasts.push(spread(theirs).most);
        await rest(REST_MS);
      }
      const notes = [`all ${count} in ${reached} of ${rounds} rounds${serf === undefined ? '' : `; serf in ${serfReached}`}`];
      const figure = (metric: string, ours: number[], theirs: number[]): Figure => {
        const dtkd = spread(ours);
        if (serf === undefined) return { metric, unit: 'ms', dtkd, notes };
        const peer = spread(theirs);
        return {
          metric,
          unit: 'ms',
          dtkd,
          peer: { name: 'serf user event', value: peer },
          ratio: dtkd.median / peer.median,
          limit: { text: 'sooner than serf, and on all in every round', met: dtkd.median < peer.median && reached === rounds },
          notes,
        };
      };
      return [
        figure(`until half of ${count} show it`, medians, serfMedians),
        figure(`until the last of ${count} shows it`, lasts, serfLasts),
      ];
    } finally {
      for (const watch of watches) watch.close();
      await serf?.close();
      await stage.close();
    }
  },
};

/** Settled: an app made now is everywhere, and a rest after that. A benchmark may wait for a duration, a test may not. */
async function settle(sites: readonly Site[]): Promise<void> {
  await sites[0]?.create(appDocument('warm-up', [DOMAIN]));
  for (const site of sites) {
    await waitFor(async () => (await site.list('dtapps')).length >= 1, {
      what: `${site.name} to show an app`,
      timeoutMs: 120_000,
      pollMs: 500,
    });
  }
  await rest(SETTLE_MS);
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
