import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join as joinPath } from 'node:path';
import { z } from 'zod';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import { waitFor } from '../test/wait.ts';
import type { Benchmark, Context, Figure } from './benchmark.types.ts';
import { startSites } from './many-sites.ts';
import { loadResources } from './resources.ts';
import { spread } from './stats.ts';

const DOMAIN = 'bench';
const PAGE = 100;
const PAGE_LIMIT_MS = 150;
/**
 * A further walk through all rows may reach so much more memory than the one before: what a process of Node breathes. Counted is memory that is
 * the process's own; pages of database files that it maps are the kernel's to take back. Megabytes.
 */
const FLAT_MB = 48;
/** Rows in one page of the walk. */
const WALK_PAGE = 1_000;
/** After loading, so that what it stirred up does not count. Milliseconds. */
const SETTLE_MS = 10_000;

const list = z.looseObject({
  items: z.array(z.unknown()),
  metadata: z.looseObject({
    continue: z.string().optional(),
    completeness: z.array(z.looseObject({ node: z.string(), state: z.string(), reason: z.string().optional() })),
  }),
});

/** One user of one site, who asks over a connection that stays open. */
class Asker {
  readonly #site: Site;
  readonly #token: string;
  readonly #agent: Agent;

  private constructor(site: Site, token: string, agent: Agent) {
    this.#site = site;
    this.#token = token;
    this.#agent = agent;
  }

  static async make(site: Site, name: string): Promise<Asker> {
    await site.create({ apiVersion: 'dtkd.dev/v1', kind: 'User', metadata: { name } });
    const made = await site.call(site.path('user', name, { sub: 'token' }), { method: 'POST', body: {} });
    const ca = await readFile(joinPath(site.dir, 'ca.crt'), 'utf8');
    return new Asker(site, z.looseObject({ token: z.string() }).parse(made).token, new Agent({ ca, keepAlive: true, maxSockets: 1 }));
  }

  async page(query: string): Promise<z.infer<typeof list>> {
    const url = new URL(`${this.#site.apiUrl}${this.#site.path('resource', undefined, { all: true })}?${query}`);
    const text = await new Promise<string>((resolve, reject) => {
      const sent = request(url, { agent: this.#agent, headers: { authorization: `Bearer ${this.#token}` } }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part)).on('error', reject);
        answer.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
      });
      sent.once('error', reject);
      sent.end();
    });
    return list.parse(JSON.parse(text));
  }

  /** Milliseconds of each of so many first pages. */
  async firstPages(rounds: number, rows: number): Promise<number[]> {
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const began = performance.now();
      const { items } = await this.page(`limit=${PAGE}`);
      times.push(performance.now() - began);
      if (items.length !== rows) throw new Error(`${items.length} rows in a first page of ${rows}`);
    }
    return times;
  }

  /** Walks all rows; tells how the daemon's memory went, in megabytes. */
  async walk(): Promise<{ rows: number; seconds: number; memory: number[] }> {
    const began = performance.now();
    const memory: number[] = [];
    let rows = 0;
    let next = '';
    for (let page = 0; ; page += 1) {
      const { items, metadata } = await this.page(`limit=${WALK_PAGE}&continue=${encodeURIComponent(next)}`);
      rows += items.length;
      if (page % 4 === 0) memory.push(await ownMemory(this.#site));
      if (metadata.continue === undefined) return { rows, seconds: (performance.now() - began) / 1000, memory };
      next = metadata.continue;
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Memory of a daemon that is its own, in megabytes. */
async function ownMemory(site: Site): Promise<number> {
  const status = await readFile(`/proc/${site.child.pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1e3;
}

async function grant(site: Site, to: string): Promise<void> {
  const [name = '', home = ''] = to.split('@');
  await waitFor(async () => (await site.get('user', name, home)) !== undefined, { what: `${site.name} to know ${to}`, timeoutMs: 60_000 });
  const spec = { to, verbs: ['READ'], on: { kind: 'resources.dtkd.dev' } };
  await site.create({ apiVersion: 'dtkd.dev/v1', kind: 'Capability', metadata: { name: 'bench' }, spec });
}

/** The first page of a list over many daemons, and the walk through all of it. */
export const benchmark: Benchmark = {
  name: 'federated',
  title: 'Lists over 32 daemons with 5,000 resources each',
  needs: [],

  async run({ quick, say }: Context): Promise<Figure[]> {
    const count = quick ? 6 : 32;
    const each = quick ? 1_000 : 5_000;
    const rounds = quick ? 20 : 100;
    const stage = await Stage.open();
    let asker: Asker | undefined;
    try {
      const sites = await startSites(stage, DOMAIN, count, say);
      const last = sites.at(-1);
      const [first, second] = sites;
      if (last === undefined || first === undefined || second === undefined) throw new Error('no sites');
      // the last in the order of nodes: its own rows are not in the first page
      asker = await Asker.make(last, 'ops');
      say(`loading ${each} resources into each`);
      for (const site of sites) {
        await loadResources(site, each);
        await grant(site, `ops@${last.name}`);
      }
      await new Promise((resolve) => setTimeout(resolve, quick ? 1_000 : SETTLE_MS));
      const limit = (samples: number[]) => ({ text: `at most ${PAGE_LIMIT_MS} ms`, met: spread(samples).median <= PAGE_LIMIT_MS });
      const figure = (metric: string, samples: number[], notes: string[] = []): Figure => {
        const dtkd = spread(samples);
        return { metric, unit: 'ms', dtkd, ratio: dtkd.median / PAGE_LIMIT_MS, limit: limit(samples), notes };
      };
      await asker.firstPages(5, PAGE);
      const pages = await asker.firstPages(rounds, PAGE);
      say('walking all rows, three times');
      const walks = [await asker.walk(), await asker.walk(), await asker.walk()];
      const peaks = walks.map(({ memory }) => Math.max(...memory));
      const [, before = Number.NaN, after = Number.NaN] = peaks;
      const lacking = walks.find(({ rows }) => rows !== count * each);
      const walked = walks.map(({ rows, seconds }) => `${rows} rows in ${seconds.toFixed(1)} s`).join(', ');
      say('killing the first');
      await first.kill9();
      await waitFor(async () => (await asker?.page(`limit=${PAGE}`))?.metadata.completeness.some(({ node }) => node === first.name), {
        what: 'the first to be stated',
        timeoutMs: 30_000,
      });
      const withoutFirst = await asker.firstPages(rounds, PAGE);
      return [
        figure(`first page of ${PAGE} rows over ${count} daemons`, pages),
        figure('the same, with the first daemon dead', withoutFirst),
        {
          metric: `growth of memory from one walk through ${count * each} rows to the next`,
          unit: 'MB',
          dtkd: spread([after - before]),
          limit: { text: `flat: at most ${FLAT_MB} MB, and every row`, met: after - before <= FLAT_MB && lacking === undefined },
          notes: [
            `at most ${peaks.map((peak) => peak.toFixed(0)).join(', ')} MB in each; ${walked}; RSS ${((await last.rss()) / 1e6).toFixed(0)} MB`,
          ],
        },
      ];
    } finally {
      asker?.close();
      await stage.close();
    }
  },
};
