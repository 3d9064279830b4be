/**
 * docker/compose.yaml without an engine: each service is a process of this checkout in a network namespace, and the namespaces are wired as the file says.
 * `docker compose exec` is a program on the PATH that enters one; what starts and ends services is done here. Names resolve as the engine has them: a service
 * knows those that are on a network with it.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { Child, run } from '../harness/child.ts';
import type { Network } from '../harness/network.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import type { Site } from '../harness/site.ts';
import type { Stage } from '../harness/stage.ts';
import { type ComposeFile, nodesOf } from './compose-file.ts';

/** Puts a file of its own in the place of the machine's names, in the mount namespace that `ip netns exec` has made, and runs what follows. */
const WITH_NAMES = 'mount --bind "$1" /etc/hosts && shift && exec "$@"';

export class Composed {
  readonly #file: ComposeFile;
  readonly #network: Network;
  readonly #directory: string;
  readonly #nodes = new Map<string, Site>();
  readonly #others: Child[] = [];

  private constructor(file: ComposeFile, network: Network, directory: string) {
    this.#file = file;
    this.#network = network;
    this.#directory = directory;
  }

  static async create(stage: Stage, file: ComposeFile): Promise<Composed> {
    const services = Object.entries(file.services);
    const segments = Object.keys(file.networks).map(
      (segment) => [segment, services.filter(([, { networks }]) => networks.includes(segment)).map(([name]) => name)] as const,
    );
    const network = await stage.network({ segments: Object.fromEntries(segments) });
    const composed = new Composed(file, network, join(stage.directory, 'composed'));
    await mkdir(join(composed.#directory, 'bin'), { recursive: true });
    for (const [name] of services) await writeFile(composed.#names(name), composed.#hosts(name));
    for (const [name, { hostname = name, environment }] of nodesOf(file)) {
      composed.#nodes.set(
        name,
        stage.site({
          name: hostname,
          inside: network.inside(name),
          mesh: '7701',
          mdns: true,
          env: environment,
          wrapper: ['sh', '-c', WITH_NAMES, 'sh', composed.#names(name)],
        }),
      );
    }
    await composed.#writeProgram('dtkd', `exec "${NODE}" "${DTKD}" "$@"`);
    await composed.#writeProgram('docker', composed.#docker());
    return composed;
  }

  /** The words after `docker compose`, if they are about services and do not run in one. */
  async control(line: string): Promise<void> {
    const [verb, ...rest] = line.split(/\s+/);
    const names = rest.filter((word) => !word.startsWith('-'));
    if (verb === 'up') await this.#up();
    else if (verb === 'kill') await Promise.all(names.map((name) => this.#node(name).kill9()));
    else if (verb === 'start') await Promise.all(names.map((name) => this.#node(name).start()));
    else if (verb === 'down') await this.#down();
    else throw new Error(`no test can do "docker compose ${line}"`);
  }

  /** Runs lines of the walk-through as they stand. */
  async run(script: string): Promise<{ code: number; stdout: string; stderr: string }> {
    const env = { ...process.env, PATH: `${join(this.#directory, 'bin')}${delimiter}${process.env['PATH']}` };
    return run({ command: 'bash', args: ['-euc', script], cwd: this.#directory, env });
  }

  async close(): Promise<void> {
    await Promise.all(this.#others.splice(0).map((child) => child.end('SIGKILL')));
  }

  async #up(): Promise<void> {
    for (const [name, { command }] of Object.entries(this.#file.services)) {
      if (command !== undefined) this.#others.push(new Child({ command: NODE, args: command, netns: this.#network.inside(name).netns }));
    }
    await Promise.all([...this.#nodes.values()].map((site) => site.start()));
  }

  async #down(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((site) => site.stop()));
    await this.close();
  }

  #node(name: string): Site {
    const site = this.#nodes.get(name);
    if (site === undefined) throw new Error(`${name} is no node of compose.yaml`);
    return site;
  }

  #names(name: string): string {
    return join(this.#directory, `hosts-${name}`);
  }

  /** As the engine's name server answers a service: names of those on its networks, with their addresses there. */
  #hosts(name: string): string {
    const { services } = this.#file;
    const lines = (services[name]?.networks ?? []).flatMap((segment) =>
      Object.entries(services)
        .filter(([, { networks }]) => networks.includes(segment))
        .map(([other]) => `${this.#network.address(other, segment)} ${other}`),
    );
    return `127.0.0.1 localhost\n${lines.join('\n')}\n`;
  }

  /** `docker compose exec [-T] SERVICE COMMAND...`, in the service's data directory, and nothing else. */
  #docker(): string {
    const cases = [...this.#nodes].map(
      ([name, { dir }]) => `  ${name}) data='${dir}'; names='${this.#names(name)}'; netns='${this.#network.inside(name).netns}' ;;`,
    );
    return `[ "$1 $2" = "compose exec" ] || { echo "docker $*: not here" >&2; exit 64; }
shift 2
[ "$1" != -T ] || shift
case $1 in
${cases.join('\n')}
  *) echo "there is no service $1" >&2; exit 64 ;;
esac
shift
exec ip netns exec "$netns" sh -c 'cd "$1" && shift && ${WITH_NAMES}' sh "$data" "$names" env DTKD_DATA="$data" "$@"`;
  }

  async #writeProgram(name: string, body: string): Promise<void> {
    const path = join(this.#directory, 'bin', name);
    await writeFile(path, `#!/bin/sh\n${body}\n`);
    await chmod(path, 0o755);
  }
}
