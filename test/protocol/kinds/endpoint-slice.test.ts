import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endpointSliceKind } from '../../../protocol/kinds/endpoint-slice.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';

const META = { namespace: 'node0', uid: 'u-1', resourceVersion: '7', generation: 2, creationTimestamp: '2026-11-22T00:00:00Z' };
const endpoints = (subsets: unknown, meta: object = {}): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { name: 'web', ...META, ...meta },
  subsets,
});
const slices = (subsets: unknown, meta: object = {}) => endpointSliceKind.derived?.objects(endpoints(subsets, meta)) ?? [];

describe('EndpointSlices', () => {
  it('follow from Endpoints, one for each sort of address', () => {
    const subset = {
      addresses: [{ ip: '10.1.2.3', hostname: 'a' }, { ip: 'fd00::1' }],
      notReadyAddresses: [{ ip: '10.1.2.4' }],
      ports: [{ port: 12345 }, { name: 'admin', port: 9, appProtocol: 'http' }],
    };
    const ports = [
      { name: '', port: 12345, protocol: 'TCP' },
      { name: 'admin', port: 9, protocol: 'TCP', appProtocol: 'http' },
    ];
    const ready = { ready: true, serving: true, terminating: false };
    const found = slices([subset], { labels: { tier: 'front' } });
    expect(found).toMatchObject([
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          name: 'web-ipv4',
          namespace: 'node0',
          resourceVersion: '7',
          labels: { tier: 'front', 'kubernetes.io/service-name': 'web', 'endpointslice.kubernetes.io/managed-by': 'dtkd.dev' },
          ownerReferences: [{ kind: 'Endpoints', name: 'web', uid: 'u-1', controller: true }],
        },
        addressType: 'IPv4',
        endpoints: [
          { addresses: ['10.1.2.3'], hostname: 'a', conditions: ready },
          { addresses: ['10.1.2.4'], conditions: { ready: false, serving: false, terminating: false } },
        ],
        ports,
      },
      { metadata: { name: 'web-ipv6' }, addressType: 'IPv6', endpoints: [{ addresses: ['fd00::1'], conditions: ready }], ports },
    ]);
    const [a, b] = found.map(({ metadata }) => metadata.uid);
    expect(a).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(b).not.toBe(a);
    for (const { kind: _k, apiVersion: _v, metadata: _m, ...fields } of found)
      expect(endpointSliceKind.schema.parse(fields)).toEqual(fields);
  });

  it('of nothing are none, and of what is no list, too', () => {
    for (const subsets of [undefined, [], [{}], [{ ports: [{ port: 1 }] }], 'x', [{ addresses: 'x' }]]) expect(slices(subsets)).toEqual([]);
  });

  it('have names that are unique and lead back, and fit', () => {
    const label = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,10}[a-z0-9])?$/);
    const name = fc.oneof(
      label.map((text) => `${text}-ipv4`),
      label.map((text) => `${text}-ipv6-2`),
      label,
    );
    const both = { addresses: [{ ip: '10.0.0.1' }, { ip: '::1' }] };
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 8 }), (names) => {
        const all = names.flatMap((each) =>
          slices([both, both, both], { name: each }).map(({ metadata }) => [metadata.name, each] as const),
        );
        expect(new Set(all.map(([slice]) => slice)).size).toBe(names.length * 6);
        for (const [slice, source] of all) expect(endpointSliceKind.derived?.sourceOf(slice)).toBe(source);
      }),
    );
    const [long, other] = ['a', 'b'].map((end) => slices([both], { name: `${'x'.repeat(252)}${end}` })[0]?.metadata.name ?? '');
    expect(long).toHaveLength(253);
    expect(long).not.toBe(other);
  });
});
