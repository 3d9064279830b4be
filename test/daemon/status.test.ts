import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../daemon/src/config.ts';
import type { DomainState, DomainView } from '../../daemon/src/mesh/mesh.types.ts';
import { conditions, maintained, summaryText } from '../../daemon/src/status.ts';
import { parseDomainId, parsePeerId, parsePeerKey } from '../../protocol/ids.ts';

describe('what dtkd up prints', () => {
  const summary = (joining: string[]): string =>
    summaryText({
      config: loadConfig({ data: '/nowhere', mesh: '7711' }, {}),
      name: 'node1',
      version: '0.0.0',
      apiUrl: 'https://127.0.0.1:7710',
      ingress: { host: '127.0.0.1', port: 7712 },
      mesh: { domains: () => [], counters: () => ({}) },
      joining,
    });

  it('leads a node that is in no domain to one, unless it was told to join one', () => {
    expect(summary([])).toContain('next      dtkd domain create NAME, or dtkd domain join ADDR TOKEN; then open TCP port 7711');
    expect(summary(['orchard'])).toMatch(/\n {2}domains {3}orchard \(Joining\)$/);
  });
});

describe('what wants attention', () => {
  it('is a maintenance that goes on', () => {
    const node = (spec: object) => ({
      apiVersion: 'dtkd.dev/v1',
      kind: 'Node',
      metadata: { name: 'node0', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' },
      spec,
    });
    expect(maintained(node({ maintenance: { since: '2026-01-01T00:00:00Z', reason: 'new disks' } }))).toEqual([
      'in maintenance since 2026-01-01T00:00:00Z (new disks): commands of others skip this node until "dtkd node maintain off"',
    ]);
    expect(maintained(node({ maintenance: {} }))).toHaveLength(1);
    for (const other of [undefined, node({}), node({ tags: ['web'] })]) expect(maintained(other)).toEqual([]);
  });

  const key = parsePeerKey('b'.repeat(64));
  const id = parsePeerId('c'.repeat(32));
  const domain = (name: string, state: DomainState, message?: string): DomainView => ({
    id: parseDomainId('a'.repeat(64)),
    name,
    state,
    message,
    self: key,
    holdsRoot: false,
    founderName: undefined,
    port: 7701,
    peers: [
      {
        key,
        id,
        displayName: 'node2',
        claimedName: 'node2',
        self: false,
        founder: false,
        connected: false,
        reach: state === 'Ready' ? 'connected' : 'away',
        path: undefined,
        address: undefined,
        since: undefined,
        misfit: false,
        suspended: false,
        conditions: [],
        heardRemovals: [],
      },
    ],
    removed: [],
  });

  it('is also said of a domain that is Ready, and not of the members of one that this node left', () => {
    expect(conditions([domain('fine', 'Ready'), domain('plant', 'Ready', 'waits'), domain('old', 'Removed', 'it was removed')])).toEqual([
      'plant: waits',
      'old is Removed: it was removed',
    ]);
  });
});
