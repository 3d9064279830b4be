import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseApp, parseApp } from '../../cli/client/apps.ts';
import { headersOf } from '../../cli/commands/app/curl.ts';
import { formatHostPort, parseHostPort } from '../../cli/input/host-port.ts';
import { parseWanted, requireKind, requireKindOf, requireKinds } from '../../cli/kinds.ts';
import { formatSize } from '../../cli/output/size.ts';
import { nearest } from '../../cli/suggest.ts';
import { APP_LABEL, OWNER_LABEL } from '../../protocol/kinds/dtapp.ts';

describe('kinds by name', () => {
  it('finds a kind by any of its names', () => {
    const long = ['dtapps.sid.sightlineinnovation.com', 'dtapp.sid.sightlineinnovation.com'];
    for (const name of ['dtapp', 'dtapps', 'DTApp', 'app', ...long]) expect(requireKind(name).kind).toBe('dtApp');
    expect(requireKinds('svc,ep').map((kind) => kind.kind)).toEqual(['Service', 'Endpoints']);
    expect(requireKinds('all').map((kind) => kind.kind)).not.toContain('Event');
  });

  it('suggests the nearest', () => {
    expect(() => requireKind('servce')).toThrow('did you mean service?');
    expect(() => requireKind('dtap')).toThrow('did you mean dtapp?');
    expect(() => requireKind('bogus')).toThrow(/^there is no kind "bogus"$/);
    expect(() => requireKindOf({ apiVersion: 'v1', kind: 'dtApp' })).toThrow(
      expect.objectContaining({ next: expect.stringContaining('sid.sightlineinnovation.com/v1') }),
    );
    expect(nearest('satus', ['status', 'get'])).toBe('status');
    expect(nearest('gte', ['status', 'get'])).toBe('get');
    expect(nearest('xyz', ['status', 'get'])).toBeUndefined();
  });

  it('reads KIND NAME... and KIND/NAME...', () => {
    const names = (args: string[]) => parseWanted(args).map(({ kind, names: given }) => [kind.kind, given]);
    expect(names(['svc', 'a', 'b'])).toEqual([['Service', ['a', 'b']]]);
    expect(names(['dtapp.sid.sightlineinnovation.com/a'])).toEqual([['dtApp', ['a']]]);
    expect(names(['svc/a', 'ep/a', 'service/b'])).toEqual([
      ['Service', ['a', 'b']],
      ['Endpoints', ['a']],
    ]);
    expect(() => parseWanted(['svc/a', 'b'])).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});

describe('parseHostPort', () => {
  it('reads names, addresses and ports alone', () => {
    expect(parseHostPort('db.local:5432')).toEqual({ host: 'db.local', port: 5432 });
    expect(parseHostPort('[2001:db8::5]:80')).toEqual({ host: '2001:db8::5', port: 80 });
    expect(parseHostPort('8080')).toEqual({ host: '127.0.0.1', port: 8080 });
    expect(parseHostPort(':8080')).toEqual({ host: '127.0.0.1', port: 8080 });
  });

  it.each(['', 'host', 'host:', 'host:0', 'host:65536', '2001:db8::5:80', '[host]:80', 'a b:80', 'http://x:80'])('refuses "%s"', (text) => {
    expect(() => parseHostPort(text)).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }));
  });

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        expect(parseHostPort(formatHostPort({ host, port }))).toEqual({ host, port });
      }),
    );
  });
});

describe('chooseApp', () => {
  const copy = (owner: string, id: string) =>
    parseApp({ metadata: { name: id, namespace: 'node0', labels: { [APP_LABEL]: 'wiki', [OWNER_LABEL]: owner } }, owner });
  const own = parseApp({ metadata: { name: 'db', namespace: 'node0' }, spec: { domainSelector: { name: ['d'] } } });

  it('takes a name, OWNER/NAME or the name of the copy', () => {
    const apps = [copy('node1', '0dc2'), own];
    for (const name of ['wiki', 'node1/wiki', '0dc2']) expect(chooseApp(apps, name).object).toBe('0dc2');
    expect(chooseApp(apps, 'db')).toMatchObject({ owner: 'node0', isCopy: false, domains: ['d'] });
  });

  it('asks back where several nodes share one name', () => {
    const apps = [copy('node1', 'a'), copy('node2', 'b')];
    expect(() => chooseApp(apps, 'wiki')).toThrow(
      expect.objectContaining({ code: 'AMBIGUOUS', next: expect.stringContaining('node1/wiki, node2/wiki') }),
    );
    expect(() => chooseApp(apps, 'wikki')).toThrow('did you mean wiki?');
  });
});

describe('small things', () => {
  it('formats sizes', () => {
    expect([0, 812, 1536, 24_117_248, 3 * 2 ** 40].map(formatSize)).toEqual(['0 B', '812 B', '1.5 KiB', '23 MiB', '3.0 TiB']);
  });

  it('reads headers as curl does', () => {
    expect(headersOf(['X-A: 1', 'x-a: 2', 'Host: other'], Buffer.from('ab'))).toEqual({
      'content-length': '2',
      'x-a': ['1', '2'],
      host: 'other',
    });
    expect(() => headersOf(['no header'], undefined)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});
