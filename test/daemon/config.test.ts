import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, parseListen } from '../../daemon/src/config.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { mistypedVariables } from '../../protocol/settings/settings.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dtkd-config-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function refusal(run: () => unknown): DtkdError {
  try {
    run();
  } catch (error) {
    if (error instanceof DtkdError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('settings', () => {
  it('have defaults for everything', () => {
    const config = loadConfig({ data: directory }, {});
    expect(config).toMatchObject({
      data: directory,
      api: { host: '127.0.0.1', port: 7700 },
      mesh: { host: undefined, port: 7701 },
      ingress: { host: '127.0.0.1', port: 7702 },
      suffix: 'dtkd.localhost',
      mdns: true,
      log: { level: 'info', file: true },
    });
  });

  it('notice a variable that nothing reads and that looks like one of theirs', () => {
    const read = { DTKD_LOG_LEVEL: 'debug', DTKD_NODE: 'node0', DTKD_OPTION_NAME: 'x', DTKD_RESOURCE_TYPE: 'T', DTKD_CA: 'ca.crt' };
    const others = { DTKD_WEB_ROOT: '/srv', ANOUNCE: 'x', PATH: '/bin' };
    expect(mistypedVariables({ ...read, ...others })).toEqual([]);
    expect(mistypedVariables({ ...read, ...others, DTKD_ANOUNCE: 'a.example', DTKD_LOGLEVEL: 'debug' })).toEqual([
      { name: 'DTKD_ANOUNCE', meant: 'DTKD_ANNOUNCE' },
      { name: 'DTKD_LOGLEVEL', meant: 'DTKD_LOG_LEVEL' },
    ]);
  });

  it('say what is wrong with one, and what it may be', () => {
    expect(refusal(() => loadConfig({ data: directory, name: 'Bad_Name' }, {}))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('"Bad_Name" cannot be a node name'),
      next: expect.stringContaining('lower-case letters'),
    });
    const mdns = refusal(() => loadConfig({ data: directory }, { DTKD_MDNS: 'maybe' }));
    expect(mdns.message).toBe('the environment: DTKD_MDNS: must be true or false');
  });

  it('come from the file, over it from variables, over both from flags', () => {
    writeFileSync(join(directory, 'config.yaml'), 'name: file\nsuffix: file.example\nlogLevel: warn\nmdns: false\nannounce: [a, b]\n');
    const environment = { DTKD_DATA: directory, DTKD_SUFFIX: 'variable.example', DTKD_LOG_LEVEL: 'error' };
    expect(loadConfig({ logLevel: 'debug' }, environment)).toMatchObject({
      name: 'file',
      suffix: 'variable.example',
      mdns: false,
      announce: ['a', 'b'],
      log: { level: 'debug' },
    });
    expect(loadConfig({ data: directory, mdns: true }, { DTKD_MDNS: 'false' }).mdns).toBe(true);
    expect(loadConfig({ data: directory }, { DTKD_ANNOUNCE: 'x:1, y' }).announce).toEqual(['x:1', 'y']);
  });

  it.each([
    ['a key that there is not', 'suffixx: a\n', /suffixx/],
    ['a value of the wrong type', 'logLevel: loud\n', /logLevel/],
    ['broken YAML', 'a: [\n', /cannot be read as YAML: [^\n]+$/],
    ['aliases, which can explode', 'a: &a [1]\nname: *a\n', /cannot be read/],
    ['a suffix that is no DNS name', 'suffix: "a b"\n', /suffix/],
    ['a name that is no DNS label', 'name: Not_A_Label\n', /node name/],
    ['a number that was left out', 'logKeep:\n', /config\.yaml: logKeep: must be a whole number/],
    ['a number that is none', 'logMaxBytes: 10MB\n', /config\.yaml: logMaxBytes: must be a whole number/],
    [
      'an address that nobody could dial',
      'announce: [203.0.113.7, "http://site.example"]\n',
      /config\.yaml: announce: must be HOST or HOST:PORT/,
    ],
    ['a list that was left out', 'announce:\n', /config\.yaml: announce: must be a list/],
  ])('refuse %s and say where', (_what, text, expected) => {
    writeFileSync(join(directory, 'config.yaml'), text);
    expect(`${refusal(() => loadConfig({ data: directory }, {})).message}`).toMatch(expected);
  });

  it('take a port that stands alone in the file, as on the command line', () => {
    writeFileSync(join(directory, 'config.yaml'), 'api: 7710\nmesh: 7711\ningress: 7712\nlogKeep: 0\nlogMaxBytes: "8192"\n');
    expect(loadConfig({ data: directory }, {})).toMatchObject({
      api: { host: '127.0.0.1', port: 7710 },
      mesh: { host: undefined, port: 7711 },
      ingress: { host: '127.0.0.1', port: 7712 },
      log: { keep: 0, maxBytes: 8192 },
    });
  });

  it('are not left out where their file is a link that leads nowhere', () => {
    symlinkSync(join(directory, 'not-mounted', 'config.yaml'), join(directory, 'config.yaml'));
    expect(refusal(() => loadConfig({ data: directory }, {}))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('config.yaml cannot be read'),
    });
  });

  it('name the flag or variable that is wrong', () => {
    expect(refusal(() => loadConfig({ data: directory, announce: ['a.example,b.example'] }, {})).message).toContain('--announce: must be');
    expect(refusal(() => loadConfig({ data: directory, logLevel: 'loud' as 'info' }, {})).message).toContain('--log-level');
    expect(refusal(() => loadConfig({ data: directory }, { DTKD_LOG_FORMAT: 'xml' })).message).toContain('DTKD_LOG_FORMAT');
    expect(refusal(() => loadConfig({ config: join(directory, 'none.yaml') }, {})).code).toBe('CONFIG_INVALID');
  });

  it.each([
    ['7700', { host: '0.0.0.0', port: 7700 }],
    ['example.org:1', { host: 'example.org', port: 1 }],
    ['[::1]:65535', { host: '::1', port: 65_535 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ])('read %s as an address to listen on', (text, listen) => {
    expect(parseListen(text, 'api', '0.0.0.0')).toEqual(listen);
  });

  it.each(['', 'host', ':', 'a:b', '1:65536', '::1:80', '[::1]', 'a:1:2'])('refuse %j as an address to listen on', (text) => {
    expect(refusal(() => parseListen(text, 'api', '0.0.0.0')).code).toBe('CONFIG_INVALID');
  });
});
