/**
 * Everything that one test file, the demo or a benchmark starts: sites, origins, networks, a temporary directory. Closing it ends and
 * removes all of that; with `keep` the directory with the logs stays and its path is told.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Network, type NetworkOptions } from './network.ts';
import { NODE } from './node-binary.ts';
import { type Origin, startOrigin } from './origin.ts';
import { Site, type SiteOptions } from './site.ts';

export class Stage {
  readonly directory: string;
  readonly sites: Site[] = [];
  readonly #origins: Origin[] = [];
  readonly #networks: Network[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), `dtkd-${process.pid}-`)));
  }

  /** A site that is not started yet. */
  site(options: Partial<SiteOptions> & { name: string }): Site {
    const site = new Site({
      ...otherProgram(options.name),
      dir: join(this.directory, `${options.name}-${this.sites.length}`),
      logFile: join(this.directory, `${options.name}-${this.sites.length}.out`),
      ...options,
    });
    this.sites.push(site);
    return site;
  }

  async start(options: Partial<SiteOptions> & { name: string }): Promise<Site> {
    return this.site(options).start();
  }

  /** Starts several sites at once. */
  async startAll(...names: string[]): Promise<Site[]> {
    return Promise.all(names.map((name) => this.start({ name })));
  }

  async origin(options: Parameters<typeof startOrigin>[0] = {}): Promise<Origin> {
    const origin = await startOrigin(options);
    this.#origins.push(origin);
    return origin;
  }

  async network(options: NetworkOptions): Promise<Network> {
    const network = await Network.create(options, this.directory);
    this.#networks.push(network);
    return network;
  }

  async close(options: { keep?: boolean } = {}): Promise<void> {
    await Promise.allSettled(this.sites.filter((site) => site.running).map((site) => site.kill9()));
    await Promise.allSettled(this.#origins.map((origin) => origin.child.end('SIGKILL')));
    await Promise.allSettled(this.#networks.map((network) => network.close()));
    if (options.keep === true) {
      for (const site of this.sites)
        console.error(`--- the last lines of ${site.name} (${site.options.logFile})\n${site.running ? '' : tailOf(site)}`);
    } else {
      await rm(this.directory, { recursive: true, force: true });
    }
  }
}

/**
 * Another dtkd for some of the sites, so that any story can be told by mixed versions: `DTKD_TEST_OTHER` is the `bin/dtkd.js` of another checkout,
 * `DTKD_TEST_OTHER_AT` names the sites that run it, by commas.
 */
function otherProgram(name: string): Pick<SiteOptions, 'program'> {
  const { DTKD_TEST_OTHER: other, DTKD_TEST_OTHER_AT: at = '' } = process.env;
  return other === undefined || !at.split(',').includes(name) ? {} : { program: [NODE, other] };
}

function tailOf(site: Site): string {
  try {
    return site.child.tail();
  } catch {
    return '(never started)';
  }
}
