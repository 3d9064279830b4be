import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TIDY_MS } from '../../../daemon/src/catalog/modules/limits.ts';
import { STATEMENTS } from '../../../daemon/src/catalog/modules/statements.ts';
import { prefixEnd } from '../../../daemon/src/store/kv.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { digestOf, packArchive } from '../../../protocol/modules/archive.ts';
import { waitFor } from '../../wait.ts';
import { causes, model, OPERATOR, ref, refusal, remove, resource, type, write } from '../model/fixtures.ts';
import { type Bench, bench, files, OPS, script } from './fixtures.ts';

const WEB = { Web: { properties: { port: { type: 'port', default: 80 } }, commands: { Start: { script: { file: 'bin/start' } } } } };
const START = [script('bin/start')];

let made: Bench[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const one of made) await one.close();
  made = [];
});

async function fresh(...args: Parameters<typeof bench>): Promise<Bench> {
  const one = await bench(...args);
  made.push(one);
  return one;
}

const moduleRef = (name: string) => ({ ...ref('Type', name), plural: 'modules' });
/** Which versions are here, and whether they are active. */
const versions = async (store: Bench['store']) =>
  Object.fromEntries(
    (await store.list({ group: 'dtkd.dev', plural: 'modules' })).items.map(({ metadata, spec }) => [
      metadata.name,
      Reflect.get(Object(spec), 'active'),
    ]),
  );
const specOf = (object: unknown) => Reflect.get(Object(object), 'spec');

describe('installing a module', () => {
  it('makes a Module and its Types, signed by this node', async () => {
    const { install, store, key, content, clock } = await fresh();
    const answer = await install(files(WEB, { more: START }));
    const digest = digestOf(packArchive(files(WEB, { more: START })));
    expect(answer).toMatchObject({
      kind: 'Module',
      metadata: { name: 'acme.web-1.0.0', namespace: 'node0' },
      spec: { module: 'acme/web', version: '1.0.0', digest, files: 2, types: ['Web'], publisher: { node: 'node0', key: key.publicKey } },
      changes: { created: ['Web'], changed: [], removed: [] },
    });
    expect(specOf(await store.get(ref('Type', 'web')))).toMatchObject({
      name: 'Web',
      commands: { Start: { script: { file: 'bin/start' } } },
      module: { name: 'acme/web', version: '1.0.0', digest, publisher: key.publicKey },
    });
    expect(content.allowed.get(digest)).toBeGreaterThan(clock.now);
  });

  it('a second time changes nothing', async () => {
    const { install, store } = await fresh();
    await install(files(WEB, { more: START }));
    const version = store.version();
    expect(await install(files(WEB, { more: START }))).toMatchObject({ changes: { created: [], changed: [], removed: [] } });
    expect(store.version()).toBe(version);
  });

  it('can be tried', async () => {
    const { install, store, content } = await fresh();
    expect(await install(files(WEB, { more: START }), { dryRun: true })).toMatchObject({ changes: { created: ['Web'] } });
    expect(await store.get(ref('Type', 'web'))).toBeUndefined();
    expect(content.allowed.size).toBe(0);
  });

  it('of a version whose numbers begin with 0 is refused', async () => {
    const { install, store } = await fresh();
    for (const version of ['1.0.0-01', '1.0.0-rc.007']) {
      const refused = await refusal(install(files(WEB, { version, more: START })));
      expect(refused).toMatchObject({ code: 'INVALID', message: expect.stringContaining('does not begin with 0') });
    }
    expect(await versions(store)).toEqual({});
    await install(files(WEB, { version: '1.0.0-0.rc-01', more: START }));
  });

  it('of another content under the same version, or of an older version, is refused unless it is to replace what is there', async () => {
    const { install, store } = await fresh();
    await install(files(WEB, { version: '1.1.0', more: START }));
    const other = files({ ...WEB, Other: {} }, { version: '1.1.0', more: START });
    expect((await refusal(install(other))).message).toBe('module acme/web 1.1.0 is installed with other content');
    expect(await install(other, { replace: true })).toMatchObject({ changes: { created: ['Other'], changed: ['Web'], removed: [] } });
    expect((await refusal(install(files(WEB, { version: '1.0.9', more: START })))).message).toContain('which is newer than 1.0.9');
    expect(await install(files(WEB, { version: '1.0.9', more: START }), { replace: true })).toMatchObject({
      changes: { removed: ['Other'] },
    });
    expect(await versions(store)).toEqual({ 'acme.web-1.0.9': true, 'acme.web-1.1.0': false });
  });

  it('in a newer version changes its types, and removes those that it has no more, unless they are used', async () => {
    const { install, store } = await fresh();
    await install(files({ ...WEB, Old: {} }, { more: START }));
    await write(store, model('web'), resource('a', { type: 'Old' }));
    const next = files({ Web: { properties: { port: { type: 'port', default: 81 } } } }, { version: '2.0.0' });
    const refused = await refusal(install(next));
    expect(refused.code).toBe('CONFLICT');
    expect(refused.message).toContain('resources/a');
    expect(await store.get(ref('Type', 'old'))).toBeDefined();
    await remove(store, ref('Resource', 'a'));
    expect(await install(next)).toMatchObject({ metadata: { name: 'acme.web-2.0.0' }, changes: { changed: ['Web'], removed: ['Old'] } });
    expect(await versions(store)).toEqual({ 'acme.web-1.0.0': false, 'acme.web-2.0.0': true });
  });

  it('is refused where types of its names are there, and all of them are listed', async () => {
    const { install, store } = await fresh();
    await write(store, type('Mine'), type('WEB'));
    await install(files({ Theirs: {} }, { name: 'other/one' }));
    const refused = await refusal(install(files({ ...WEB, mine: {}, Theirs: {}, New: {} }, { more: START })));
    expect(refused.code).toBe('ALREADY_EXISTS');
    expect(refused.message).toContain('WEB (made by hand), Mine (made by hand), Theirs (of module other/one 1.0.0)');
    expect(await store.get(ref('Type', 'new'))).toBeUndefined();
  });

  it('spells supertypes as they are, and refuses those that are not', async () => {
    const { install, store } = await fresh();
    await write(store, type('Service', { open: true }));
    await install(files({ Web: { extends: 'SERVICE' }, Tomcat: { extends: 'web' } }));
    expect(specOf(await store.get(ref('Type', 'web')))).toMatchObject({ extends: 'Service' });
    expect(specOf(await store.get(ref('Type', 'tomcat')))).toMatchObject({ extends: 'Web' });
    const refused = await refusal(install(files({ X: { extends: 'Gone' } }, { name: 'a/b' })));
    expect(causes(refused)[0]).toContain('there is no type "Gone" on this node');
  });

  it('is refused if something of it is wrong', async () => {
    const { install, modules, content } = await fresh();
    expect(causes(await refusal(install(files(WEB))))).toEqual([
      'types.Web.commands.Start.script.file: the module has no file "bin/start"',
    ]);
    const dispatch = { commands: { All: { dispatch: { command: 'x', over: 'children', type: '(' } } } };
    expect(causes(await refusal(install(files({ A: dispatch }))))[0]).toContain(
      'types.A.commands.All.dispatch.type: is not a valid regular expression',
    );
    const action = modules.actions.get('modules');
    const send = (body: unknown) => refusal(Promise.resolve(action?.({ principal: OPERATOR, name: 'modules', method: 'POST', body })));
    expect((await send({ digest: 'x' })).code).toBe('BAD_REQUEST');
    expect((await send({ digest: '0'.repeat(64) })).code).toBe('CONTENT_MISSING');
    const bytes = packArchive(files({}));
    await writeFile(content.pathOf(digestOf(bytes)), 'something else');
    expect((await send({ digest: digestOf(bytes) })).code).toBe('CONTENT_ALTERED');
  });

  it('needs the right to make modules and types', async () => {
    const asked: string[] = [];
    const { install, store } = await fresh((principal, { verb, plural, name }) => {
      asked.push(`${verb} ${plural}/${name}`);
      return principal.type === 'operator' || plural === 'modules' ? { allowed: true } : { allowed: false, reason: 'no' };
    });
    expect((await refusal(install(files(WEB, { more: START }), { principal: OPS }))).code).toBe('FORBIDDEN');
    expect(asked).toContain('CREATE modules/acme.web-1.0.0');
    expect(asked).toContain('CREATE types/web');
    expect(await store.get(moduleRef('acme.web-1.0.0'))).toBeUndefined();
    await install(files(WEB, { more: START }));
    expect((await refusal(install(files({ Web: {} }, { version: '2.0.0' }), { principal: OPS }))).code).toBe('FORBIDDEN');
  });
});

describe('types of a module', () => {
  it('are changed and deleted by it alone', async () => {
    const { install, store } = await fresh();
    await install(files(WEB, { more: START }));
    const web = await store.get(ref('Type', 'web'));
    if (web === undefined) throw new Error('there is no type');
    const edited = { ...web, spec: { ...Object(web['spec']), commands: {} } };
    expect(causes(await refusal(write(store, edited)))[0]).toContain('comes from module acme/web 1.0.0, and only that can change it');
    const freed = { ...web, spec: { name: 'Web' } };
    expect((await refusal(write(store, freed))).code).toBe('INVALID');
    expect((await refusal(remove(store, ref('Type', 'web')))).message).toContain('it comes from module acme/web 1.0.0');
    const claimed = type('Claimed', { module: Reflect.get(Object(web['spec']), 'module') });
    expect(causes(await refusal(write(store, claimed)))).toEqual([
      'spec.module: is written when a module is installed, and cannot be written by hand',
    ]);
    await write(store, { ...web, metadata: { ...web.metadata, labels: { tier: 'front' } } });
    await write(store, model('web'), resource('a', { type: 'Web' }), type('Tomcat', { extends: 'Web' }));
  });

  it('written by hand have no files and no templates', async () => {
    const { store } = await fresh();
    const commands = { Start: { script: { file: 'bin/start' } }, Stop: { workflow: { steps: [{ command: 'gone' }] } } };
    expect(causes(await refusal(write(store, type('A', { commands, templates: [{ from: 'a', to: 'b' }] }))))).toEqual([
      'spec.templates: only a type of a module has templates: they are files of it',
      'spec.commands.Start.script.file: only types of modules have files; write the text as inline, or move the type to a module',
      'spec.commands.Stop.workflow.steps[0].command: neither this type nor a type that it extends has a command gone',
    ]);
  });
});

describe('removing a module', () => {
  const context = { principal: OPERATOR, dryRun: false, cascade: false, warn: () => undefined };

  it('takes its types with it, unless they are used', async () => {
    const { install, store, modules } = await fresh();
    await install(files({ ...WEB, Tomcat: { extends: 'Web' } }, { more: START }));
    await write(store, model('web'), resource('a', { type: 'Tomcat' }), type('Mine', { extends: 'Web' }));
    const handler = modules.handlers.get('dtkd.dev/modules');
    const object = await store.get(moduleRef('acme.web-1.0.0'));
    if (object === undefined) throw new Error('there is no module');
    const refused = await refusal(Promise.resolve(handler?.delete?.(object, context)));
    expect(refused.message).toContain('Module "acme.web-1.0.0" cannot be deleted: its types are in use (2): resources/a, types/mine');
    await remove(store, ref('Resource', 'a'), ref('Type', 'mine'));
    await handler?.delete?.(object, { ...context, dryRun: true });
    expect(await store.get(ref('Type', 'web'))).toBeDefined();
    expect(await handler?.delete?.(object, context)).toMatchObject({ handled: { metadata: { name: 'acme.web-1.0.0' } } });
    expect(await store.get(ref('Type', 'web'))).toBeUndefined();
    expect(await store.get(moduleRef('acme.web-1.0.0'))).toBeUndefined();
    expect((await refusal(Promise.resolve(handler?.delete?.(object, context)))).code).toBe('NOT_FOUND');
  });

  it('lets others fetch it only as long as orders may wait for it', async () => {
    const { install, store, modules, content, clock } = await fresh();
    const days = (digest: string) => Math.round(((content.allowed.get(digest) ?? 0) - clock.now) / 86_400_000);
    const first = Reflect.get(Object((await install(files(WEB, { more: START })))['spec']), 'digest');
    expect(days(first)).toBe(365);
    const second = Reflect.get(Object((await install(files(WEB, { version: '1.1.0', more: START })))['spec']), 'digest');
    expect([days(first), days(second)]).toEqual([365, 365]);
    const object = await store.get(moduleRef('acme.web-1.1.0'));
    if (object === undefined) throw new Error('there is no module');
    await modules.handlers.get('dtkd.dev/modules')?.delete?.(object, context);
    expect(days(second)).toBe(30);
  });

  it('succeeds also where its archive was lost', async () => {
    const { install, store, modules, content } = await fresh();
    const digest = Reflect.get(Object((await install(files(WEB, { more: START })))['spec']), 'digest');
    const object = await store.get(moduleRef('acme.web-1.0.0'));
    if (object === undefined) throw new Error('there is no module');
    await rm(content.pathOf(digest));
    expect(await modules.handlers.get('dtkd.dev/modules')?.delete?.(object, context)).toMatchObject({ handled: expect.anything() });
    expect(await store.get(moduleRef('acme.web-1.0.0'))).toBeUndefined();
  });

  it('names to a user only what it may know of', async () => {
    const { install, store, modules } = await fresh((principal, { name, verb }) =>
      principal.type === 'operator' || name !== 'hidden' || verb === 'DELETE' ? { allowed: true } : { allowed: false, reason: 'no' },
    );
    await install(files(WEB, { more: START }));
    await write(store, model('web'), resource('a', { type: 'Web' }), resource('hidden', { type: 'Web' }));
    const object = await store.get(moduleRef('acme.web-1.0.0'));
    if (object === undefined) throw new Error('there is no module');
    const refused = await refusal(
      Promise.resolve(modules.handlers.get('dtkd.dev/modules')?.delete?.(object, { ...context, principal: OPS })),
    );
    expect(refused.message).toContain('(2): resources/a, …');
    expect(JSON.stringify(refused.details)).not.toContain('hidden');
  });
});

describe('the library', () => {
  it('hands out what is installed, whole', async () => {
    const { install, modules, key, restarted } = await fresh();
    const { spec } = await install(files(WEB, { more: START }));
    const digest = String(Reflect.get(Object(spec), 'digest'));
    for (const one of [modules, restarted()]) {
      const found = await one.get(digest);
      expect(found?.ref).toEqual({ name: 'acme/web', version: '1.0.0', digest, publisher: key.publicKey });
      expect(found?.manifest.types).toHaveProperty('Web');
      expect(found?.archive.files.map(({ path }) => path)).toEqual(['bin/start', 'dtk.module.yaml']);
    }
    expect(await modules.get('0'.repeat(64))).toBeUndefined();
    expect(await modules.get('../../etc/passwd')).toBeUndefined();
  });

  it('does not hand out what was altered on the disk', async () => {
    const { install, content, restarted, warnings } = await fresh();
    const { spec } = await install(files(WEB, { more: START }));
    const digest = String(Reflect.get(Object(spec), 'digest'));
    await writeFile(content.pathOf(digest), packArchive(files({})));
    expect(await restarted().get(digest)).toBeUndefined();
    expect(warnings).toEqual(['The archive of a module was altered; it is not used']);
    await rm(content.pathOf(digest));
    await restarted().start();
    expect(warnings.at(-1)).toBe('The archive of an installed module is not here: install it again');
    await install(files(WEB, { more: START }));
    expect(await restarted().get(digest)).toBeDefined();
  });

  it('keeps what was fetched if it is what its publisher signed', async () => {
    const { modules, content } = await fresh();
    const publisher = generateSigningKey();
    const bytes = packArchive(files(WEB, { more: START }));
    const signed = (over: object = {}, key = publisher) => {
      const fields = { name: 'acme/web', version: '1.0.0', digest: digestOf(bytes), publisher: publisher.publicKey, ...over };
      const statement = encodeCbor(fields);
      return { statement, signature: key.sign('module', statement) };
    };
    expect((await refusal(modules.keep(signed({}, generateSigningKey()), bytes))).code).toBe('SIGNATURE_INVALID');
    expect((await refusal(modules.keep({ ...signed(), statement: Buffer.from('x') }, bytes))).code).toBe('FRAME_INVALID');
    expect((await refusal(modules.keep(signed(), packArchive(files({}))))).code).toBe('CONTENT_ALTERED');
    expect((await refusal(modules.keep(signed({ version: '1.0.1' }), bytes))).message).toContain('says that it is acme/web 1.0.0');
    const broken = packArchive(files(WEB));
    expect((await refusal(modules.keep(signed({ digest: digestOf(broken) }), broken))).code).toBe('INVALID');
    const ref = await modules.keep(signed(), bytes);
    expect(ref).toMatchObject({ name: 'acme/web', publisher: publisher.publicKey });
    expect((await modules.get(ref.digest))?.ref).toEqual(ref);
    expect(await content.path(ref.digest)).toBeDefined();
    expect(await modules.keep(signed(), bytes)).toEqual(ref);
  });
});

describe('a directory', () => {
  async function unpacked() {
    const one = await fresh();
    const { spec } = await one.install(files(WEB, { more: [...START, { path: 'etc/a/conf', executable: false, data: Buffer.from('x') }] }));
    const digest = String(Reflect.get(Object(spec), 'digest'));
    return { ...one, digest, path: await one.modules.directory(digest) };
  }

  it('has the files, read-only, and nothing else, however many ask at once', async () => {
    const { path, modules, digest, directory } = await unpacked();
    expect(path).toBe(join(directory, digest));
    expect(await readFile(join(path, 'bin/start'), 'utf8')).toContain('#!/bin/sh');
    expect((await stat(join(path, 'bin/start'))).mode & 0o777).toBe(0o555);
    expect((await stat(join(path, 'etc/a/conf'))).mode & 0o777).toBe(0o444);
    expect(new Set(await Promise.all(Array.from({ length: 8 }, () => modules.directory(digest))))).toEqual(new Set([path]));
    expect(await readdir(directory)).toEqual([digest]);
  });

  it('is one that other users of the machine may read, whatever the umask of the daemon is', async () => {
    const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
    const before = process.umask(0o027);
    const { path, restarted, digest } = await unpacked().finally(() => process.umask(before));
    for (const below of ['', 'bin', 'etc', 'etc/a']) expect(await modeOf(join(path, below))).toBe(0o755);
    // also one that was made before this was seen to
    await chmod(join(path, 'etc'), 0o750);
    await restarted().directory(digest);
    expect(await modeOf(join(path, 'etc'))).toBe(0o755);
  });

  const START_FILE = 'bin/start';
  const alterations: Record<string, (path: string) => Promise<void>> = {
    differs: async (path) => {
      await chmod(join(path, START_FILE), 0o755);
      await writeFile(join(path, START_FILE), 'evil');
      await chmod(join(path, START_FILE), 0o555);
    },
    'has other permissions': (path) => chmod(join(path, START_FILE), 0o755),
    'does not belong to it': (path) => writeFile(join(path, 'bin/more'), ''),
    'is missing': (path) => rm(join(path, 'etc/a/conf')),
    'is not a file': async (path) => {
      await rm(join(path, 'etc/a/conf'));
      await symlink('/etc/passwd', join(path, 'etc/a/conf'));
    },
  };
  it.each(Object.entries(alterations))('of which a file %s is noticed, after a start and while the daemon runs', async (what, alter) => {
    const { path, modules, restarted, digest } = await unpacked();
    await alter(path);
    for (const one of [modules, modules, restarted()]) {
      const refused = await refusal(one.directory(digest));
      expect(refused.code).toBe('CONTENT_ALTERED');
      expect(refused.message).toContain(what);
    }
    await rm(path, { recursive: true });
    expect(await modules.directory(digest)).toBe(path);
  });

  it('that was not finished, or is of no module any more, is removed at the next start', async () => {
    const { directory, path, restarted, content, digest } = await unpacked();
    await mkdir(join(directory, '.new-1-1'));
    await mkdir(join(directory, '0'.repeat(64)));
    await restarted().start();
    expect(await readdir(directory)).toEqual([digest]);
    await rm(content.pathOf(digest));
    await restarted().start();
    expect(await readdir(directory)).toEqual([]);
    expect(path).toContain(digest);
  });

  it('that is of no module any more is removed while the daemon runs, too, and so is who signed it', async () => {
    const { directory, restarted, content, digest, store } = await unpacked();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const running = restarted();
    await running.start();
    await rm(content.pathOf(digest));
    vi.advanceTimersByTime(TIDY_MS);
    await waitFor(async () => (await readdir(directory)).length === 0);
    await waitFor(async () => (await store.kv.page({ gte: STATEMENTS, lt: prefixEnd(STATEMENTS) })).length === 0);
    running.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
