import { mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import type { Content, Modules } from '../../../daemon/src/dispatch/dispatch.types.ts';
import { type ModuleArchive, type ModuleManifest, moduleArchive, moduleManifest } from '../../../protocol/definitions/module.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { hashHex } from '../../../protocol/keys/signing.ts';
import type { Bundle } from '../../../protocol/orders/bundle.ts';
import { signBundle } from '../../../protocol/orders/signed-bundle.ts';
import { commandWork, from, noContent, orderOf, outputOf, ownerKey, SERVICE, TARGET, type World, world } from './world.ts';

let current: World | undefined;
afterEach(async () => {
  await current?.close();
  current = undefined;
});

const MANIFEST: ModuleManifest = moduleManifest.parse({
  dsl_version: '1.0',
  module: 'acme/web',
  version: '1.0.0',
  types: {
    Service: {
      templates: [
        { from: 'conf.tmpl', to: 'etc/web.conf' },
        { from: 'conf.tmpl', to: 'bin/conf', executable: true },
      ],
      commands: {
        install: { script: { file: 'bin/install' } },
        Start: { script: { file: 'bin/start', args: ['--now'] } },
      },
    },
  },
});
const text = (value: string) => Uint8Array.from(Buffer.from(value));
const ARCHIVE: ModuleArchive = moduleArchive.parse({
  version: 1,
  files: [
    { path: 'bin/install', executable: true, data: text('#!/bin/sh\necho installed\n') },
    { path: 'bin/start', executable: false, data: text('echo started $1 $0\n') },
    { path: 'conf.tmpl', executable: false, data: text(`port=\${properties.port}\nname=\${resource.name}\nliteral=$\${x}\n`) },
    { path: 'dtk.module.yaml', executable: false, data: text('…') },
  ],
});
const BYTES = encodeCbor(ARCHIVE);
const DIGEST = hashHex(BYTES);
const CODE = { name: 'acme/web', version: '1.0.0', digest: DIGEST, publisher: ownerKey.publicKey };
const STATEMENT = encodeCbor({ name: 'acme/web', version: '1.0.0', digest: DIGEST, publisher: ownerKey.publicKey });

function bundle(): Uint8Array {
  const content: Bundle = {
    version: 1,
    owner: ownerKey.publicKey,
    ownerName: 'builder',
    revision: 1,
    resources: [SERVICE],
    types: { service: { name: 'Service', code: CODE } },
    modules: [{ statement: Uint8Array.from(STATEMENT), signature: Uint8Array.from(ownerKey.sign('module', STATEMENT)) }],
  };
  return signBundle(content, ownerKey);
}

/** Modules as far as a target needs them, unpacked below `directory()`. */
function fakeModules(directory: () => string): Modules & { kept: string[] } {
  const kept: string[] = [];
  return {
    kept,
    get: async (digest) => (kept.includes(digest) ? { manifest: MANIFEST, archive: ARCHIVE, ref: CODE } : undefined),
    keep: async (_signed, bytes) => {
      if (hashHex(bytes) !== DIGEST) throw new DtkdError('CONTENT_ALTERED', 'it is not what was signed');
      kept.push(DIGEST);
      return CODE;
    },
    directory: async (digest) => {
      const root = join(directory(), 'modules', digest);
      for (const { path, executable, data } of ARCHIVE.files) {
        await mkdir(join(root, path, '..'), { recursive: true });
        await writeFile(join(root, path), data, { mode: executable ? 0o755 : 0o644 });
      }
      return root;
    },
  };
}

async function make(content: Partial<Content>): Promise<{ site: World; modules: ReturnType<typeof fakeModules> }> {
  const modules = fakeModules(() => current?.directory ?? '');
  current = await world({ modules, content: { ...noContent, ...content } });
  return { site: current, modules };
}

async function start(site: World) {
  const order = orderOf({ work: commandWork('Start', { [CODE.name]: CODE.digest }) });
  return site.target.accept(from(site), { order: order.bytes, bundle: bundle() });
}

describe('a target without the module', () => {
  it('fetches it from whoever brought the order, installs the resource and runs', async () => {
    const asked: unknown[] = [];
    const { site, modules } = await make({
      fetch: async (digest, options) => {
        asked.push({ digest, from: options.from });
        const path = join(current?.directory ?? '', 'fetched');
        await writeFile(path, BYTES);
        return path;
      },
    });
    const part = await start(site);
    expect(part.part().state).toBe('accepted');
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    expect((await outputOf(part)).out).toMatch(/^installed\nstarted --now \/.*\/bin\/start\n$/);
    expect(asked).toMatchObject([{ digest: DIGEST, from: { domain: expect.any(String) } }]);
    expect(modules.kept).toEqual([DIGEST]);
    const directory = join(site.directory, 'resources', ownerKey.publicKey.slice(0, 32), 'shop', 'Service', 'web');
    expect(await readFile(join(directory, 'etc/web.conf'), 'utf8')).toBe(`port=8080\nname=web\nliteral=\${x}\n`);
    expect((await stat(join(directory, 'bin/conf'))).mode & 0o111).not.toBe(0);
    const pins = (await site.store.get({ group: 'dtkd.dev', plural: 'policies', namespace: TARGET, name: 'node' }))?.['spec'];
    expect(pins).toMatchObject({ pins: { 'acme/web': { digest: DIGEST, version: '1.0.0', node: 'builder' } } });
    await rm(join(directory, 'etc'), { recursive: true });
    expect((await outputOf(await start(site))).out).toMatch(/^started/);
  });

  it.each([
    ['nobody has it', () => Promise.reject(new DtkdError('CONTENT_MISSING', 'no member has it')), 'CONTENT_MISSING'],
    [
      'what comes is not it',
      async () => {
        const path = join(current?.directory ?? '', 'fetched');
        await writeFile(path, 'something else');
        return path;
      },
      'CONTENT_ALTERED',
    ],
  ])('refuses if %s', async (_what, fetch, code) => {
    const { site } = await make({ fetch });
    const part = await (await start(site)).ended;
    expect(part).toMatchObject({ outcome: 'refused', code });
    expect(part.startedAt).toBeUndefined();
  });

  it('stops fetching when it is aborted', async () => {
    const { site } = await make({
      fetch: (_digest, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
    });
    const part = await start(site);
    expect(await site.target.abort({ type: 'operator', name: 'operator' }, part.id)).toMatchObject([
      { outcome: 'skipped', code: 'ABORTED' },
    ]);
  });
});

describe('files', () => {
  it('are put in place whole, and read', async () => {
    const content = text('hello\n');
    const digest = hashHex(content);
    const allowed: unknown[] = [];
    const { site } = await make({
      fetch: async () => {
        const path = join(current?.directory ?? '', 'fetched');
        await writeFile(path, content);
        return path;
      },
      take: async (source) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of source) chunks.push(Uint8Array.from(chunk));
        const bytes = Buffer.concat(chunks);
        return { digest: hashHex(bytes), size: bytes.length };
      },
      allow: async (...given) => void allowed.push(given),
    });
    const path = join(site.directory, 'motd');
    const put = orderOf({ work: { type: 'put', path, mode: 0o640, size: content.length, digest } });
    expect(await (await site.target.accept(from(site), { order: put.bytes })).ended).toMatchObject({
      outcome: 'succeeded',
      what: `cp to ${path}`,
    });
    expect(await readFile(path, 'utf8')).toBe('hello\n');
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    const get = orderOf({ work: { type: 'get', path } });
    expect(await (await site.target.accept(from(site), { order: get.bytes })).ended).toMatchObject({
      outcome: 'succeeded',
      file: { digest, size: 6, mode: 0o640 },
    });
    expect(allowed).toMatchObject([[digest, [{ domain: expect.any(String) }], expect.any(Number)]]);
    const missing = orderOf({ work: { type: 'get', path: join(site.directory, 'absent') } });
    expect(await (await site.target.accept(from(site), { order: missing.bytes })).ended).toMatchObject({
      outcome: 'failed',
      code: 'NOT_FOUND',
    });
  });

  it('are read no longer than they may be, whatever is collected meanwhile', async () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const { site } = await make({
      take: async (source) => {
        let size = 0;
        for await (const chunk of source) {
          collect();
          size += chunk.length;
          if (size > 2 ** 30) throw new Error('it is read on and on');
        }
        return { digest: '', size };
      },
    });
    const path = join(site.directory, 'endless');
    await writeFile(path, '');
    await truncate(path, 2 ** 40);
    const get = orderOf({ work: { type: 'get', path }, header: { timeoutMs: 50 } });
    expect(await (await site.target.accept(from(site), { order: get.bytes })).ended).toMatchObject({ outcome: 'failed', code: 'TIMEOUT' });
  });
});
