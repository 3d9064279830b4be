/** A published module that is fetched while its publisher is away, from several members at once, one of which gives altered bytes. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isRecord } from '../../../protocol/encoding/json.ts';
import { digestOf } from '../../../protocol/modules/archive.ts';
import { formDomain } from '../../harness/domain.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { waitFor } from '../../wait.ts';
import { ok } from '../dispatch/field.ts';

const stage = useStage({ story: true });
const DOMAIN = 'market';
let sites: Site[] = [];
const site = (at: number): Site => {
  const one = sites[at];
  if (one === undefined) throw new Error('the sites are not started');
  return one;
};

async function moduleDirectory(name: string, manifest: Record<string, unknown>, files: Record<string, Uint8Array> = {}): Promise<string> {
  const directory = join(stage.current.directory, name);
  await mkdir(join(directory, 'data'), { recursive: true });
  // JSON is YAML
  await writeFile(join(directory, 'dtk.module.yaml'), JSON.stringify({ dsl_version: '1.0', ...manifest }, null, 2));
  for (const [path, bytes] of Object.entries(files)) await writeFile(join(directory, path), bytes);
  return directory;
}

async function released(at: Site, name: string): Promise<void> {
  await waitFor(async () => (await at.list('releases', { all: true })).some(({ metadata }) => metadata.name === name), {
    what: `${at.name} to know the release ${name}`,
  });
}

const specOf = (object: unknown) => (isRecord(object) && isRecord(object['spec']) ? object['spec'] : {});

/** Changes a byte in each piece of a content file of a running daemon. */
async function alter(at: Site, digest: string): Promise<void> {
  const path = join(at.dir, 'content', digest.slice(0, 2), digest.slice(2));
  const bytes = await readFile(path);
  for (let offset = 5_000; offset < bytes.length; offset += 50_000) bytes[offset] = (bytes[offset] ?? 0) ^ 0xff;
  await writeFile(path, bytes);
}

describe('a released module', () => {
  let digest = '';

  it('is published with what it needs, and known to every member', async () => {
    sites = await stage.current.startAll('maker', 'one', 'two', 'late');
    await formDomain(DOMAIN, sites);
    const base = await moduleDirectory('base', { module: 'acme/base', version: '1.1.0', types: { Base: {} } });
    const web = await moduleDirectory(
      'web',
      {
        module: 'acme/web',
        version: '1.0.0',
        description: 'A large one.',
        dependencies: { 'acme/base': '^1.0.0' },
        types: { Web: { properties: { port: { type: 'port', default: 80 } } } },
        assemblies: { tier: { components: { web: { type: 'Web' } } } },
      },
      { 'data/large': randomBytes(5_000_000) },
    );
    await ok(site(0), 'module', 'install', base);
    await ok(site(0), 'module', 'install', web);
    expect(await readFile(join(web, 'dtk.lock.yaml'), 'utf8')).toContain('acme/base:');
    digest = String(specOf(await site(0).get('module', 'acme.web-1.0.0'))['digest']);
    expect(specOf(await site(0).get('assembly', 'acme.web-1.0.0.tier'))).toMatchObject({ module: 'acme/web', components: ['web'] });
    await ok(site(0), 'module', 'publish', 'acme/base');
    expect(await ok(site(0), 'module', 'publish', 'acme/web', '--domain', DOMAIN)).toContain('Published acme/web 1.0.0 to market.');
    expect((await site(0).cli('module', 'rm', 'acme/web')).stderr).toContain('is published');
    for (const other of sites.slice(1)) await released(other, 'acme.web-1.0.0');
    expect(await ok(site(3), 'module', 'ls', '--released')).toMatch(/maker +acme\.web-1\.0\.0 +acme\/web +1\.0\.0/);
  });

  it('is fetched by members, who give it on', async () => {
    for (const other of [site(1), site(2)]) {
      const { code, stdout, stderr } = await other.cli('module', 'fetch', 'acme/web');
      expect(code, stderr).toBe(0);
      expect(stdout).toContain('acme/web 1.0.0, published by maker, can be staged here, with acme/base 1.1.0.');
      expect(specOf(await other.get('module', 'acme.web-1.0.0'))).toMatchObject({ active: false, digest, publisher: { node: 'maker' } });
      expect(await other.get('assembly', 'acme.web-1.0.0.tier')).toBeDefined();
      expect(await other.get('type', 'web')).toBeUndefined();
    }
    expect(await ok(site(1), 'module', 'fetch', 'acme/web')).toContain('is here already');
  });

  it('is fetched from the others at once while its publisher is away; who gives altered bytes is found out and named', async () => {
    await site(0).kill9();
    await alter(site(1), digest);
    const fetched = await site(3).cli('module', 'fetch', 'acme/web@^1.0');
    expect(fetched.code, fetched.stderr).toBe(0);
    expect(fetched.stderr).toContain('one serves an altered copy');
    expect(specOf(await site(3).get('module', 'acme.web-1.0.0'))).toMatchObject({ digest, active: false });
    const message = await waitFor(
      async () => (await site(3).list('events')).map((event) => String(event['message'])).find((one) => one.includes('altered copy')),
      { what: 'an Event of the altered copy' },
    );
    expect(message).toContain('one serves an altered copy of acme/web 1.0.0');
    const again = await site(3).cli('module', 'publish', 'acme/web');
    expect(again).toMatchObject({ code: 6, stderr: expect.stringContaining('acme/web 1.0.0 belongs to maker') });
    const bytes = await readFile(join(site(3).dir, 'content', digest.slice(0, 2), digest.slice(2)));
    expect(digestOf(bytes)).toBe(digest);
  });

  it('is unpublished, and stays with those who have it', async () => {
    await site(0).start();
    await ok(site(0), 'module', 'unpublish', 'acme/web');
    await waitFor(async () => (await site(3).list('releases', { all: true })).every(({ metadata }) => metadata.name !== 'acme.web-1.0.0'), {
      what: 'the release to go',
    });
    expect(await ok(site(3), 'module', 'show', 'acme/web')).toContain('it is here only to be staged');
    await ok(site(3), 'module', 'rm', 'acme/web');
    expect(await site(3).get('assembly', 'acme.web-1.0.0.tier')).toBeUndefined();
    expect((await site(3).cli('module', 'fetch', 'acme/web')).stderr).toContain('nobody has released');
  });
});
