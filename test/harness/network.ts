/**
 * Sites as hosts of their own: a network namespace for each, joined by bridges. A segment is a bridge with its own /24; two segments can
 * be joined by a cable that can be cut. Nothing forwards between segments, so a site on two of them is the only way between sites that
 * share none. Names are unique per run; closing removes all of it.
 */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { Gate } from './gate.ts';
import { findProgram, missing } from './programs.ts';
import type { SiteOptions } from './site.ts';

const exec = promisify(execFile);

/** Why networks cannot be made here, or undefined. */
export function networkMissing(): string | undefined {
  return missing(['ip'], { root: true });
}

export interface NetworkOptions {
  /** Segment name → names of the sites on it, in the order of their addresses. */
  segments: Record<string, readonly string[]>;
  /** Pairs of segments that are one Ethernet as long as their cable is whole; they share the first one's addresses. */
  cables?: readonly (readonly [string, string])[];
}

interface Host {
  netns: string;
  gate: Gate;
  /** Address on each segment. */
  addresses: Map<string, string>;
  /** The bridge's end of each segment's wire. */
  wires: Map<string, string>;
}

let made = 0;

async function ip(...args: string[]): Promise<void> {
  await exec(findProgram('ip') ?? 'ip', args);
}

export class Network {
  readonly #tag: string;
  readonly #bridges: string[] = [];
  readonly #hosts = new Map<string, Host>();
  readonly #cables = new Map<string, string>();
  /** 10.x.y.0/24 is chosen per run; the bridges themselves have no address, so it never meets the machine's own routes. */
  readonly #second = 64 + (process.pid % 128);

  private constructor() {
    made += 1;
    this.#tag = `${process.pid.toString(36)}${made.toString(36)}`;
  }

  static async create(options: NetworkOptions, directory: string): Promise<Network> {
    const network = new Network();
    try {
      await network.#build(options, directory);
    } catch (error) {
      await network.close();
      throw error;
    }
    return network;
  }

  /** What a Site needs to run on this host, reached by others at its address on `segment` (default: its first). */
  inside(site: string, segment?: string): NonNullable<SiteOptions['inside']> {
    const host = this.#host(site);
    return { netns: host.netns, gate: host.gate, address: this.address(site, segment) };
  }

  address(site: string, segment?: string): string {
    const { addresses } = this.#host(site);
    const address = segment === undefined ? addresses.values().next().value : addresses.get(segment);
    if (address === undefined) throw new Error(`${site} is not on ${segment ?? 'any segment'}`);
    return address;
  }

  /** Cuts a site's wire to one segment, or all of its wires. */
  async linkDown(site: string, segment?: string): Promise<void> {
    await this.#setWires(site, segment, 'down');
  }

  async linkUp(site: string, segment?: string): Promise<void> {
    await this.#setWires(site, segment, 'up');
  }

  /** Gives a site another address on a segment: the last octet. */
  async readdress(site: string, segment: string, octet: number): Promise<void> {
    const host = this.#host(site);
    const old = this.address(site, segment);
    const address = old.replace(/\d+$/, String(octet));
    const inner = this.interfaceOf(site, segment);
    await ip('-n', host.netns, 'address', 'delete', `${old}/24`, 'dev', inner);
    await ip('-n', host.netns, 'address', 'add', `${address}/24`, 'dev', inner);
    await ip('-n', host.netns, 'route', 'replace', '224.0.0.0/4', 'dev', inner);
    host.addresses.set(segment, address);
  }

  /** Gives a site one more address, which it alone reaches. */
  async alias(site: string, address: string): Promise<void> {
    await ip('-n', this.#host(site).netns, 'address', 'add', `${address}/32`, 'dev', 'lo');
  }

  /** The name of a site's interface on a segment, as the site itself sees it. */
  interfaceOf(site: string, segment: string): string {
    this.address(site, segment);
    return `eth${[...this.#host(site).addresses.keys()].indexOf(segment)}`;
  }

  /** Runs an administrator's program on a host; fails unless it ends with 0. */
  async run(site: string, program: string, ...args: string[]): Promise<void> {
    await ip('netns', 'exec', this.#host(site).netns, findProgram(program) ?? program, ...args);
  }

  async cut(first: string, second: string): Promise<void> {
    await ip('link', 'set', this.#cable(first, second), 'down');
  }

  async heal(first: string, second: string): Promise<void> {
    await ip('link', 'set', this.#cable(first, second), 'up');
  }

  async close(): Promise<void> {
    for (const host of this.#hosts.values()) await host.gate.close();
    // Deleting a namespace deletes its wires, deleting one end of a cable deletes the other.
    for (const host of this.#hosts.values()) await ip('netns', 'delete', host.netns).catch(() => undefined);
    for (const cable of this.#cables.values()) await ip('link', 'delete', cable).catch(() => undefined);
    for (const bridge of this.#bridges) await ip('link', 'delete', bridge).catch(() => undefined);
    this.#hosts.clear();
  }

  async #build(options: NetworkOptions, directory: string): Promise<void> {
    const names = Object.keys(options.segments);
    for (const [index, segment] of names.entries()) {
      const bridge = `dt${this.#tag}b${index}`;
      await ip('link', 'add', bridge, 'type', 'bridge');
      this.#bridges.push(bridge);
      await ip('link', 'set', bridge, 'up');
      const joined = options.cables?.find(([, second]) => second === segment)?.[0];
      const subnet = joined === undefined ? index : names.indexOf(joined);
      for (const site of options.segments[segment] ?? []) await this.#plug(site, segment, bridge, subnet, directory);
    }
    for (const [index, [first, second]] of (options.cables ?? []).entries()) {
      const [a, b] = [`dt${this.#tag}c${index}`, `dt${this.#tag}d${index}`];
      await ip('link', 'add', a, 'type', 'veth', 'peer', 'name', b);
      this.#cables.set(`${first} ${second}`, a);
      await ip('link', 'set', a, 'master', this.#bridges[names.indexOf(first)] ?? '');
      await ip('link', 'set', b, 'master', this.#bridges[names.indexOf(second)] ?? '');
      await ip('link', 'set', a, 'up');
      await ip('link', 'set', b, 'up');
    }
  }

  async #plug(site: string, segment: string, bridge: string, subnet: number, directory: string): Promise<void> {
    const host = this.#hosts.get(site) ?? (await this.#addHost(site, directory));
    const number = [...this.#hosts.keys()].indexOf(site) + 1;
    const wires = [...this.#hosts.values()].reduce((sum, each) => sum + each.wires.size, 0);
    const [outer, inner] = [`dt${this.#tag}w${wires}`, `eth${host.wires.size}`];
    await ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', host.netns);
    await ip('link', 'set', outer, 'master', bridge);
    await ip('link', 'set', outer, 'up');
    const address = `10.${this.#second}.${subnet}.${number}`;
    await ip('-n', host.netns, 'address', 'add', `${address}/24`, 'dev', inner);
    await ip('-n', host.netns, 'link', 'set', inner, 'up');
    // Multicast needs a route where there is no default one.
    await ip('-n', host.netns, 'route', 'replace', '224.0.0.0/4', 'dev', inner);
    host.addresses.set(segment, address);
    host.wires.set(segment, outer);
  }

  async #addHost(site: string, directory: string): Promise<Host> {
    const netns = `dtkd-${this.#tag}-${site}`;
    await ip('netns', 'add', netns);
    await ip('-n', netns, 'link', 'set', 'lo', 'up');
    const gateDirectory = `${directory}/gate-${this.#tag}-${site}`;
    await mkdir(gateDirectory);
    const host: Host = { netns, gate: new Gate(netns, gateDirectory), addresses: new Map(), wires: new Map() };
    this.#hosts.set(site, host);
    return host;
  }

  async #setWires(site: string, segment: string | undefined, state: 'up' | 'down'): Promise<void> {
    for (const [of, wire] of this.#host(site).wires) if (segment === undefined || of === segment) await ip('link', 'set', wire, state);
  }

  #host(site: string): Host {
    const host = this.#hosts.get(site);
    if (host === undefined) throw new Error(`there is no host ${site} in this network`);
    return host;
  }

  #cable(first: string, second: string): string {
    const cable = this.#cables.get(`${first} ${second}`);
    if (cable === undefined) throw new Error(`there is no cable between ${first} and ${second}`);
    return cable;
  }
}
