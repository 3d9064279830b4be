import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress, isLanAddress, parseAddress } from '../../../protocol/peers/address.ts';

const refused = (text: string): unknown =>
  expect(() => parseAddress(text), text).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }));

describe('parseAddress', () => {
  it.each([
    ['1.2.3.4', '1.2.3.4', 7701],
    [' 1.2.3.4 ', '1.2.3.4', 7701],
    ['1.2.3.4:80', '1.2.3.4', 80],
    ['node1.example.org', 'node1.example.org', 7701],
    ['Node1.Example.org:7801', 'node1.example.org', 7801],
    ['localhost', 'localhost', 7701],
    ['::1', '::1', 7701],
    ['[::1]', '::1', 7701],
    ['[2001:DB8::1]:9000', '2001:db8::1', 9000],
    ['/ip4/192.0.2.1/tcp/7701', '192.0.2.1', 7701],
    ['/ip6/::1/tcp/1', '::1', 1],
    ['/dns4/a.example/tcp/7701/p2p/12D3KooWLPwAuS3kqfLkaSAZu5FzDQRu6Nfosq2biCyfExBeM1xa', 'a.example', 7701],
  ])('reads %s', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port });
  });

  it.each([
    '',
    ' ',
    '1.2.3',
    '1.2.3.400',
    'host:0',
    'host:65536',
    'host:x',
    'a:1:2',
    '[::1',
    '[1.2.3.4]:1',
    'under score.example',
    '-x.example',
    'http://host:7701',
    '/ip4/1.2.3.4',
    '/ip4/1.2.3.4/udp/1/quic-v1',
    '/ip4/::1/tcp/1',
    '/dns/1.2.3.4/tcp/1',
    '/ip4/1.2.3.4/tcp/1/p2p-circuit',
    'x'.repeat(600),
  ])('refuses %j', (text) => {
    refused(text);
  });

  it('reads back what it writes', () => {
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((text) => !text.includes('.')),
      fc.constant('node.example'),
    );
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, port) => {
        const address = { host: name.toLowerCase(), port };
        expect(parseAddress(formatAddress(address))).toEqual(address);
        expect(parseAddress(formatAddress(address, -1))).toEqual(address);
      }),
    );
  });

  it('throws nothing but its own error', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseAddress(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'ADDRESS_INVALID' });
        }
      }),
    );
  });

  it('knows local addresses', () => {
    for (const host of [
      '127.0.0.1',
      '10.1.2.3',
      '192.168.0.1',
      '172.31.0.1',
      '100.64.0.1',
      '::1',
      'fd00::1',
      'fe80::1',
      '::ffff:10.0.0.1',
    ]) {
      expect(isLanAddress(host), host).toBe(true);
    }
    for (const host of ['8.8.8.8', '172.32.0.1', '2001:db8::1', 'example.org', '::ffff:8.8.8.8'])
      expect(isLanAddress(host), host).toBe(false);
  });
});
