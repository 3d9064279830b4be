/**
 * `npm run bench [-- NAME… --quick --json]`: runs dtkd and what people would use instead, one after the other in one run, and prints medians,
 * spread, ratio and the limit. Installs nothing: where a peer program is missing it says so. Exit status 1 if a limit was not kept.
 */
import { parseArgs } from 'node:util';
import { missing } from '../test/harness/programs.ts';
import type { Benchmark, Figure } from './benchmark.types.ts';
import { describeFigure, machine } from './report.ts';

const ALL: Record<string, () => Promise<{ benchmark: Benchmark }>> = {
  tunnel: () => import('./tunnel.ts'),
  http: () => import('./http.ts'),
  fifty: () => import('./fifty.ts'),
  start: () => import('./start.ts'),
  growth: () => import('./growth.ts'),
  federated: () => import('./federated.ts'),
  etcd: () => import('./etcd.ts'),
  dispatch: () => import('./dispatch.ts'),
  'dispatch-growth': () => import('./dispatch-growth.ts'),
  clients: () => import('./clients.ts'),
  services: () => import('./services.ts'),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const say = (text: string): void => console.error(values.json ? `# ${text}` : text);

const unknown = positionals.filter((name) => !Object.hasOwn(ALL, name));
if (unknown.length > 0) {
  console.error(`error: there is no benchmark ${unknown.join(', ')}\nnext: choose from ${Object.keys(ALL).join(', ')}`);
  process.exit(2);
}

const chosen = positionals.length > 0 ? positionals : Object.keys(ALL);
const results: { name: string; title: string; missing?: string; failed?: string; figures: Figure[] }[] = [];
for (const name of chosen) {
  const load = ALL[name];
  if (load === undefined) continue;
  const { benchmark } = await load();
  const lacks = missing(benchmark.needs);
  say(`\n${benchmark.title}`);
  if (lacks !== undefined) say(`  the peer ${lacks}, which is not installed: dtkd is measured alone`);
  try {
    const figures = await benchmark.run({ quick: values.quick, say: (text) => say(`  … ${text}`) });
    results.push({ name, title: benchmark.title, ...(lacks === undefined ? {} : { missing: lacks }), figures });
    if (!values.json) for (const figure of figures) console.log(describeFigure(figure));
  } catch (error) {
    const failed = error instanceof Error ? error.message : String(error);
    results.push({ name, title: benchmark.title, failed, figures: [] });
    say(`  FAILED: ${failed}`);
  }
}
if (values.json) console.log(JSON.stringify({ machine: machine(), quick: values.quick, results }, null, 2));
const bad = results.some((result) => result.failed !== undefined || result.figures.some((figure) => figure.limit?.met === false));
process.exitCode = bad ? 1 : 0;
