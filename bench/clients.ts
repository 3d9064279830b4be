import { missing } from '../test/harness/programs.ts';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import { addUser, grant } from '../test/harness/user.ts';
import type { Benchmark, Context, Figure } from './benchmark.types.ts';
import { measureGets } from './kubectl-gets.ts';
import { measureReads } from './raw-reads.ts';
import { loadResources, resourceName } from './resources.ts';
import { spread } from './stats.ts';
import { Watchers } from './watchers.ts';

const OBJECTS = 1_000;
const WATCHERS = 100;
const WATCH_LIMIT_MS = 50;

/** A change to many watches of the operator and of two users, who see objects through their own grants. */
async function measureWatches(site: Site, { quick, say }: Context): Promise<Figure[]> {
  const users = await Promise.all(['ann', 'bob'].map((name) => addUser(site, name)));
  for (const user of users) await grant(site, user, ['READ'], { kind: 'resources.dtkd.dev' });
  const changes = quick ? 25 : 200;
  say(`watches of the operator, ${changes} changes`);
  const ofOperator = await deliver(site, 'of the operator', [site.token], changes);
  say(`watches of two users, ${changes} changes`);
  const tokens = users.map(({ token }) => token);
  return [...ofOperator, ...(await deliver(site, 'of two users', tokens, changes))];
}

async function deliver(site: Site, who: string, tokens: readonly string[], changes: number): Promise<Figure[]> {
  const askers = Array.from({ length: WATCHERS }, (_, index) => tokens[index % tokens.length] ?? '');
  const watchers = await Watchers.open({ site, path: site.path('resource'), tokens: askers });
  try {
    const medians: number[] = [];
    const lasts: number[] = [];
    for (let index = -Math.ceil(changes / 5); index < changes; index += 1) {
      const { median, most } = spread(await watchers.change(resourceName(0), `change ${index} ${who}`));
      // those before are to warm up
      if (index < 0) continue;
      medians.push(median);
      lasts.push(most);
    }
    const figure = (metric: string, samples: number[]): Figure => {
      const dtkd = spread(samples);
      const ratio = dtkd.median / WATCH_LIMIT_MS;
      return { metric, unit: 'ms', dtkd, ratio, limit: { text: `at most ${WATCH_LIMIT_MS} ms in the median`, met: ratio <= 1 } };
    };
    return [
      figure(`from a write to its line at ${WATCHERS} watches ${who}: the median of the watches`, medians),
      figure(`from a write to its line at ${WATCHERS} watches ${who}: the last of the watches`, lasts),
    ];
  } finally {
    watchers.close();
  }
}

/** What clients of Kubernetes wait for. */
export const benchmark: Benchmark = {
  name: 'clients',
  title: 'kubectl, watches and reads, against servers that only say the same bytes',
  needs: ['kubectl', 'wrk'],

  async run(context: Context): Promise<Figure[]> {
    const stage = await Stage.open();
    try {
      const site = await stage.start({ name: 'clients' });
      await loadResources(site, OBJECTS);
      return [
        ...(missing(['kubectl']) === undefined ? await measureGets(stage, site, OBJECTS, context) : []),
        ...(await measureWatches(site, context)),
        ...(missing(['wrk']) === undefined ? await measureReads(stage, site, context) : []),
      ];
    } finally {
      await stage.close();
    }
  },
};
