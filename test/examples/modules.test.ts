import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readModuleDirectory } from '../../cli/module/directory.ts';
import { packArchive, unpackArchive } from '../../protocol/modules/archive.ts';
import { allFaults } from '../../protocol/modules/check.ts';
import { fetchText } from '../harness/http.ts';
import { freePort } from '../harness/ports.ts';
import { ExampleResource, exampleRoot } from './scripts.ts';

describe('the example modules', () => {
  it.each(['database', 'web', 'hosts'])('%s is valid', async (name) => {
    const directory = new URL(`../../examples/modules/${name}`, import.meta.url).pathname;
    expect(await allFaults(unpackArchive(packArchive(await readModuleDirectory(directory))))).toEqual([]);
  });

  it('have the same way of keeping processes', async () => {
    const [web, database] = await Promise.all(
      ['web', 'database'].map((name) => readFile(new URL(`../../examples/modules/${name}/lib/process.sh`, import.meta.url), 'utf8')),
    );
    expect(web).toBe(database);
  });
});

const PAGE = '<p>Hello</p>\n<!-- database -->\n';
const PASSWORD = 'a "quoted" \\ word';

describe('a web service with its database', () => {
  let root: string;
  let db: ExampleResource;
  let web: ExampleResource;
  let ports: { db: number; web: number };

  beforeEach(async () => {
    root = await exampleRoot();
    db = new ExampleResource(root, 'database', 'db');
    web = new ExampleResource(root, 'web', 'web');
    ports = { db: await freePort(), web: await freePort() };
  });
  afterEach(async () => {
    await web.run('take-down');
    await db.run('take-down', { args: ['false'] });
    await rm(root, { recursive: true, force: true });
  });

  const database = (script: string, password = PASSWORD, engine = 'own') =>
    db.run(script, {
      args: script === 'take-down' ? ['true'] : [],
      properties: { port: ports.db, password: 'shop-db', engine },
      secrets: { PASSWORD_FILE: `${password}\n` },
    });
  const server = async (script: string, properties: Record<string, string | number> = {}, password = PASSWORD) => {
    await writePage();
    return web.run(script, {
      properties: {
        port: ports.web,
        'database-host': '127.0.0.1',
        'database-port': ports.db,
        'database-password': 'shop-db',
        ...properties,
      },
      secrets: { DATABASE_PASSWORD_FILE: password },
    });
  };
  const writePage = async () => {
    await web.run('install');
    await writeFile(join(web.directory, 'htdocs/index.html'), PAGE);
  };
  const page = async (path = '/') => fetchText({ target: { host: '127.0.0.1', port: ports.web }, path });

  it('is brought up once, counts its visits there, and is taken down', async () => {
    expect(await database('bring-up')).toMatchObject({ status: 0, text: expect.stringMatching(/^started db: process \d+/) });
    const first = await server('bring-up');
    expect(first).toMatchObject({ status: 0, text: expect.stringMatching(/^started web: process \d+/) });
    const again = await server('bring-up');
    expect(again.text).toBe(`web is as it should be: process ${/process (\d+)/.exec(first.text)?.[1]}, port ${ports.web}`);
    expect(await database('bring-up')).toMatchObject({ status: 0, text: expect.stringMatching(/^db is as it should be/) });
    expect(await page()).toMatchObject({ status: 200, body: `<p>Hello</p>\n<p>Database 127.0.0.1:${ports.db}: visit 1.</p>\n` });
    expect((await page('/')).body).toContain('visit 2.');
    expect(await server('check')).toMatchObject({ status: 0 });
    expect(await database('check')).toMatchObject({ status: 0 });
    expect(await web.run('take-down')).toEqual({ status: 0, text: 'stopped web' });
    expect(await web.run('take-down')).toEqual({ status: 0, text: 'web was not up' });
    expect(await server('check')).toEqual({ status: 1, text: 'web is not up' });
  });

  it('is started again where its settings changed, and its data stay', async () => {
    await database('bring-up');
    await server('bring-up');
    await page();
    ports = { ...ports, web: await freePort() };
    expect(await server('check')).toMatchObject({ status: 1, text: expect.stringContaining('other settings') });
    expect(await server('bring-up')).toMatchObject({ status: 0, text: expect.stringMatching(/^started web/) });
    await database('restart');
    expect((await page()).body).toContain('visit 2.');
    expect((await database('take-down')).text).toContain('its data stay');
    expect((await page()).body).toContain('does not help');
    await database('bring-up');
    expect((await page()).body).toContain('visit 3.');
    await db.run('take-down', { args: ['false'] });
    await database('bring-up');
    expect((await page()).body).toContain('visit 1.');
  });

  it('is told from one that was killed, and from another that has its number', async () => {
    const { text } = await database('bring-up');
    const pid = Number(/process (\d+)/.exec(text)?.[1]);
    await writeFile(join(db.directory, 'var/service.pid'), `${process.pid} 1\n`);
    expect(await database('check')).toEqual({ status: 1, text: 'db is not up' });
    // the one that has the port is still there: told, and nobody else is stopped
    expect(await database('bring-up')).toMatchObject({ status: 1, text: expect.stringContaining('in use by something else') });
    process.kill(pid, 'SIGKILL');
    expect(await database('bring-up')).toMatchObject({ status: 0 });
  });

  it('asks for the password that the Secret has', async () => {
    await database('bring-up');
    expect(await database('check', 'another')).toMatchObject({ status: 1, text: expect.stringContaining('WRONGPASS') });
    await server('bring-up', {}, 'another');
    expect((await page()).body).toContain('does not help: WRONGPASS');
    await web.run('take-down');
    await server('bring-up', {}, '');
    expect((await page()).body).toContain('does not help: NOAUTH');
  });

  it('refuses a port that something else has', async () => {
    const other = createServer((_request, response) => response.end('other'));
    await new Promise<void>((done) => other.listen(ports.web, '127.0.0.1', done));
    try {
      expect(await server('bring-up')).toMatchObject({ status: 1, text: expect.stringContaining('in use by something else') });
    } finally {
      other.close();
    }
    expect(await server('bring-up')).toMatchObject({ status: 0 });
  });

  it('is started once by two commands at a time', async () => {
    await writePage();
    const [one, two] = await Promise.all([database('bring-up', 'x'), database('bring-up', 'x')]);
    expect([one?.status, two?.status]).toEqual([0, 0]);
    expect(`${one?.text}\n${two?.text}`.match(/^started/gm)).toHaveLength(1);
  });

  it('serves files of its directory and no others', async () => {
    await server('bring-up');
    for (const path of ['/../var/service.pid', '/%2e%2e/var/service.pid', '/..%2fvar%2fservice.pid', '/%00', '/%', '/none']) {
      expect((await page(path)).status, path).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('a host', () => {
  it('is looked over before others are placed on it', async () => {
    const root = await exampleRoot();
    try {
      const host = new ExampleResource(root, 'hosts', 'host');
      const properties = { credential: 'site', 'free-mebibytes': 1 };
      expect(await host.run('look-over', { properties, secrets: { CREDENTIAL_FILE: 'x' } })).toMatchObject({ status: 0 });
      expect(await host.run('look-over', { properties, secrets: { CREDENTIAL_FILE: '' } })).toMatchObject({ status: 1 });
      expect(
        await host.run('look-over', { properties: { ...properties, 'free-mebibytes': 999_999_999 }, secrets: { CREDENTIAL_FILE: 'x' } }),
      ).toMatchObject({ status: 1, text: expect.stringContaining('MiB left') });
      expect(await host.run('forget')).toMatchObject({ status: 0 });
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
