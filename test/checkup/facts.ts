import type { CheckupFacts, DomainFacts, PeerFacts } from '../../daemon/src/checkup/checkup.types.ts';

export const NOW = Date.parse('2026-01-01T12:00:00Z');
export const DAY_MS = 24 * 60 * 60 * 1000;
const MIB = 1024 * 1024;

export function peer(name: string, more: Partial<PeerFacts> = {}): PeerFacts {
  return {
    id: `${name}-id`,
    name,
    claimedName: name,
    reach: 'connected',
    path: 'direct',
    address: '192.0.2.1:7701',
    since: NOW - 60_000,
    failure: undefined,
    misfit: false,
    suspended: false,
    conditions: [],
    version: '1.2.3',
    ...more,
  };
}

export function domain(more: Partial<DomainFacts> = {}): DomainFacts {
  return {
    name: 'plant',
    state: 'Ready',
    message: undefined,
    holdsRoot: true,
    founder: 'node0',
    port: 7701,
    host: undefined,
    announce: [],
    peers: [peer('node1'), peer('node2')],
    invites: [],
    probes: [],
    silent: [],
    behind: [],
    ...more,
  };
}

/** A node without problems. */
export function facts(more: Partial<CheckupFacts> = {}): CheckupFacts {
  return {
    now: NOW,
    version: '1.2.3',
    node: 'node0',
    domains: [domain()],
    machine: {
      lagMs: 5,
      memory: { rss: 200 * MIB, limit: undefined, heapUsed: 50 * MIB, heapLimit: 2_000 * MIB },
      families: { ipv4: true, ipv6: true },
    },
    disk: { freeBytes: 10_000 * MIB, sizeBytes: 20_000 * MIB, freeInodes: 900_000, inodes: 1_000_000 },
    notReady: [],
    certificates: [{ name: 'API', begins: NOW - DAY_MS, expires: NOW + 300 * DAY_MS }],
    apps: [{ name: 'wiki', status: 'Ready', message: undefined, answers: true }],
    clock: [],
    audit: { conditions: [], lost: 0, unpublished: 0, publishedAt: NOW - 60_000 },
    orders: { held: 0, firstExpiry: undefined, waiting: 0 },
    suffix: { name: 'app.node0.dtkd.localhost', ingress: '127.0.0.1', addresses: ['127.0.0.1'], error: undefined },
    multicast: { works: true, error: undefined },
    ...more,
  };
}
