import { describe, expect, it } from 'vitest';
import { parseApp } from '../../cli/client/apps.ts';
import { parseDomainInfo } from '../../cli/client/domains.ts';
import { statusLines } from '../../cli/output/status.ts';

const plain = { paint: (_colour: string, text: string) => text };
const now = Date.parse('2026-01-01T10:00:00Z');
const status = {
  node: 'node0',
  version: '0.1.0',
  pid: 42,
  startedAt: '2026-01-01T07:00:00Z',
  dataDir: '/data',
  api: 'https://127.0.0.1:7700',
  mesh: [{ domain: 'mydomain', port: 7701 }],
  ingress: '127.0.0.1:7702',
  suffix: 'dtkd.localhost',
  announce: ['203.0.113.7'],
  conditions: ['mydomain: node2: its clock is behind'],
  storage: { bytes: 2_097_152 },
  memory: { rss: 83_886_080 },
};

describe('statusLines', () => {
  it('tells problems first, then where things listen, then who is away and since when', () => {
    const domain = parseDomainInfo({
      name: 'mydomain',
      state: 'Ready',
      holdsRoot: true,
      peers: [
        { displayName: 'node0', self: true, connected: true },
        { displayName: 'node1', connected: true, path: 'direct', address: '192.0.2.1:7701', since: new Date(now - 60_000).toISOString() },
        { displayName: 'node2', connected: false, address: '192.0.2.2:7701', since: new Date(now - 7_200_000).toISOString() },
      ],
    });
    const apps = [
      parseApp({ metadata: { name: 'wiki', namespace: 'node0' }, status: 'NoEndpoints', message: 'the Service has no Endpoints' }),
      parseApp({ metadata: { name: 'ab', namespace: 'node0' }, owner: 'node2', status: 'OwnerAway' }),
    ];
    expect(statusLines(plain, { status, domains: [domain], apps }, now)).toEqual([
      'node0 runs dtkd 0.1.0, up 3h',
      '',
      '! mydomain: node2: its clock is behind',
      '! app wiki is NoEndpoints: the Service has no Endpoints',
      '',
      "API         https://127.0.0.1:7700 (this machine's clients)",
      'Mesh        port 7701 (mydomain): the one to open to other sites',
      'Announced   203.0.113.7',
      'Ingress     127.0.0.1:7702, apps as http://ID.node0.dtkd.localhost:7702',
      'Data        /data, 2.0 MiB',
      'Process     pid 42, 80 MiB',
      '',
      'Domain mydomain: Ready, 1 of 2 other members connected, founded here',
      '  node2   away for 120m       last at 192.0.2.2:7701',
      '  node1   connected for 60s   direct 192.0.2.1:7701',
      '',
      'Apps: 1 of this node, 1 of others (1 not reachable now). See "dtkd app ls".',
    ]);
  });

  it('does not take for away whoever is reached when needed', () => {
    const domain = parseDomainInfo({
      name: 'big',
      state: 'Ready',
      peers: [
        { displayName: 'node1', connected: false, reach: 'idle', address: '192.0.2.1:7701', since: new Date(now).toISOString() },
        { displayName: 'node2', connected: true, reach: 'connected', path: 'direct', since: new Date(now - 60_000).toISOString() },
        { displayName: 'node3', connected: false, reach: 'away', since: new Date(now - 60_000).toISOString() },
      ],
    });
    const lines = statusLines(plain, { status: { conditions: [] }, domains: [domain], apps: [] }, now);
    const at = lines.indexOf('Domain big: Ready, 1 of 3 other members connected (1 more when needed)');
    expect(lines.slice(at + 1, at + 4).map((line) => line.trim().replace(/ {2,}/g, '  '))).toEqual([
      'node3  away for 60s',
      'node2  connected for 60s  direct',
      'node1  reached when needed  192.0.2.1:7701',
    ]);
  });

  it('tells a newcomer what to do', () => {
    const lines = statusLines(plain, { status: { ...status, mesh: [], conditions: [], announce: [] }, domains: [], apps: [] }, now);
    expect(lines).toContain('Mesh      closed: opens when this node is in a domain');
    expect(lines).toContain('In no domain. Found one with "dtkd domain create NAME", or join one with "dtkd domain join ADDRESS TOKEN".');
    expect(lines).toContain('No apps. Share one with "dtkd app expose NAME --to HOST:PORT".');
  });

  it('names no port of a domain that has none', () => {
    const removed = { ...status, mesh: [{ domain: 'old' }] };
    expect(statusLines(plain, { status: removed, domains: [], apps: [] }, now)).toContain(
      'Mesh        closed: opens when this node is in a domain',
    );
  });

  it('names a domain that is not ready, once', () => {
    const joining = parseDomainInfo({ name: 'far', state: 'Joining', message: 'joining through 192.0.2.9' });
    const lines = statusLines(plain, { status: { conditions: [] }, domains: [joining], apps: [] }, now);
    expect(lines.filter((line) => line.includes('192.0.2.9'))).toEqual(['! far is Joining: joining through 192.0.2.9']);
  });
});
