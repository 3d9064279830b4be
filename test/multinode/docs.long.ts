import { chmod, cp, glob, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { run } from '../harness/child.ts';
import { NO_KUBECTL } from '../harness/kubectl.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import { freePort } from '../harness/ports.ts';
import type { Site } from '../harness/site.ts';
import type { Stage } from '../harness/stage.ts';
import { useStage } from '../harness/use-stage.ts';

const stage = useStage();
const ROOT = new URL('../../', import.meta.url);

/** A block of a guide, ` ```sh node0 `, or a hidden step, `<!-- run node0: … -->`, and the node on which it runs. */
interface Step {
  node: string;
  script: string;
}

const STEP = /^```sh (?<node>[a-z0-9]+)\n(?<block>[\s\S]*?)^```$|^<!-- run (?<hiddenNode>[a-z0-9]+): (?<hidden>.*) -->$/gm;

function stepsOf(text: string): Step[] {
  return [...text.matchAll(STEP)].map(({ groups = {} }) => ({
    node: groups['node'] ?? groups['hiddenNode'] ?? '',
    script: groups['block'] ?? groups['hidden'] ?? '',
  }));
}

/** Ports at which the examples listen. Here they stand for free ones: others try the examples on this machine, too. */
const PORTS = ['16379', '16380', '18080', '18081', '18082', '18083', '18084'];
type Ports = ReadonlyMap<string, string>;

async function freePorts(): Promise<Ports> {
  return new Map(await Promise.all(PORTS.map(async (port) => [port, String(await freePort())] as const)));
}

function withPorts(text: string, ports: Ports): string {
  return text.replaceAll(/\b1[68]\d{3}\b/g, (port) => ports.get(port) ?? port);
}

/** The guides write addresses that are set aside for documentation; here they stand for the sites of this test. */
function localise(script: string, { sites, origin, ports }: Surroundings): string {
  return (
    withPorts(script, ports)
      .replaceAll('192.0.2.10', sites.get('node0')?.meshAddress ?? '')
      .replaceAll('192.0.2.11', sites.get('node1')?.meshAddress ?? '')
      .replaceAll('10.1.2.3:8080', origin)
      // A command that a guide shows as refused has to be refused: for `set -e` alone, `!` may go either way.
      .replaceAll(/^! (.*)$/gm, 'if $1; then exit 99; fi')
  );
}

interface Surroundings {
  sites: ReadonlyMap<string, Site>;
  /** HOST:PORT of something that can be shared. */
  origin: string;
  ports: Ports;
}

async function runGuide(current: Stage, path: string): Promise<number> {
  const steps = stepsOf(await readFile(new URL(path, ROOT), 'utf8'));
  const shared = join(current.directory, path.replaceAll('/', '-'));
  const bin = join(shared, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, 'dtkd'), `#!/bin/sh\nexec "${NODE}" "${DTKD}" "$@"\n`);
  await chmod(join(bin, 'dtkd'), 0o755);
  // without what installing them from here has left
  const filter = (path: string) => !path.endsWith('dtk.lock.yaml');
  await cp(fileURLToPath(new URL('examples', ROOT)), join(shared, 'examples'), { recursive: true, filter });
  const ports = await freePorts();
  for await (const file of glob(join(shared, 'examples/**/*.yaml'))) await writeFile(file, withPorts(await readFile(file, 'utf8'), ports));
  const origin = await current.origin();
  const names = [...new Set(steps.map((step) => step.node))].sort();
  const sites = new Map(await Promise.all(names.map(async (name) => [name, await current.start({ name })] as const)));
  try {
    await runSteps(path, steps, { shared, bin, sites, ports, origin: `${origin.host}:${origin.port}` });
  } finally {
    await Promise.all([...sites.values()].map(endServices));
  }
  return steps.length;
}

/** Ends what the commands of a guide have started and, if it broke off, not ended. */
async function endServices({ dir }: Site): Promise<void> {
  for await (const file of glob(join(dir, 'resources/*/*/*/*/var/service.pid'))) {
    const pid = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10);
    if (pid > 1) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended
      }
    }
  }
}

async function runSteps(path: string, steps: readonly Step[], around: Surroundings & { shared: string; bin: string }): Promise<void> {
  const { sites, shared, bin } = around;
  for (const { node, script } of steps) {
    const result = await run({
      command: 'bash',
      args: ['-euc', localise(script, around)],
      cwd: shared,
      env: {
        ...process.env,
        DTKD_DATA: sites.get(node)?.dir,
        PATH: `${bin}${delimiter}${process.env['PATH']}`,
        KUBECONFIG: join(shared, `kubeconfig-${node}`),
        KUBECACHEDIR: join(shared, 'kube-cache'),
      },
    });
    expect(result, `${path} on ${node}:\n${script}\n${result.stdout}\n${result.stderr}`).toMatchObject({ code: 0 });
  }
}

/** Each guide has sites of its own, and runs one command after the other: a second one takes the core that this leaves. */
vi.setConfig({ maxConcurrency: 2 });

describe.concurrent('the guides', () => {
  it.for([
    'README.md',
    'docs/domains.md',
    'docs/networks.md',
    'docs/operating.md',
    'docs/coming-from.md',
    'docs/apps.md',
    'docs/model.md',
    'docs/access.md',
    'docs/commands.md',
    'docs/modules.md',
    'docs/dispatch.md',
    'docs/services.md',
    'docs/airgap.md',
    'docs/monitoring.md',
    'docs/backup.md',
    'docs/doctor.md',
    'docs/kubectl.md',
  ])('every command of %s does what it says', async (path, { skip }) => {
    if (path === 'docs/kubectl.md' && NO_KUBECTL !== undefined) skip(NO_KUBECTL);
    expect(await runGuide(stage.current, path)).toBeGreaterThan(2);
  });
});
