/**
 * Endpoints that need no token, for monitoring: whether the daemon is up, and whether it is ready. They have the form that
 * Kubernetes uses, with `?verbose` and `?exclude=CHECK`. Everybody sees the names of checks; why one fails is only in the log and
 * in `dtkd doctor`.
 */
import type { HealthCheck } from '../api.types.ts';
import type { AddRoute } from '../reception/reception.ts';
import { type Api, type ApiContext, answerJson, flag } from '../request/request.ts';

/** The Kubernetes version whose behaviour clients may expect. */
const KUBERNETES = { major: '1', minor: '32' };

/** Succeeds if the daemon answers at all. */
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
