import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EndpointRules, plainAddress, refusedEndpoint } from '../../daemon/src/apps/endpoint-policy.ts';
import { resolveTargets } from '../../daemon/src/apps/targets.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { endpoints, service } from './site.ts';

const RULES: EndpointRules = {
  ownListeners: [
    { host: '127.0.0.1', port: 7702 },
    { host: '0.0.0.0', port: 7701 },
    { host: '::', port: 7711 },
  ],
  localAddresses: new Set(['127.0.0.1', '::1', '10.0.0.5', 'fe80::1']),
  byOperator: true,
};

describe('the endpoint policy', () => {
  it.each<[string, number, boolean]>([
    ['10.1.2.3', 80, true],
    ['2001:db8::1', 80, true],
    ['127.0.0.1', 80, true],
    ['::1', 80, true],
    ['169.254.1.1', 80, true],
    ['127.0.0.1', 7702, false],
    ['::ffff:127.0.0.1', 7702, false],
    ['::ffff:7f00:1', 7702, false],
    ['0:0:0:0:0:ffff:127.0.0.1', 7702, false],
    ['10.0.0.5', 7702, true],
    ['10.0.0.5', 7701, false],
    ['127.9.9.9', 7701, false],
    ['::1', 7711, false],
    ['0:0:0:0:0:0:0:1', 7711, false],
    ['10.0.0.6', 7701, true],
    ['0.0.0.0', 80, false],
    ['::', 80, false],
    ['::ffff:0.0.0.0', 80, false],
    ['224.0.0.1', 80, false],
    ['255.255.255.255', 80, false],
    ['ff02::1', 80, false],
    ['not-an-address', 80, false],
  ])('%s port %i: %s', (ip, port, allowed) => {
    expect(refusedEndpoint(ip, port, RULES) === undefined).toBe(allowed);
  });

  it('keeps loopback and link-local for the operator', () => {
    for (const ip of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1', '169.254.169.254', 'fe80::2', '::ffff:169.254.169.254']) {
      expect(refusedEndpoint(ip, 80, { ...RULES, byOperator: false })).toMatch(/operator/);
    }
    expect(refusedEndpoint('10.1.2.3', 80, { ...RULES, byOperator: false })).toBeUndefined();
  });

  it('knows an IPv4 address in every clothing', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        const [a = 0, b = 0, c = 0, d = 0] = ip.split('.').map(Number);
        const hex = `::ffff:${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        return plainAddress(`::ffff:${ip}`) === ip && plainAddress(hex) === ip && plainAddress(hex.toUpperCase()) === ip;
      }),
    );
  });
});

function endpointsOf(subsets: unknown): ApiObject {
  return { ...endpoints('n', 'app', []), subsets };
}

describe('the targets of an app', () => {
  const one = endpoints('n', 'app', [1234]);

  it('are found by target port, name, or as the only one', () => {
    const resolve = (port: object, entries: object[], selected?: number | string) =>
      resolveTargets(
        { name: 'app', ...(selected === undefined ? {} : { port: selected }) },
        service('n', 'app', [port]),
        endpointsOf([{ addresses: [{ ip: '10.0.0.1' }], ports: entries }]),
        RULES,
      );
    const found = { state: 'Ready', targets: [{ host: '10.0.0.1', port: 12345 }] };
    expect(resolve({ port: 8080, targetPort: 12345 }, [{ port: 1 }, { port: 12345 }])).toEqual(found);
    expect(
      resolve({ port: 8080, targetPort: 'web' }, [
        { port: 1, name: 'x' },
        { port: 12345, name: 'web' },
      ]),
    ).toEqual(found);
    expect(
      resolve({ port: 8080, name: 'web' }, [
        { port: 1, name: 'x' },
        { port: 12345, name: 'web' },
      ]),
    ).toEqual(found);
    expect(resolve({ port: 8080 }, [{ port: 12345 }])).toEqual(found);
    expect(resolve({ port: 9000, name: 'web', targetPort: 12345 }, [{ port: 12345 }], 'web')).toEqual(found);
    expect(resolve({ port: 9000, targetPort: 12345 }, [{ port: 12345 }], 9000)).toEqual(found);
    expect(resolve({ port: 9000, targetPort: 12345 }, [{ port: 12345 }], 9001)).toMatchObject({ state: 'NoService' });
    expect(resolve({ port: 9000, targetPort: 'web' }, [{ port: 12345 }])).toMatchObject({ state: 'NoEndpoints' });
  });

  it('take 8080 of several ports, or want a choice', () => {
    const ports = (...numbers: number[]) =>
      service(
        'n',
        'app',
        numbers.map((port) => ({ port, targetPort: 1234 })),
      );
    expect(resolveTargets({ name: 'app' }, ports(80, 8080), one, RULES)).toMatchObject({ state: 'Ready' });
    expect(resolveTargets({ name: 'app' }, ports(80, 81), one, RULES)).toMatchObject({
      state: 'NoService',
      message: expect.stringContaining('several'),
    });
  });

  it('keep their order, over all subsets, without those that may not be dialled', () => {
    const many = endpointsOf([
      { addresses: [{ ip: '10.0.0.1' }, { ip: '0.0.0.0' }, { ip: '10.0.0.2' }], ports: [{ name: 'web', port: 1 }] },
      { notReadyAddresses: [{ ip: '10.0.0.9' }], ports: [{ name: 'web', port: 1 }] },
      { addresses: [{ ip: '10.0.0.3' }], ports: [{ name: 'web', port: 2 }] },
    ]);
    const targets = [
      { host: '10.0.0.1', port: 1 },
      { host: '10.0.0.2', port: 1 },
      { host: '10.0.0.3', port: 2 },
    ];
    expect(resolveTargets({ name: 'app' }, service('n', 'app'), many, RULES)).toEqual({ state: 'Ready', targets });
  });

  it('say what is missing', () => {
    expect(resolveTargets(undefined, undefined, undefined, RULES)).toMatchObject({ state: 'NoService' });
    expect(resolveTargets({ name: 'app' }, undefined, one, RULES)).toMatchObject({
      state: 'NoService',
      message: expect.stringContaining('"app"'),
    });
    expect(resolveTargets({ name: 'app' }, service('n', 'app'), undefined, RULES)).toMatchObject({ state: 'NoEndpoints' });
    const own = endpoints('n', 'app', [7702]);
    expect(resolveTargets({ name: 'app' }, service('n', 'app'), own, RULES)).toMatchObject({
      state: 'NoEndpoints',
      message: expect.stringContaining('a port of dtkd itself'),
    });
  });
});
