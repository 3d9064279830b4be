import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../test/harness/child.ts';
import { fetchText } from '../test/harness/http.ts';
import { findProgram } from '../test/harness/programs.ts';
import type { Site } from '../test/harness/site.ts';
import type { Stage } from '../test/harness/stage.ts';
import type { Context, Figure } from './benchmark.types.ts';
import { startRecorder } from './peers/recorder.ts';
import { startReplay } from './peers/replay.ts';
import { resourceName } from './resources.ts';
import { sideBySide } from './side-by-side.ts';

const LIMIT = 0.5;
const PAGE = 100;
const CONNECTIONS = 32;

/** Reads a second over connections that stay open: of a daemon, and of a bare handler that has the bytes already. */
export async function measureReads(stage: Stage, site: Site, { quick, say }: Context): Promise<Figure[]> {
  const seconds = quick ? 2 : 8;
  const one = site.path('resource', resourceName(0));
  const page = `${site.path('resource')}?limit=${PAGE}`;
  const recorder = await startRecorder(site);
  const ca = await readFile(join(site.dir, 'ca.crt'), 'utf8');
  const { hostname: host, port } = new URL(recorder.url);
  for (const path of [one, page]) {
    const answer = await fetchText({ target: { host, port: Number(port) }, path, ca, headers: { authorization: `Bearer ${site.token}` } });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
  }
  await recorder.close();
  const replay = await startReplay(stage, site, 'hono', recorder.recorded());
  try {
    const pair = (metric: string, path: string) => ({
      metric,
      dtkd: () => wrk(`${site.apiUrl}${path}`, site.token, seconds),
      peer: () => wrk(`${replay.url}${path}`, site.token, seconds),
    });
    return await sideBySide({
      pairs: [pair('reads of one object', one), pair(`lists of ${PAGE} objects`, page)],
      rounds: quick ? 2 : 5,
      unit: 'requests/s',
      peerName: 'bare Hono, same bytes',
      limit: { text: `at least ${LIMIT} x a bare Hono handler`, isMet: (ratio) => ratio >= LIMIT },
      notes: [
        `wrk -t1 -c${CONNECTIONS} over HTTPS with the same certificate, ${seconds} s a run, interleaved; both share the cores with wrk`,
      ],
      say: (text) => say(`reading, ${text}`),
    });
  } finally {
    await replay.close();
  }
}

async function wrk(url: string, token: string, seconds: number): Promise<number> {
  const { stdout, stderr, code } = await run({
    command: findProgram('wrk') ?? 'wrk',
    args: ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-H', `Authorization: Bearer ${token}`, url],
  });
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
  if (code !== 0 || !Number.isFinite(rate) || /Non-2xx|Socket errors/.test(stdout))
    throw new Error(`wrk: ${stdout}${stderr}`.slice(-2_000));
  return rate;
}
