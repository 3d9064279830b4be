/**
 * A host of a network as the router of a private segment, as homes and offices have one: hosts behind it go out under its address, and from outside nothing
 * comes in but what was asked for, and what a port was forwarded for.
 */
import type { Network } from './network.ts';
import { missing } from './programs.ts';

const MESH_PORT = '7701';

/** Why there can be no NAT here, or undefined. */
export function natMissing(): string | undefined {
  return missing(['ip', 'iptables', 'sysctl'], { root: true });
}

export interface Nat {
  router: string;
  /** The private segment, and the one outside. */
  inner: string;
  outer: string;
  /** The sites behind it. */
  behind: readonly string[];
}

export async function routeWithNat(network: Network, { router, inner, outer, behind }: Nat): Promise<void> {
  const [inside, outside] = [network.interfaceOf(router, inner), network.interfaceOf(router, outer)];
  const rules = [
    ['-t', 'nat', '-A', 'POSTROUTING', '-o', outside, '-j', 'MASQUERADE'],
    ['-A', 'FORWARD', '-i', inside, '-o', outside, '-j', 'ACCEPT'],
    ['-A', 'FORWARD', '-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED,DNAT', '-j', 'ACCEPT'],
    ['-P', 'FORWARD', 'DROP'],
  ];
  for (const rule of rules) await network.run(router, 'iptables', ...rule);
  await network.run(router, 'sysctl', '-q', '-w', 'net.ipv4.ip_forward=1');
  for (const site of behind) await network.run(site, 'ip', 'route', 'add', 'default', 'via', network.address(router, inner));
}

/** Leads the mesh port of the router's outer address to a site behind it. */
export async function forwardMeshPort(network: Network, { router, inner, outer }: Nat, site: string): Promise<void> {
  const to = `${network.address(site, inner)}:${MESH_PORT}`;
  const from = ['-i', network.interfaceOf(router, outer), '-p', 'tcp', '--dport', MESH_PORT];
  await network.run(router, 'iptables', '-t', 'nat', '-A', 'PREROUTING', ...from, '-j', 'DNAT', '--to-destination', to);
}

/** Something on the way that ends every connection of the mesh of a host, and lets none begin, until it is told to stop. */
export async function resetMesh(network: Network, site: string, reset: boolean): Promise<void> {
  for (const chain of ['INPUT', 'OUTPUT']) {
    for (const end of ['--dport', '--sport']) {
      // all but the resets themselves
      const segments = ['-p', 'tcp', end, MESH_PORT, '!', '--tcp-flags', 'RST', 'RST'];
      const rule = [chain, ...segments, '-j', 'REJECT', '--reject-with', 'tcp-reset'];
      await network.run(site, 'iptables', reset ? '-A' : '-D', ...rule);
    }
  }
}

/** A firewall on the host itself that refuses connections to its mesh port. */
export async function refuseMeshPort(network: Network, site: string, refuse: boolean): Promise<void> {
  const rule = ['-p', 'tcp', '--dport', MESH_PORT, '--syn', '-j', 'REJECT', '--reject-with', 'tcp-reset'];
  await network.run(site, 'iptables', refuse ? '-A' : '-D', 'INPUT', ...rule);
}
