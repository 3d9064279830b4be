import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../test/harness/child.ts';
import { findProgram } from '../test/harness/programs.ts';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import { grant, type SiteUser } from '../test/harness/user.ts';
import type { Benchmark, Context, Figure } from './benchmark.types.ts';
import { settle, startSites, userEverywhere } from './many-sites.ts';
import { publishedProgram } from './published.ts';
import { spread } from './stats.ts';
import { timed } from './timed.ts';

const DOMAIN = 'bench';
const SERVICE = 'fifty';
const RESOURCES = 50;
const NODES = 10;
/** Commands at a time, for both. */
const THREADS = 10;
/** The same with few: what each command costs beside its work weighs as much, and what the machine is busy with less. */
const FEW_THREADS = 2;
/** What each command takes, in seconds. */
const WORK_S = 0.5;
const LIMIT_STAGE_MS = 1_000;
const LIMIT_NOTHING_MS = 300;
const TIMES_IDEAL = 1.1;
const TIMES_ANSIBLE = 10;

interface Samples {
  stage: number[];
  change: number[];
  few: number[];
  nothing: number[];
  ansibleChange: number[];
  ansibleNothing: number[];
}

/** Staging and converging 50 resources on 10 daemons, and ansible-playbook doing the same local work. */
export const benchmark: Benchmark = {
  name: 'services',
  title: `Staging and converging ${RESOURCES} resources on ${NODES} daemons, against ansible-playbook with the same local work`,
  needs: ['ansible-playbook'],

  async run({ quick, say }: Context): Promise<Figure[]> {
    const rounds = quick ? 2 : 4;
    const stage = await Stage.open();
    try {
      const program = await publishedProgram(join(stage.directory, 'published'));
      const sites = await startSites(stage, DOMAIN, NODES, say, { program });
      const ops = await prepare(sites, say);
      const module = await writeModule(join(stage.directory, 'module'));
      await timed(() => ops.cli('module', 'install', module));
      const ansible = findProgram('ansible-playbook') === undefined ? undefined : await Playbook.make(join(stage.directory, 'ansible'));
      await settle(say);
      const samples: Samples = { stage: [], change: [], few: [], nothing: [], ansibleChange: [], ansibleNothing: [] };
      for (let round = 1; round <= rounds; round += 1) {
        say(`round ${round} of ${rounds}`);
        samples.stage.push(await timed(() => ops.cli('stage', 'bench/work:fifty', '--name', `staged-${round}`)));
        await timed(() => ops.cli('service', 'uninstall', `staged-${round}`, '--yes'));
        if (round === 1) {
          await timed(() => ops.cli('stage', 'bench/work:fifty', '--name', SERVICE));
          // what is installed when it is first needed is there from here on
          await timed(() => ops.cli('converge', SERVICE, '--yes', '--threads', String(THREADS)));
        }
        await timed(() => ops.cli('service', 'set', SERVICE, `parameters.round=${round}`));
        samples.change.push(await timed(() => ops.cli('converge', SERVICE, '--yes', '--threads', String(THREADS))));
        await timed(() => ops.cli('service', 'set', SERVICE, `parameters.round=${round} again`));
        samples.few.push(await timed(() => ops.cli('converge', SERVICE, '--yes', '--threads', String(FEW_THREADS))));
        samples.nothing.push(await timed(() => ops.cli('converge', SERVICE, '--yes', '--threads', String(THREADS))));
        if (ansible === undefined) continue;
        samples.ansibleChange.push(await ansible.change());
        samples.ansibleNothing.push(await ansible.nothing());
      }
      return figures(samples);
    } finally {
      await stage.close();
    }
  },
};

async function prepare(sites: readonly Site[], say: (text: string) => void): Promise<SiteUser> {
  const { home, ops } = await userEverywhere(sites, say);
  await grant(home, ops, ['DISCOVER', 'CREATE', 'READ', 'UPDATE', 'DELETE', 'MANAGE', 'EXECUTE'], { kind: '*' });
  return ops;
}

async function writeModule(directory: string): Promise<string> {
  await mkdir(directory);
  const components = Array.from({ length: RESOURCES }, (_, at) => {
    const node = `name=site-${String(at % NODES).padStart(2, '0')}`;
    return `      part-${at}: {type: Part, on: "${node}", properties: {round: "\${parameters.round}"}}`;
  });
  await writeFile(
    join(directory, 'dtk.module.yaml'),
    `dsl_version: "1.0"
module: bench/work
version: 1.0.0
types:
  Part:
    extends: Service
    properties: {round: {type: string, default: none}}
    commands:
      create: {script: {inline: 'exec sleep ${WORK_S}'}}
assemblies:
  fifty:
    parameters: {round: {type: string, default: "0"}}
    components:
${components.join('\n')}
`,
  );
  return directory;
}

/**
 * What an operator would write: tasks on hosts of the connection `local`, each a marker file and a command that runs when that changed. Facts are not
 * gathered.
 */
class Playbook {
  readonly #directory: string;
  #round = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async make(directory: string): Promise<Playbook> {
    await mkdir(join(directory, 'marks'), { recursive: true });
    const hosts = Array.from(
      { length: NODES },
      (_, at) => `site-${at} ansible_connection=local ansible_python_interpreter=/usr/bin/python3`,
    );
    await writeFile(join(directory, 'inventory'), `[all]\n${hosts.join('\n')}\n`);
    await writeFile(join(directory, 'ansible.cfg'), '[defaults]\nlocalhost_warning = False\n');
    const tasks = Array.from({ length: RESOURCES / NODES }, (_, at) => [
      `    - copy: {content: "{{ round }}", dest: "${directory}/marks/{{ inventory_hostname }}-${at}"}`,
      `      register: part${at}`,
      `    - command: sleep ${WORK_S}`,
      `      when: part${at}.changed`,
    ]).flat();
    await writeFile(join(directory, 'play.yaml'), `- hosts: all\n  gather_facts: false\n  tasks:\n${tasks.join('\n')}\n`);
    return new Playbook(directory);
  }

  change(): Promise<number> {
    this.#round += 1;
    return this.nothing();
  }

  async nothing(): Promise<number> {
    return timed(() =>
      run({
        command: 'ansible-playbook',
        args: [
          '-i',
          join(this.#directory, 'inventory'),
          '-f',
          String(THREADS),
          '-e',
          `round=${this.#round}`,
          join(this.#directory, 'play.yaml'),
        ],
        env: { ...process.env, ANSIBLE_CONFIG: join(this.#directory, 'ansible.cfg'), HOME: this.#directory },
      }),
    );
  }
}

function figures(samples: Samples): Figure[] {
  const [stage, nothing] = [samples.stage, samples.nothing].map(spread);
  if (stage === undefined || nothing === undefined) throw new Error('no samples');
  const staged: Figure = {
    metric: `staging ${RESOURCES} components, with the start of the command line`,
    unit: 'ms',
    dtkd: stage,
    limit: { text: `at most ${LIMIT_STAGE_MS} ms`, met: stage.median <= LIMIT_STAGE_MS },
  };
  const still: Figure = {
    metric: 'converging with nothing to do, with the start of the command line',
    unit: 'ms',
    dtkd: nothing,
    limit: { text: `at most ${LIMIT_NOTHING_MS} ms`, met: nothing.median <= LIMIT_NOTHING_MS },
  };
  const changed = changing(samples.change, THREADS);
  const all = [staged, still, changed, changing(samples.few, FEW_THREADS)];
  if (samples.ansibleNothing.length === 0) return all;
  const ansibleNothing = spread(samples.ansibleNothing);
  still.peer = { name: `ansible-playbook -f ${THREADS}, nothing changed`, value: ansibleNothing };
  still.ratio = nothing.median / ansibleNothing.median;
  still.limit = {
    text: `at most ${LIMIT_NOTHING_MS} ms, and ${TIMES_ANSIBLE} times faster than ansible-playbook`,
    met: nothing.median <= LIMIT_NOTHING_MS && nothing.median * TIMES_ANSIBLE <= ansibleNothing.median,
  };
  changed.beside = [{ name: `ansible-playbook -f ${THREADS}, everything changed`, value: spread(samples.ansibleChange) }];
  return all;
}

function changing(samples: readonly number[], threads: number): Figure {
  const idealMs = (RESOURCES / threads) * WORK_S * 1_000;
  const dtkd = spread(samples);
  return {
    metric: `converging ${RESOURCES} resources of ${WORK_S * 1_000} ms each, ${threads} at a time`,
    unit: 'ms',
    dtkd,
    ratio: dtkd.median / idealMs,
    limit: { text: `at most ${TIMES_IDEAL} times the ideal ${idealMs} ms`, met: dtkd.median <= TIMES_IDEAL * idealMs },
  };
}
