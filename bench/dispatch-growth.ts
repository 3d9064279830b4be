import { executionSchema } from '../protocol/kinds/execution.ts';
import type { Benchmark, Context, Figure } from './benchmark.types.ts';
import { type InProcess, startInProcess, USER } from './in-process-nodes.ts';
import { spread } from './stats.ts';

/** Milliseconds in which 19 of 20 targets of a thousand have ended. */
const LIMIT_MS = 5_000;
const ROUNDS = 5;

interface Round {
  /** Until each target had ended, from the request on, sorted. Milliseconds. */
  targets: number[];
  /** Until all had ended and it was stored. */
  whole: number;
}

/** How long a dispatch takes as the number of its targets grows: planning, orders, journals, answers; without processes and network. */
export const benchmark: Benchmark = {
  name: 'dispatch-growth',
  title: 'A dispatch to 50, 200 and 1,000 targets in one process, over streams in memory',
  needs: [],

  async run({ quick, say }: Context): Promise<Figure[]> {
    const figures: Figure[] = [];
    const counts = quick ? [50] : [50, 200, 1_000];
    for (const count of counts) {
      say(`${count} targets`);
      const nodes = await startInProcess(count);
      try {
        await dispatchTo(nodes, count);
        const rounds: Round[] = [];
        for (let at = 0; at < (quick ? 2 : ROUNDS); at += 1) rounds.push(await dispatchTo(nodes, count));
        figures.push(...figuresOf(count, rounds));
      } finally {
        await nodes.close();
      }
    }
    return figures;
  },
};

function figuresOf(count: number, rounds: readonly Round[]): Figure[] {
  const slow = spread(rounds.map(({ targets }) => percentile(targets, 0.95)));
  const limited = count === 1_000;
  return [
    {
      metric: `${count} targets: the 95th percentile has ended`,
      unit: 'ms',
      dtkd: slow,
      ...(limited ? { ratio: slow.median / LIMIT_MS, limit: { text: `≤ ${LIMIT_MS} ms`, met: slow.median <= LIMIT_MS } } : {}),
      beside: [{ name: 'half of them', value: spread(rounds.map(({ targets }) => percentile(targets, 0.5))) }],
    },
    {
      metric: `${count} targets: all have ended, and it is stored`,
      unit: 'ms',
      dtkd: spread(rounds.map(({ whole }) => whole)),
      beside: [{ name: 'for each target', value: spread(rounds.map(({ whole }) => whole / count)) }],
    },
  ];
}

async function dispatchTo({ executions }: InProcess, count: number): Promise<Round> {
  const began = performance.now();
  const object = await executions.dispatch(USER, {
    exec: { argv: ['/bin/true'] },
    filter: { include: ['tags=web'] },
    threads: count,
    keepGoing: true,
  });
  const targets: number[] = [];
  for await (const line of await executions.follow(USER, object.metadata.name, { signal: AbortSignal.timeout(120_000) })) {
    if (line.part?.state === 'ended') targets.push(performance.now() - began);
    if (line.part?.state === 'ended' && line.part.outcome !== 'succeeded')
      throw new Error(`${line.part.node}: ${line.part.outcome} ${line.part.reason}`);
    if (line.execution !== undefined) executionSchema.parse(line.execution);
  }
  const whole = performance.now() - began;
  if (targets.length !== count) throw new Error(`${targets.length} of ${count} targets have ended`);
  return { targets: targets.sort((a, b) => a - b), whole };
}

function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.ceil(sorted.length * part) - 1] ?? Number.NaN;
}
