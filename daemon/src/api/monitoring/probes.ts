/**
 * What answers without a token: enough for those who watch over the daemon to know whether it is up, and whether it is ready. In the form that
 * Kubernetes has, with `?verbose` and `?exclude=CHECK`. Names of checks are told to everybody; why one fails is for the log and `dtkd doctor`.
 */
import type { HealthCheck } from '../api.types.ts';
import type { AddRoute } from '../reception/reception.ts';
import { type Api, type ApiContext, answerJson, flag } from '../request/request.ts';

/** The Kubernetes version whose behaviour clients may expect. */
const KUBERNETES = { major: '1', minor: '32' };

/** Answers at all. */
const PING: HealthCheck = { name: 'ping', failing: async () => undefined };

export function addProbes(api: Api, add: AddRoute): void {
  for (const name of ['healthz', 'livez']) add('GET', `/${name}`, (c) => probe(c, name, [PING]));
  add('GET', '/readyz', (c) => probe(c, 'readyz', [PING, ...(api.checks ?? [])]));
  add('GET', '/version', (c) =>
    answerJson(c, {
      ...KUBERNETES,
      gitVersion: `v${KUBERNETES.major}.${KUBERNETES.minor}.0+dtkd.${api.version}`,
      dtkdVersion: api.version,
      platform: `${process.platform}/${process.arch}`,
    }),
  );
}

async function probe(c: ApiContext, name: string, checks: readonly HealthCheck[]): Promise<Response> {
  const excluded = new Set(c.req.queries('exclude') ?? []);
  const asked = checks.filter((check) => !excluded.has(check.name));
  const states = await Promise.all(asked.map(async (check) => ({ name: check.name, failed: (await check.failing()) !== undefined })));
  const failed = states.some((state) => state.failed);
  if (!failed && !flag(c, 'verbose')) return c.text('ok');
  const lines = states.map((state) => (state.failed ? `[-]${state.name} failed: reason withheld` : `[+]${state.name} ok`));
  return c.text(`${[...lines, `${name} check ${failed ? 'failed' : 'passed'}`].join('\n')}\n`, failed ? 503 : 200);
}
