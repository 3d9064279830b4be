import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { run } from '../test/harness/child.ts';
import { missing } from '../test/harness/programs.ts';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import { modelDocument, resourceDocument, type SiteUser } from '../test/harness/user.ts';
import { waitFor } from '../test/wait.ts';
import type { Benchmark, Context, Figure } from './benchmark.types.ts';
import { settle, startSites, userEverywhere } from './many-sites.ts';
import { RemoteShells } from './peers/remote-shells.ts';
import { publishedProgram } from './published.ts';
import { spread } from './stats.ts';
import { timed } from './timed.ts';

const DOMAIN = 'bench';
const MODEL = 'bench';
const THREADS = 32;
/** How many times faster than pdsh, and than ansible with warm connections. */
const TIMES_FASTER = 10;
/** How much longer than starting the same processes here. */
const TIMES_LOCAL = 4;

interface Samples {
  cli: number[];
  api: number[];
  local: number[];
  pdsh: number[];
  clush: number[];
  ansible: number[];
  one: number[];
  ssh: number[];
}

/** `/bin/true` on fifty daemons through `dtkd ctl`, against pdsh, clush and ansible over a local sshd; and on one, against a cold ssh. */
export const benchmark: Benchmark = {
  name: 'dispatch',
  title: 'A command on 50 daemons through dtkd ctl -C 32, against pdsh, clush and ansible over ssh',
  needs: ['pdsh', 'clush', 'ansible', 'sshd', 'ssh', 'useradd'],

  async run({ quick, say }: Context): Promise<Figure[]> {
    const count = quick ? 8 : 50;
    const rounds = quick ? 2 : 7;
    const stage = await Stage.open();
    const withPeers = missing(this.needs, { root: true }) === undefined;
    let shells: RemoteShells | undefined;
    const agent = new Agent({ keepAlive: true });
    try {
      const program = await publishedProgram(join(stage.directory, 'published'));
      const sites = await startSites(stage, DOMAIN, count, say, { program });
      const ops = await prepare(sites, say);
      const [first] = sites;
      if (first === undefined) throw new Error('no sites');
      const ca = await readFile(join(first.dir, 'ca.crt'), 'utf8');
      if (withPeers) shells = await RemoteShells.start(stage.directory, count);
      await settle(say);
      const samples: Samples = { cli: [], api: [], local: [], pdsh: [], clush: [], ansible: [], one: [], ssh: [] };
      // what is installed when it is first needed, and connections that ansible keeps, are there from here on
      await everywhere(ops);
      await here(ops);
      await shells?.ansible();
      for (let round = 1; round <= rounds; round += 1) {
        say(`round ${round} of ${rounds}`);
        samples.cli.push(await everywhere(ops));
        samples.api.push(await throughApi(ops, ca, agent));
        samples.local.push(await locally(count));
        samples.one.push(await here(ops));
        if (shells === undefined) continue;
        samples.ssh.push(await shells.ssh());
        samples.pdsh.push(await shells.pdsh());
        samples.clush.push(await shells.clush());
        samples.ansible.push(await shells.ansible());
      }
      return figures(samples, count, shells !== undefined);
    } finally {
      agent.destroy();
      await shells?.close();
      await stage.close();
    }
  },
};

async function prepare(sites: readonly Site[], say: (text: string) => void): Promise<SiteUser> {
  const { home, ops } = await userEverywhere(sites, say);
  const script = { inline: '', interpreter: ['/bin/true'] };
  await home.create({
    apiVersion: 'dtkd.dev/v1',
    kind: 'Type',
    metadata: { name: 'nothing' },
    spec: { name: 'Nothing', extends: 'Service', commands: { True: { script } } },
  });
  await home.create(modelDocument(MODEL));
  const parents = sites.map(({ name }) => `node/${name}`);
  await home.create(resourceDocument('nothing', { model: MODEL, type: 'Nothing', parents }));
  await waitFor(async () => (await home.list('nodes')).length === sites.length, { what: 'all nodes to be known', timeoutMs: 120_000 });
  return ops;
}

const CONTEXT = ['-p', MODEL, '-t', 'Nothing', '-r', 'nothing', '-c', 'True'];

async function everywhere(ops: SiteUser): Promise<number> {
  return timed(() => ops.cli('ctl', '-I', '.*', '-C', String(THREADS), '-K', ...CONTEXT));
}

async function here(ops: SiteUser): Promise<number> {
  return timed(() => ops.cli('ctl', ...CONTEXT));
}

/** The same without the start of the command line: from the request until the last line, which says that all have succeeded. */
async function throughApi(ops: SiteUser, ca: string, agent: Agent): Promise<number> {
  const body = JSON.stringify({
    request: {
      model: MODEL,
      type: 'Nothing',
      resource: 'nothing',
      command: 'True',
      filter: { include: ['.*'] },
      threads: THREADS,
      keepGoing: true,
    },
    follow: true,
  });
  const began = performance.now();
  const text = await new Promise<string>((resolve, reject) => {
    const sent = request(
      `${ops.site.apiUrl}/apis/dtkd.dev/v1/daemon/dispatch`,
      { method: 'POST', ca, agent, headers: { authorization: `Bearer ${ops.token}`, 'content-type': 'application/json' } },
      (response) => {
        let received = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          received += chunk;
        });
        response.on('end', () => resolve(received)).on('error', reject);
      },
    );
    sent.on('error', reject).end(body);
  });
  const took = performance.now() - began;
  if (!text.includes('"end"') || /"outcome":"(?!succeeded)/.test(text)) throw new Error(`not all succeeded: ${text.slice(-1_000)}`);
  return took;
}

/** As many processes started on this machine, as many at a time, by a program that does nothing else. */
async function locally(count: number): Promise<number> {
  return timed(() => run({ command: 'sh', args: ['-c', `seq ${count} | xargs -n 1 -P ${THREADS} /bin/true`] }));
}

function figures(samples: Samples, count: number, withPeers: boolean): Figure[] {
  const cli = spread(samples.cli);
  const api = spread(samples.api);
  const local = spread(samples.local);
  const whole: Figure = { metric: `on ${count} daemons, with the start of the command line`, unit: 'ms', dtkd: cli };
  const one: Figure = { metric: 'on one, with the start of the command line', unit: 'ms', dtkd: spread(samples.one) };
  if (withPeers) {
    const [pdsh, clush, ansible, ssh] = [samples.pdsh, samples.clush, samples.ansible, samples.ssh].map(spread);
    if (pdsh === undefined || clush === undefined || ansible === undefined || ssh === undefined) throw new Error('no samples');
    whole.peer = { name: 'pdsh -f 32', value: pdsh };
    whole.beside = [
      { name: 'ansible -f 32 -m raw, warm', value: ansible },
      { name: 'clush -f 32', value: clush },
    ];
    whole.ratio = cli.median / pdsh.median;
    whole.limit = {
      text: `${TIMES_FASTER} times faster than pdsh and than warm ansible`,
      met: Math.min(pdsh.median, ansible.median) >= TIMES_FASTER * cli.median,
    };
    one.peer = { name: 'ssh HOST true, cold', value: ssh };
    one.ratio = one.dtkd.median / ssh.median;
    one.limit = { text: 'no longer than ssh', met: one.dtkd.median <= ssh.median };
  }
  return [
    whole,
    {
      metric: `on ${count} daemons, without the start of the command line`,
      unit: 'ms',
      dtkd: api,
      peer: { name: 'the same processes started here', value: local },
      ratio: api.median / local.median,
      limit: { text: `at most ${TIMES_LOCAL} times as long`, met: api.median <= TIMES_LOCAL * local.median },
    },
    one,
  ];
}
