import { run } from '../test/harness/child.ts';
import { expose, formDomain, uriOf } from '../test/harness/domain.ts';
import { findProgram, missing } from '../test/harness/programs.ts';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import type { Benchmark, Context, Figure, Spread } from './benchmark.types.ts';
import { haproxyPair } from './peers/haproxy.ts';
import { spread } from './stats.ts';

/** The limit that was set, and the aim beyond it. */
const LIMIT = 0.4;

interface Load {
  rate: number;
  /** Milliseconds. */
  p99: number;
  errors: number;
}

const UNITS: Record<string, number> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

async function load(port: number, seconds: number, host?: string): Promise<Load> {
  const { stdout, stderr, code } = await run({
    command: findProgram('wrk') ?? 'wrk',
    args: [
      '-t1',
      '-c32',
      `-d${seconds}s`,
      '--latency',
      ...(host === undefined ? [] : ['-H', `Host: ${host}`]),
      `http://127.0.0.1:${port}/kib`,
    ],
  });
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
  const p99 = /99%\s+([\d.]+)(us|ms|s|m)/.exec(stdout);
  if (code !== 0 || !Number.isFinite(rate)) throw new Error(`wrk: ${stdout}${stderr}`);
  const non2xx = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1).map(Number) ?? [];
  return { rate, p99: Number(p99?.[1]) * (UNITS[p99?.[2] ?? 'ms'] ?? 1), errors: non2xx + socket.reduce((sum, each) => sum + each, 0) };
}

/** Requests a second for a body of 1 KiB: through the ingress, through two haproxies with TLS between them, and direct. */
export const benchmark: Benchmark = {
  name: 'http',
  title: 'HTTP through the ingress, against haproxy → TLS → haproxy (wrk -t1 -c32, body of 1 KiB)',
  needs: ['wrk', 'haproxy'],

  async run({ quick, say }: Context): Promise<Figure[]> {
    if (missing(['wrk']) !== undefined) throw new Error('nothing to measure with: wrk is not installed');
    const seconds = quick ? 2 : 10;
    const rounds = quick ? 1 : 5;
    const stage = await Stage.open();
    let pair: Awaited<ReturnType<typeof haproxyPair>> | undefined;
    try {
      const origin = await stage.origin();
      const sites = (await stage.startAll('owner', 'user')) as [Site, Site];
      const [owner, user] = sites;
      await formDomain('bench', sites);
      await expose(owner, 'web', origin, 'bench');
      const host = new URL(await uriOf(user, 'web', owner)).host;
      const ingress = await user.ingress();
      if (!('port' in ingress)) throw new Error('a loopback site');
      if (missing(['haproxy']) === undefined) pair = await haproxyPair(stage.directory, origin.port, owner);
      const runs: { dtkd: Load[]; haproxy: Load[]; direct: Load[] } = { dtkd: [], haproxy: [], direct: [] };
      say('warming up');
      await load(ingress.port, 2, host);
      for (let round = 1; round <= rounds; round += 1) {
        say(`round ${round} of ${rounds}`);
        runs.dtkd.push(await load(ingress.port, seconds, host));
        if (pair !== undefined) runs.haproxy.push(await load(pair.port, seconds));
        runs.direct.push(await load(origin.port, seconds));
      }
      const figure = (metric: string, unit: string, of: (each: Load) => number): Figure => {
        const value = (list: Load[]): Spread => spread(list.map(of));
        const beside = [{ name: 'direct', value: value(runs.direct) }];
        if (pair === undefined) return { metric, unit, dtkd: value(runs.dtkd), beside };
        const peer = value(runs.haproxy);
        return {
          metric,
          unit,
          dtkd: value(runs.dtkd),
          peer: { name: 'haproxy pair', value: peer },
          beside,
          ratio: value(runs.dtkd).median / peer.median,
        };
      };
      const rate = figure('requests a second', 'requests/s', (each) => each.rate);
      const errors = [...runs.dtkd, ...runs.haproxy].reduce((sum, each) => sum + each.errors, 0);
      return [
        {
          ...rate,
          ...(rate.ratio === undefined
            ? {}
            : { limit: { text: `at least ${LIMIT} x the haproxy pair (the aim is 1.0)`, met: rate.ratio >= LIMIT } }),
          notes: [`${seconds} s a run, interleaved; ${errors} requests failed; all processes share the machine's cores`],
        },
        figure('99th percentile of the latency', 'ms', (each) => each.p99),
      ];
    } finally {
      await pair?.close().catch(() => undefined);
      await stage.close();
    }
  },
};
