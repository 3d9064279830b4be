/** Finds ports that are free on all the hosts that the mesh listens on. */
import { createServer } from 'node:net';
import { DtkdError } from '../../../../protocol/errors.ts';

/** Number of ports that are tried for one domain. */
const SEARCH_LENGTH = 200;

export type Probe = 'free' | 'busy' | 'no-such-host';

/** Binds the port and releases it. */
function probePort(host: string, port: number): Promise<{ result: Probe; port: number }> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const busy = error.code === 'EADDRINUSE' || error.code === 'EACCES';
      resolve({ result: busy ? 'busy' : 'no-such-host', port });
    });
    server.listen({ host, port, ipv6Only: host.includes(':'), exclusive: true }, () => {
      const bound = server.address();
      server.close(() => resolve({ result: 'free', port: typeof bound === 'object' && bound !== null ? bound.port : port }));
    });
  });
}

/** The hosts on which `port` can be opened; on a machine without IPv6, only the others. Throws PORT_IN_USE. */
export async function usableHosts(hosts: readonly string[], port: number): Promise<string[]> {
  const usable: string[] = [];
  for (const host of hosts) {
    const { result } = await probePort(host, port);
    if (result === 'busy') {
      throw new DtkdError('PORT_IN_USE', `port ${port} on ${host} is in use or not allowed`, {
        next: 'Stop the program that uses it, or choose another port with --mesh.',
        details: { host, port },
      });
    }
    if (result === 'free') usable.push(host);
  }
  if (usable.length === 0) {
    throw new DtkdError('PORT_IN_USE', `none of ${hosts.join(', ')} is an address of this machine`, {
      next: 'Give --mesh an address of this machine.',
      details: { port },
    });
  }
  return usable;
}

/** A port that is free on every usable host and not in `taken`: any if `first` is 0, else the first one from `first` on. */
export async function findFreePort(hosts: readonly string[], first: number, taken: ReadonlySet<number>): Promise<number> {
  for (let step = 0; step < SEARCH_LENGTH; step += 1) {
    let candidate = first === 0 ? 0 : first + step;
    if (candidate > 65_535) break;
    if (taken.has(candidate)) continue;
    let free = true;
    for (const host of hosts) {
      const probe = await probePort(host, candidate);
      candidate = probe.port;
      if (probe.result === 'busy') free = false;
    }
    if (free && candidate !== 0 && !taken.has(candidate)) return candidate;
  }
  throw new DtkdError('PORT_IN_USE', 'no free port was found for another domain', {
    next: 'Free a port above the mesh port, or leave a domain.',
  });
}
