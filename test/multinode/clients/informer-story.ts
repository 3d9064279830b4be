/**
 * Informers of the Kubernetes client library over three sites, while writers change everything and everything else goes wrong: the quick and the long
 * form of the test tell it with other numbers. What they hold is compared with what each owner lists for itself.
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import { expect } from 'vitest';
import { z } from 'zod';
import { connected, formDomain } from '../../harness/domain.ts';
import type { Site } from '../../harness/site.ts';
import type { Stage } from '../../harness/stage.ts';
import { addUser, grant, revoke, type SiteUser } from '../../harness/user.ts';
import { clientOf, kindNamed } from './client.ts';
import { contentsOf, Follower } from './follower.ts';
import { TroubledLine } from './troubled-line.ts';
import { chance, outrunHistory, writeChanges } from './writers.ts';

const DOMAIN = 'informers';
const KINDS = ['Model', 'Service'] as const;
const VERBS = ['READ', 'CREATE', 'UPDATE', 'DELETE'];
/** Which things a user of another node is granted here. */
const MODELS = { kind: 'models.dtkd.dev' };
const SERVICES = { kind: 'services' };
/** Within which all informers agree once nothing changes any more; sites that were away are tried every half minute at worst. */
const AGREE_MS = 180_000;

const owned = z.looseObject({ items: z.array(z.custom<KubernetesObject>((value) => z.looseObject({}).safeParse(value).success)) });

export class InformerStory {
  readonly followers: Follower[] = [];
  readonly sites: Site[];
  readonly #line: TroubledLine;
  readonly #ops: SiteUser;
  /** Capabilities by site and kind. */
  readonly #granted = new Map<string, string>();
  readonly #random: (below: number) => number;
  #seed: number;
  /** The one that is being killed: what is written to it fails. */
  #killing: Site | undefined;
  changes = 0;

  private constructor(sites: Site[], line: TroubledLine, ops: SiteUser, seed: number) {
    this.sites = sites;
    this.#line = line;
    this.#ops = ops;
    this.#seed = seed;
    this.#random = chance(seed);
  }

  static async begin(stage: Stage, seed: number): Promise<InformerStory> {
    const sites = await stage.startAll('node0', 'node1', 'node2');
    const [node0] = sites;
    if (node0 === undefined) throw new Error('there is no site');
    await formDomain(DOMAIN, sites);
    const ops = await addUser(node0, 'ops');
    const line = await TroubledLine.open(() => ({ host: '127.0.0.1', port: Number(new URL(node0.apiUrl).port) }));
    const story = new InformerStory(sites, line, ops, seed);
    for (const site of sites) {
      await story.grant(site, MODELS);
      await story.grant(site, SERVICES);
    }
    const operator = await clientOf(node0, { server: line.url });
    const user = await clientOf(node0, { server: line.url, token: ops.token });
    const [model, service] = [kindNamed('model'), kindNamed('service')];
    story.followers.push(
      new Follower(operator, { kind: model, namespace: 'node0', asOperator: true }),
      new Follower(operator, { kind: service, namespace: 'node0', asOperator: true }),
      new Follower(user, { kind: service, namespace: 'node0', labelSelector: 'tier=front' }),
      new Follower(user, { kind: model }),
      new Follower(user, { kind: service }),
      new Follower(user, { kind: model, labelSelector: 'tier=front' }),
      new Follower(user, { kind: model, namespace: 'node1' }),
    );
    for (const follower of story.followers) await follower.start();
    return story;
  }

  site(index: number): Site {
    const site = this.sites[index];
    if (site === undefined) throw new Error(`there is no site ${index}`);
    return site;
  }

  async grant(site: Site, on: { kind: string }): Promise<void> {
    this.#granted.set(`${site.name} ${on.kind}`, await grant(site, this.#ops, VERBS, on));
  }

  async revoke(site: Site, on: { kind: string }): Promise<void> {
    const key = `${site.name} ${on.kind}`;
    const capability = this.#granted.get(key);
    if (capability === undefined) throw new Error(`nothing is granted: ${key}`);
    this.#granted.delete(key);
    await revoke(site, capability);
  }

  /** So many changes at all sites that run. */
  async write(count: number): Promise<void> {
    const running = this.sites.filter((site) => site.running);
    const each = Math.ceil(count / running.length);
    await Promise.all(
      running.map(async (site) => {
        this.#seed += 1;
        // what a site did that was killed meanwhile is not counted
        const written = await writeChanges(site, KINDS, each, { seed: this.#seed }).catch(() => undefined);
        if (written !== undefined) this.changes += each;
        else if (site.running && this.#killing !== site) throw new Error(`${site.name} could not be written to`);
      }),
    );
  }

  /** Writes, and lets something happen to connections meanwhile. */
  async writeDuring(count: number, trouble: () => void | Promise<void>): Promise<void> {
    await Promise.all([this.write(count), trouble()]);
  }

  async cutMeanwhile(count: number, times: number): Promise<void> {
    let writing = true;
    const done = this.write(count).finally(() => {
      writing = false;
    });
    for (let cut = 0; cut < times && writing; cut += 1) {
      const before = this.#told();
      while (writing && this.#told() < before + 20 + this.#random(60)) await new Promise((resolve) => setImmediate(resolve));
      this.#line.cut();
    }
    await done;
  }

  /** Connections break off in the middle of whatever they carry. */
  async breakOff(count: number): Promise<void> {
    this.#line.cutAfter(() => 20_000 + this.#random(60_000));
    this.#line.cut();
    await this.write(count);
    this.#line.cutAfter(undefined);
  }

  /** What was said meanwhile comes all at once. */
  async stall(count: number): Promise<void> {
    this.#line.stall();
    await this.write(count);
    this.#line.flow();
  }

  /** Clients come back to a node that has forgotten where they were. */
  async forget(count: number, site = this.site(0)): Promise<void> {
    this.#line.stall();
    await this.write(count);
    await outrunHistory(site);
    this.#line.cut();
    this.#line.flow();
  }

  async crash(index: number, count: number): Promise<void> {
    const site = this.site(index);
    this.#killing = site;
    await Promise.all([this.write(Math.ceil(count / 2)), site.kill9()]);
    this.#killing = undefined;
    await site.start();
    await this.write(Math.ceil(count / 2));
  }

  /** A site is away while the others go on; nobody forgets what it had. */
  async away(index: number, count: number): Promise<void> {
    const site = this.site(index);
    await this.agree();
    const kept = await this.#truthAt(site, 'Model');
    await site.kill9();
    await this.write(count);
    const over = this.followers[3]?.held() ?? new Map<string, string>();
    for (const key of kept.keys()) expect(over.has(key), `${key} of ${site.name}, which is away, is still held`).toBe(true);
    await site.start();
  }

  /** All clients have the current objects, and none was told anything impossible. */
  async agree(): Promise<void> {
    const [first, ...others] = this.sites;
    if (first !== undefined && others.length > 0) await connected(first, DOMAIN, this.sites);
    for (const follower of this.followers) await follower.agrees(() => this.#truthFor(follower), AGREE_MS);
    expect(this.followers.flatMap(({ what, sequence }) => sequence.faults.map((fault) => `${what}: ${fault}`))).toEqual([]);
  }

  /** Whether every client had to begin again at some time. */
  listedAgain(): boolean {
    return this.followers.every(({ sequence }) => sequence.counts.lists > 1);
  }

  async end(): Promise<void> {
    await Promise.all(this.followers.map((follower) => follower.stop()));
    await this.#line.close();
  }

  #told(): number {
    return this.followers.reduce(
      (sum, { sequence }) => sum + sequence.counts.ADDED + sequence.counts.MODIFIED + sequence.counts.DELETED,
      0,
    );
  }

  async #truthFor(follower: Follower): Promise<Map<string, string>> {
    const { kind, namespace, labelSelector, asOperator } = follower.about;
    const owners = this.sites.filter((site) => namespace === undefined || namespace === site.name);
    const on = kind.plural === 'models' ? MODELS : SERVICES;
    const parts = await Promise.all(
      owners
        .filter((site) => asOperator === true || this.#granted.has(`${site.name} ${on.kind}`))
        .map((site) => this.#truthAt(site, kind.kind, labelSelector)),
    );
    return new Map(parts.flatMap((part) => [...part]));
  }

  /** What an owner lists for its operator. */
  async #truthAt(site: Site, kind: string, labelSelector?: string): Promise<Map<string, string>> {
    const path = `${site.path(kind)}${labelSelector === undefined ? '' : `?labelSelector=${encodeURIComponent(labelSelector)}`}`;
    return contentsOf(owned.parse(await site.call(path)).items);
  }
}
