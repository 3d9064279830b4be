import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../../cli/client/api.ts';
import { getContent, putContent, putFile } from '../../cli/client/content.ts';
import { HttpsClient } from '../../cli/client/https.ts';
import { findDaemon } from '../../cli/config.ts';
import { readModuleDirectory } from '../../cli/module/directory.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { dtDomainKind } from '../../protocol/kinds/dtdomain.ts';
import { modelKind } from '../../protocol/kinds/model.ts';
import { moduleKind } from '../../protocol/kinds/module.ts';
import { releaseKind } from '../../protocol/kinds/release.ts';
import { resourceKind } from '../../protocol/kinds/resource.ts';
import { typeKind } from '../../protocol/kinds/type.ts';
import { digestOf, unpackArchive } from '../../protocol/modules/archive.ts';
import { readLock } from '../../protocol/modules/lock.ts';
import { FakeDaemon, runCli } from './fake-daemon.ts';

const DIGEST = 'a'.repeat(64);
const SPEC = {
  module: 'acme/web',
  version: '1.2.0',
  description: 'The web of acme.',
  digest: DIGEST,
  size: 1234,
  files: 3,
  types: ['Web'],
  publisher: { node: 'node0', key: 'b'.repeat(64) },
  statement: 'AA==',
  signature: 'AA==',
};

let root: string;
let daemon: FakeDaemon;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dtkd-cli-modules-'));
  daemon = await FakeDaemon.start();
  daemon.put(moduleKind, 'acme.web-1.2.0', { spec: SPEC });
  daemon.put(typeKind, 'web', {
    spec: {
      extends: 'Service',
      commands: {
        Start: { description: 'Starts it.', workflow: { steps: [{ command: 'run' }] } },
        run: { private: true, script: { inline: 'true' } },
      },
    },
  });
  daemon.script('PUT', /daemon\/content$/, ({ bytes = Buffer.alloc(0) }) => ({ digest: digestOf(bytes), size: bytes.length }));
  daemon.script('POST', /daemon\/modules$/, () => ({
    kind: 'Module',
    metadata: { name: 'acme.web-0.1.0' },
    spec: { ...SPEC, version: '0.1.0' },
    changes: { created: ['Web'], changed: [], removed: ['Old', 'Older'] },
  }));
});

afterAll(async () => {
  await daemon.stop();
  await rm(root, { recursive: true, force: true });
});

async function newModule(name: string): Promise<string> {
  const directory = join(root, name);
  const made = await runCli({}, 'module', 'init', directory, 'acme/web');
  expect(made.code, made.stderr).toBe(0);
  return directory;
}

describe('a module in a directory', () => {
  it('is begun as one that is valid', async () => {
    const directory = await newModule('begun');
    expect((await stat(join(directory, 'bin/start'))).mode & 0o111).not.toBe(0);
    const checked = await runCli({}, 'module', 'validate', directory);
    expect(checked).toMatchObject({ code: 0, stdout: 'acme/web 0.1.0 is valid: 4 files, types Web\n' });
    const again = await runCli({}, 'module', 'init', directory, 'acme/web');
    expect(again.code).toBe(6);
    expect(again.stderr).toContain('already exists');
    // a directory that has one of the files gets none of the others
    const own = join(root, 'own');
    await mkdir(join(own, 'bin'), { recursive: true });
    await writeFile(join(own, 'bin/stop'), 'mine');
    expect(await runCli({}, 'module', 'init', own, 'acme/web')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('own/bin/stop already exists'),
    });
    expect(await readdir(own, { recursive: true })).toEqual(['bin', 'bin/stop']);
    const below = await runCli({}, 'module', 'init', join(own, 'bin/stop/web'), 'acme/web');
    expect(below).toMatchObject({ code: 6, stderr: expect.stringContaining('own/bin/stop') });
    expect((await runCli({}, 'module', 'init', join(root, 'x'), 'Web')).stderr).toContain('is not the name of a module');
    const spaced = join(root, 'my web');
    expect((await runCli({}, 'module', 'init', spaced, 'acme/web')).stderr).toContain(`then: dtkd module install '${spaced}'\n`);
    await rm(join(spaced, 'dtk.module.yaml'));
    expect((await runCli({}, 'module', 'validate', spaced)).stderr).toContain(`dtkd module init '${spaced}' acme/web`);
  });

  it('is judged without a daemon, and all that is wrong is told', async () => {
    const directory = await newModule('wrong');
    const manifest = join(directory, 'dtk.module.yaml');
    await writeFile(
      manifest,
      (await readFile(manifest, 'utf8')).replace('bin/stop', 'bin/sotp').replace('command: startService', 'command: gone'),
    );
    const { code, stderr } = await runCli({}, 'module', 'validate', directory);
    expect(code).toBe(2);
    expect(stderr).toContain('2 things are wrong');
    expect(stderr).toMatch(/dtk\.module\.yaml:\d+:\d+: types\.Web\.commands\.Start\..*: type Web has no command gone/);
    expect(stderr).toContain('types.Web.commands.Stop.script.file: the module has no file "bin/sotp"');
    await writeFile(manifest, 'dsl_version: "1.0"\nmodule: Acme\n');
    const { stdout } = await runCli({}, 'module', 'validate', directory, '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ valid: false, faults: [{ field: 'version' }, { field: 'module' }] });
    await writeFile(manifest, 'a: [');
    expect((await runCli({}, 'module', 'validate', directory)).stderr).toContain('cannot be read as YAML');
  });

  it('has plain files only, and a manifest', async () => {
    const directory = await newModule('links');
    await mkdir(join(directory, '.git'));
    await writeFile(join(directory, '.git/config'), '');
    expect((await readModuleDirectory(directory)).map(({ path }) => path)).toEqual([
      'bin/assert-up',
      'bin/start',
      'bin/stop',
      'dtk.module.yaml',
    ]);
    await symlink('/etc/passwd', join(directory, 'passwd'));
    expect((await runCli({}, 'module', 'validate', directory)).stderr).toContain('is a link, and a module can only have plain files');
    await rm(join(directory, 'passwd'));
    await rm(join(directory, 'dtk.module.yaml'));
    expect((await runCli({}, 'module', 'validate', directory)).stderr).toContain('there is no dtk.module.yaml');
    expect((await runCli({}, 'module', 'validate', join(root, 'nowhere'))).stderr).toContain('it is not there');
  });

  it('is sent as one archive and installed', async () => {
    const directory = await newModule('sent');
    await chmod(join(directory, 'bin/stop'), 0o644);
    daemon.asked.length = 0;
    const { code, stdout, stderr } = await daemon.cli('module', 'install', directory, '--replace');
    expect(stderr).toBe('');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Installed acme/web 0.1.0\n  types created: Web\n  types removed: Old, Older\n' });
    const [put, post] = daemon.asked;
    const { files } = unpackArchive(put?.bytes ?? Buffer.alloc(0));
    expect(files.map(({ path, executable }) => [path, executable])).toEqual([
      ['bin/assert-up', true],
      ['bin/start', true],
      ['bin/stop', false],
      ['dtk.module.yaml', false],
    ]);
    expect(post?.body).toEqual({ digest: digestOf(put?.bytes ?? Buffer.alloc(0)), replace: true });
    expect((await daemon.cli('module', 'install', directory, '--dry-run')).stdout).toContain('acme/web 0.1.0 would be installed (dry run)');
  });

  it('is not sent if something of it is wrong', async () => {
    const directory = await newModule('unsent');
    await rm(join(directory, 'bin/stop'));
    daemon.asked.length = 0;
    const { code, stderr } = await daemon.cli('module', 'install', directory);
    expect(code).toBe(2);
    expect(stderr).toContain('the module has no file "bin/stop"');
    expect(daemon.asked).toEqual([]);
  });
});

describe('installed modules', () => {
  it('are listed and shown, by the name of the module or of its object', async () => {
    expect((await daemon.cli('module', 'ls')).stdout).toMatch(/acme\/web +1\.2\.0 +node0 +Web/);
    for (const name of ['acme/web', 'acme/web@1.2.0', 'acme.web-1.2.0']) {
      const { stdout } = await daemon.cli('module', 'show', name);
      expect(stdout).toContain('Module:       acme/web 1.2.0');
      expect(stdout).toContain('Type Web, a Service\n  Start  Starts it. (workflow)\n  run    (script, private)');
    }
    expect((await daemon.cli('module', 'show', 'acme/other')).stderr).toContain('module acme/other is not installed on this node');
    expect((await daemon.cli('module', 'show', 'acme/web', '-o', 'yaml')).stdout).toContain('module: acme/web');
  });

  it('are removed', async () => {
    expect((await daemon.cli('module', 'rm', 'acme/web', '--dry-run')).stdout).toContain('acme/web 1.2.0 can be removed');
    daemon.asked.length = 0;
    expect(await daemon.cli('module', 'rm', 'acme/web')).toMatchObject({ code: 0, stdout: 'Removed acme/web 1.2.0.\n' });
    expect(daemon.writes()).toEqual(['DELETE /apis/dtkd.dev/v1/namespaces/node0/modules/acme.web-1.2.0']);
    expect((await daemon.cli('module', 'rm', 'acme/web')).code).toBe(5);
  });
});

describe('released modules', () => {
  it('are published to the domains that are named, or to the only one', async () => {
    daemon.put(dtDomainKind, 'lab', { status: 'Ready' });
    daemon.script('POST', /daemon\/module-publish$/, ({ body }) => ({ kind: 'Release', spec: { ...Object(body), version: '1.2.0' } }));
    expect((await daemon.cli('module', 'publish', 'acme/web')).stdout).toBe('Published acme/web 1.2.0 to lab.\n');
    expect(daemon.asked.at(-1)?.body).toEqual({ module: 'acme/web', domains: ['lab'] });
    expect((await daemon.cli('module', 'publish', 'acme/web@1.2.0', '--domain', 'lab', '-o', 'name')).stdout).toBe('acme/web 1.2.0\n');
    expect(daemon.asked.at(-1)?.body).toEqual({ module: 'acme/web', version: '1.2.0', domains: ['lab'] });
    expect((await daemon.cli('module', 'publish', 'acme/web', '--domain', 'other')).stderr).toContain('in no domain named other');
    daemon.put(dtDomainKind, 'corp', { status: 'Removed', message: 'this node was removed from the domain' });
    expect((await daemon.cli('module', 'publish', 'acme/web', '-o', 'name')).code).toBe(0);
    expect(await daemon.cli('module', 'publish', 'acme/web', '--domain', 'corp')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('a member of corp, so nobody there would see it\nnext: this node was removed from the domain'),
    });
  });

  it('are listed, and taken back', async () => {
    const spec = {
      module: 'acme/web',
      version: '1.2.0',
      digest: DIGEST,
      size: 1,
      chunks: 'AA==',
      publisher: 'b'.repeat(64),
      statement: 'AA==',
      signature: 'AA==',
      domains: ['lab'],
    };
    daemon.put(releaseKind, 'acme.web-1.2.0', { spec });
    expect((await daemon.cli('module', 'ls', '--released')).stdout).toMatch(/acme\.web-1\.2\.0 +acme\/web +1\.2\.0/);
    expect((await daemon.cli('module', 'unpublish', 'acme/web@9.0.0')).stderr).toContain('has not published');
    daemon.asked.length = 0;
    expect((await daemon.cli('module', 'unpublish', 'acme/web')).stdout).toContain('whoever has fetched it keeps it');
    expect(daemon.writes()).toEqual(['DELETE /apis/dtkd.dev/v1/namespaces/default/releases/acme.web-1.2.0']);
  });

  it('are fetched, and everything on the way is told', async () => {
    async function* told() {
      yield { fetching: { module: 'acme/web', version: '1.2.0', publisher: 'node1', size: 3_000 } };
      yield { progress: { done: 1_000, size: 3_000, members: ['node1'] } };
      yield { altered: { member: 'node2' } };
      yield { fetched: { module: 'acme/web', version: '1.2.0', publisher: 'node1' } };
      yield {
        done: {
          module: 'acme/web',
          version: '1.2.0',
          publisher: 'node1',
          known: false,
          dependencies: [{ module: 'acme/db', version: '2.0.0' }],
        },
      };
    }
    daemon.script('POST', /daemon\/module-fetch$/, () => ({ lines: told() }));
    const { code, stdout, stderr } = await daemon.cli('module', 'fetch', 'acme/web@^1.0', '--from', 'node1');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'acme/web 1.2.0, published by node1, can be staged here, with acme/db 2.0.0.\n',
    });
    expect(stderr).toContain('Fetching acme/web 1.2.0, published by node1');
    expect(stderr).toContain('warning: node2 serves an altered copy');
    expect(daemon.asked.at(-1)?.body).toEqual({ module: 'acme/web', range: '^1.0', from: 'node1' });
    daemon.script('POST', /daemon\/module-fetch$/, () => ({ lines: broken() }));
    expect(await daemon.cli('module', 'fetch', 'acme/web')).toMatchObject({ code: 5, stderr: expect.stringContaining('nobody has it') });
    daemon.script('POST', /daemon\/module-fetch$/, () => ({ lines: cut() }));
    expect((await daemon.cli('module', 'fetch', 'acme/web')).stderr).toContain('the daemon stopped before it was done');
  });

  async function* broken() {
    yield { kind: 'Status', code: 404, message: 'nobody has it', details: { code: 'CONTENT_MISSING' } };
  }
  async function* cut() {
    yield { progress: { done: 1, size: 2, members: [] } };
  }

  it('that a module needs are chosen before it is installed, and written down beside it', async () => {
    const directory = await newModule('needs');
    const manifest = join(directory, 'dtk.module.yaml');
    await writeFile(manifest, `${await readFile(manifest, 'utf8')}dependencies:\n  acme/db: ^2.0.0\n`);
    const lock = { dsl_version: '1.0', modules: { 'acme/db': { version: '2.0.1', digest: DIGEST, publisher: 'b'.repeat(64) } } };
    async function* done() {
      yield { done: lock };
    }
    daemon.script('POST', /daemon\/module-lock$/, () => ({ lines: done() }));
    const installed = await daemon.cli('module', 'install', directory, '--no-types');
    expect(installed, installed.stderr).toMatchObject({ code: 0, stdout: 'acme/web 0.1.0 can be staged here\n' });
    expect(installed.stderr).toContain('dtk.lock.yaml: acme/db 2.0.1');
    expect(await readLock(await readFile(join(directory, 'dtk.lock.yaml')))).toEqual(lock);
    const [asked, put, post] = daemon.asked.slice(-3);
    expect(asked?.body).toEqual({ module: 'acme/web', version: '0.1.0', dependencies: { 'acme/db': '^2.0.0' }, types: ['Web'] });
    expect(unpackArchive(put?.bytes ?? Buffer.alloc(0)).files.map(({ path }) => path)).toContain('dtk.lock.yaml');
    expect(post?.body).toMatchObject({ types: false });
    // the lock is kept, until it is made again
    await daemon.cli('module', 'install', directory, '--dry-run');
    expect(daemon.asked.at(-3)?.body).toMatchObject({ lock, fetch: false });
    await daemon.cli('module', 'install', directory, '--update');
    expect(daemon.asked.at(-3)?.body).not.toHaveProperty('lock');
    await writeFile(join(directory, 'dtk.lock.yaml'), 'modules: 7');
    expect((await daemon.cli('module', 'install', directory)).stderr).toContain('is not a lock');
  });
});

describe('several versions of a module', () => {
  it('are listed, shown and removed one by one or all, the active one first', async () => {
    for (const version of ['2.0.0', '1.9.0']) {
      const active = version === '1.9.0';
      daemon.put(moduleKind, `acme.web-${version}`, {
        spec: { ...SPEC, version, active, assemblies: ['tier'], dependencies: { 'acme/db': '^1' } },
      });
    }
    expect((await daemon.cli('module', 'ls')).stdout).toMatch(/2\.0\.0 +node0 +Web +false[\s\S]*1\.9\.0 +node0 +Web +true/);
    expect((await daemon.cli('module', 'show', 'acme/web')).stdout).toMatch(/acme\/web 1\.9\.0[\s\S]*those of this node/);
    const other = await daemon.cli('module', 'show', 'acme/web@2.0.0');
    expect(other.stdout).toMatch(/it is here only to be staged\nNeeds: +acme\/db \^1\nAssembly: +tier/);
    expect(other.stdout).toContain('\nTypes Web');
    expect((await daemon.cli('module', 'rm', 'acme/web@2.0.0', '--dry-run')).stdout).toBe('acme/web 2.0.0 can be removed (dry run)\n');
    expect((await daemon.cli('module', 'rm', 'acme/web')).stdout).toBe('Removed acme/web 1.9.0.\nRemoved acme/web 2.0.0.\n');
  });
});

describe('an exported model', () => {
  it('leaves out the types of modules, and says which', async () => {
    const module = { name: 'acme/web', version: '1.2.0', digest: DIGEST, publisher: 'b'.repeat(64) };
    daemon.put(modelKind, 'shop', { spec: {} });
    daemon.put(typeKind, 'mine', { spec: { name: 'Mine' } });
    daemon.put(typeKind, 'shopweb', { spec: { name: 'ShopWeb', extends: 'Mine', module } });
    daemon.put(resourceKind, 'front', { spec: { model: 'shop', type: 'ShopWeb' } });
    const { stdout, stderr } = await daemon.cli('model', 'export', 'shop');
    expect(stdout).toContain('name: Mine');
    expect(stdout).not.toContain('name: ShopWeb');
    expect(stderr).toBe('Types of module acme/web 1.2.0 are left out: install it where you import this.\n');
  });
});

describe('content', () => {
  async function client(): Promise<ApiClient> {
    return new ApiClient(new HttpsClient(await findDaemon({ data: daemon.dir })), { onWarning: () => undefined });
  }

  it('is sent as it is, from memory, a stream or a file', async () => {
    const api = await client();
    const bytes = Buffer.from([0, 1, 2, 255]);
    expect(await putContent(api, bytes)).toEqual({ digest: digestOf(bytes), size: 4 });
    expect(daemon.asked.at(-1)?.headers).toMatchObject({ 'content-length': '4', 'content-type': 'application/octet-stream' });
    expect(await putContent(api, () => Readable.from([bytes, bytes]))).toEqual({
      digest: digestOf(Buffer.concat([bytes, bytes])),
      size: 8,
    });
    const path = join(root, 'large');
    const large = Buffer.alloc(300_000, 7);
    await writeFile(path, large, { mode: 0o640 });
    expect(await putFile(api, path)).toEqual({ digest: digestOf(large), size: large.length, mode: 0o640 });
    await writeFile(path, '');
    expect(await putFile(api, path)).toMatchObject({ size: 0 });
    await expect(putFile(api, root)).rejects.toThrow('is not a file');
    await expect(putFile(api, join(root, 'gone'))).rejects.toThrow(/cannot read .*gone: there is no such file/);
    api.close();
  });

  it('that cannot be read on, or that the daemon refuses, is an error', async () => {
    const api = await client();
    const breaking = () =>
      Readable.from(
        (async function* () {
          yield Buffer.from('x');
          throw new Error('the disk is gone');
        })(),
      );
    await expect(putContent(api, breaking, { length: 10 })).rejects.toThrow();
    daemon.script('PUT', /daemon\/content$/, () => {
      throw new DtkdError('TOO_LARGE', 'that is too much');
    });
    await expect(putContent(api, Buffer.from('x'))).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await expect(getContent(api, DIGEST)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    daemon.script('GET', /daemon\/content\//, () => ({ raw: 'bytes' }));
    const parts: Buffer[] = [];
    for await (const part of await getContent(api, DIGEST)) parts.push(Buffer.from(part));
    expect(Buffer.concat(parts).toString()).toBe('bytes');
    api.close();
  });
});
