import { request } from 'node:https';
import { join } from 'node:path';
import { formDomain } from '../test/harness/domain.ts';
import { freePort } from '../test/harness/ports.ts';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import { waitFor } from '../test/wait.ts';
import type { Benchmark, Context, Figure } from './benchmark.types.ts';
import { publishedProgram } from './published.ts';
import { spread } from './stats.ts';

const START_LIMIT_MS = 1_200;
const RSS_LIMIT_MB = 150;

/** Asks /readyz once. The certificate is not checked: before the first start there is no authority to trust. */
function ready(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path: '/readyz', rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.once('error', () => resolve(false));
    sent.end();
  });
}

async function startTime(site: Site, port: number): Promise<number> {
  const began = performance.now();
  const child = await site.spawn();
  await waitFor(() => (child.running ? ready(port) : Promise.reject(new Error(child.tail()))), {
    what: '/readyz',
    timeoutMs: 60_000,
    pollMs: 5,
  });
  return performance.now() - began;
}

/** The time from spawn to /readyz, and the memory at rest, of the published program. */
export const benchmark: Benchmark = {
  name: 'start',
  title: 'Start-up and memory at rest',
  needs: [],

  async run({ quick, say }: Context): Promise<Figure[]> {
    const rounds = quick ? 3 : 10;
    // memory is given back by the second look at it at the earliest, which is after 20 s
    const idleMs = quick ? 30_000 : 60_000;
    const stage = await Stage.open();
    try {
      const program = await publishedProgram(join(stage.directory, 'published'));
      const measure = async (site: Site, port: number): Promise<number[]> => {
        const times: number[] = [];
        for (let round = 0; round < rounds; round += 1) {
          times.push(await startTime(site, port));
          await site.stop();
        }
        return times;
      };
      const port = await freePort();
      const alone = stage.site({ name: 'alone', program, api: `127.0.0.1:${port}` });
      say('first start');
      const first = await startTime(alone, port);
      await alone.stop();
      say(`${rounds} starts in no domain`);
      const inNone = await measure(alone, port);
      const memberPort = await freePort();
      const sites = await Promise.all([
        stage.start({ name: 'member', program, api: `127.0.0.1:${memberPort}` }),
        ...['second', 'third'].map((name) => stage.start({ name, program })),
      ]);
      await formDomain('bench', sites);
      const [member] = sites;
      if (member === undefined) throw new Error('no site');
      await member.stop();
      say(`${rounds} starts in a domain of three`);
      const inDomain = await measure(member, memberPort);
      await member.start();
      say(`idle for ${idleMs / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, idleMs));
      const memory = await Promise.all(sites.map(async (site) => (await site.rss()) / 1e6));
      const figure = (metric: string, unit: string, samples: number[], limit: number): Figure => {
        const dtkd = spread(samples);
        return { metric, unit, dtkd, ratio: dtkd.median / limit, limit: { text: `at most ${limit} ${unit}`, met: dtkd.median <= limit } };
      };
      return [
        {
          ...figure('spawn to /readyz, in no domain', 'ms', inNone, START_LIMIT_MS),
          notes: [`the very first start, which makes keys: ${Math.round(first)} ms`],
        },
        figure('spawn to /readyz, in a domain of three', 'ms', inDomain, START_LIMIT_MS),
        { ...figure(`memory (RSS) after ${idleMs / 1000} s at rest in a domain of three`, 'MB', memory, RSS_LIMIT_MB) },
      ];
    } finally {
      await stage.close();
    }
  },
};
