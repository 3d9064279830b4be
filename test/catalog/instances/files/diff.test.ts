import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileDifferences } from '../../../../daemon/src/catalog/instances/files/file-differences.ts';
import { lineDiff } from '../../../../daemon/src/catalog/instances/files/line-diff.ts';
import { maskedService } from '../../../../daemon/src/catalog/instances/files/masking.ts';
import { type ShopBench, shopBench } from './bench.ts';

let shop: ShopBench;
beforeEach(async () => {
  shop = await shopBench();
});
afterEach(() => shop.close());

describe('differences', () => {
  it('are told by kind, with the old and the new value', async () => {
    await shop.replace('dtk.service.yaml', 'port: 8080', 'port: 8081\n      tags: [a]');
    await shop.replace('dtk.service.yaml', 'db: db', 'db: {to: target, take: {port: p}}');
    await shop.replace('dtk.service.yaml', 'db: { type: Service, properties: { url: x } }', 'cache: {type: Cluster, on: {count: 2}}');
    await shop.replace('dtk.service.yaml', 'target-kind: nodes', 'target-kind: nodes\ntarget: prod\nparameters: {size: 3}');
    await shop.replace('modules/acme/web/README.md', 'Tier', 'Tears');
    const { differences, files } = await shop.files.diff('shop', 'HEAD');
    expect(differences.map(({ kind, what, op, before, after }) => [kind, what, op, before, after])).toEqual([
      ['service', 'target', 'added', undefined, 'prod'],
      ['parameter', 'size', 'added', undefined, 3],
      ['component', 'cache', 'added', undefined, 'Cluster'],
      ['placement', 'cache', 'added', undefined, { count: 2 }],
      ['component', 'db', 'removed', 'Service', undefined],
      ['property', 'db.url', 'removed', 'x', undefined],
      ['property', 'web.port', 'changed', 8080, 8081],
      ['property', 'web.tags', 'added', undefined, ['a']],
      ['link', 'web.db', 'changed', 'db', { to: 'target', take: { port: 'p' } }],
      [
        'module',
        'acme/web',
        'changed',
        expect.stringMatching(/^1\.2\.0 \([0-9a-f]{8}\)$/),
        expect.stringMatching(/^1\.2\.0 \([0-9a-f]{8}\)$/),
      ],
    ]);
    expect(files.map(({ path, op }) => `${op} ${path}`)).toEqual(['changed dtk.service.yaml', 'changed modules/acme/web/README.md']);
    expect(files[1]?.text).toBe('@@ -1 +1 @@\n Web\n \n-Tier\n+Tears');
    expect(await shop.files.diff('shop', 'HEAD', 'HEAD')).toEqual({ differences: [], files: [] });
  });

  it('compare so many files, and name the others', async () => {
    const paths = Array.from({ length: 501 }, (_, number) => `file${String(number).padStart(3, '0')}`);
    const reading: string[] = [];
    const side = async (path: string) => {
      reading.push(path);
      return Buffer.from(path);
    };
    const changes = paths.map((path) => ({ path, op: 'added' as const }));
    const told = await fileDifferences(changes, side, side);
    expect(told.map(({ path }) => path)).toEqual(paths);
    expect(reading).toHaveLength(500);
    expect(told.at(-2)?.text).toContain('+file499');
    expect(told.at(-1)?.text).toBeUndefined();
  });

  it('never tell it where the map that it is in stands elsewhere, too', async () => {
    const text = await shop.text('dtk.service.yaml');
    const before = `${text}  other: { type: Service, properties: &p { password: Tr0ub4dor } }\n  third: { type: WebServer, properties: *p }\n`;
    const masked = await maskedService(Buffer.from(before), [['components', 'third', 'properties', 'password']]);
    expect(Buffer.from(masked ?? []).toString()).toContain('{ password: (secret) }');
  });

  it('never tell what stands where a secret belongs', async () => {
    const secret = 'Tr0ub4dor&3';
    await shop.replace('dtk.service.yaml', 'password: web.password', `password: "${secret}"`);
    await shop.replace('dtk.service.yaml', 'parameter-rules:', `parameters: {key: "${secret}"}\nparameter-rules:`);
    const { differences, files } = await shop.files.diff('shop', 'HEAD');
    expect(differences).toEqual([
      { kind: 'parameter', what: 'key', op: 'added' },
      { kind: 'property', what: 'web.password', op: 'changed' },
    ]);
    expect(JSON.stringify([differences, files])).not.toContain(secret);
    expect(JSON.stringify(files)).toContain('(secret)');
    // also where the type is not there any more that said so
    await shop.replace('dtk.service.yaml', 'type: WebServer', 'type: Gone');
    expect(JSON.stringify(await shop.files.diff('shop', 'HEAD'))).not.toContain(secret);
    await shop.put('dtk.service.yaml', `password: ${secret}\nname: [`);
    const unreadable = await shop.files.diff('shop', 'HEAD');
    expect(unreadable.differences).toEqual([]);
    expect(JSON.stringify(unreadable)).not.toContain(secret);
    expect(JSON.stringify((await shop.files.working('shop')).violations)).not.toContain(secret);
  });

  it('never tell it however it begins, and whatever YAML takes that for', async () => {
    const secret = 'Tr0ub4dor';
    const before = await shop.text('dtk.service.yaml');
    for (const begin of ['*', '&', '!', '!a!', '!<', '|', '>', '&x !y ', '@', '%', '"\\U', "'", '{', '- ']) {
      await shop.put(
        'dtk.service.yaml',
        before.replace('password: web.password', `password: ${begin}${secret}${begin === '!<' ? '>' : ''}`),
      );
      const { violations } = await shop.files.working('shop');
      const diff = await shop.files.diff('shop', 'HEAD');
      const shown = await shop.files.content('shop', { masked: true }).catch((error: unknown) => String(error));
      const edited = await shop.files.edit('shop', [{ op: 'set', path: 'web.port', value: 1 }]).catch((error: unknown) => String(error));
      expect(JSON.stringify([begin, violations, diff, shown, edited])).not.toContain(secret);
    }
    await shop.put('dtk.service.yaml', `${before}also: {"a":!${secret} b}\n`);
    const masked = await maskedService(Buffer.from(await shop.text('dtk.service.yaml')), [['also', 'a']]);
    expect(Buffer.from(masked ?? []).toString()).toContain('{"a":(secret)}');
  });

  it('of texts say how to come from one to the other', () => {
    const line = fc.constantFrom('a', 'b', 'c', '', 'd');
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), fc.array(line, { maxLength: 12 }), (a, b) => {
        const [before, after] = [a, b].map((lines) => lines.map((one) => `${one}\n`).join(''));
        const diff = lineDiff(before ?? '', after ?? '');
        expect(diff === '').toBe(before === after);
        const lines = (diff ?? '').split('\n').filter((one) => !one.startsWith('@@'));
        const changed = lines.filter((one) => one.startsWith('-') || one.startsWith('+')).length;
        expect(changed).toBe(a.length + b.length - 2 * commonLength(a, b));
      }),
    );
    expect(lineDiff('a', 'a\n')).toBe('@@ -1 +1 @@\n-a\\ no line break at the end\n+a');
    const long = Array.from({ length: 2_000 }, (_, at) => `${at}\n`).join('');
    expect(lineDiff(long, long.replaceAll('1', '2'))).toBeUndefined();
    expect(lineDiff(long, long.replace('1000\n', 'x\n'))).toContain('-1000\n+x');
  });
});

/** Length of the longest common subsequence. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    const next = [0];
    for (const [at, y] of b.entries()) next.push(x === y ? (row[at] ?? 0) + 1 : Math.max(next[at] ?? 0, row[at + 1] ?? 0));
    row = next;
  }
  return row[b.length] ?? 0;
}

describe('module copies', () => {
  it('are compared with what they were made from', async () => {
    expect(await shop.files.diffModules('shop')).toEqual([
      { module: 'acme/base', version: '1.0.0', base: '1.0.0', newest: undefined, files: [] },
      { module: 'acme/web', version: '1.2.0', base: '1.2.0', newest: undefined, files: [] },
    ]);
    await shop.replace('modules/acme/web/bin/start', 'up', 'here');
    await shop.put('modules/acme/web/new', 'new\n');
    await rm(join(shop.directory, 'modules/acme/web/README.md'));
    const [web] = await shop.files.diffModules('shop', 'acme/web');
    expect(web?.files).toEqual([
      { path: 'README.md', op: 'removed', text: '@@ -1 +1 @@\n-Web\n-\n-Tier' },
      { path: 'bin/start', op: 'changed', text: '@@ -1 +1 @@\n #!/bin/sh\n-echo up\n+echo here' },
      { path: 'new', op: 'added', text: '@@ -1 +1 @@\n+new' },
    ]);
    // the node does not have that version any more: the instance's history has it
    shop.bases.forget('acme/web', '1.2.0');
    expect((await shop.files.diffModules('shop', 'acme/web'))[0]?.files).toHaveLength(3);
    await expect(shop.files.diffModules('shop', 'acme/wep')).rejects.toMatchObject({ code: 'NOT_FOUND', next: 'Did you mean acme/web?' });
  });

  it('take a newer version in, with what was edited here', async () => {
    const manifest = (await shop.text('modules/acme/web/dtk.module.yaml'))
      .replace('1.2.0', '1.3.0')
      .replace('acme/base: ^1.0.0', 'acme/base: ^1.0.0\n  acme/more: ^1.0.0');
    await shop.bases.add({ 'dtk.module.yaml': "dsl_version: '1.0'\nmodule: acme/more\nversion: 1.1.0\n" });
    await shop.bases.add({ 'dtk.module.yaml': manifest, 'bin/start': '#!/bin/sh\necho three\n', 'bin/stop': '#!/bin/sh\n' });
    await shop.replace('modules/acme/web/README.md', 'Tier', 'Ours');
    const conflict = shop.files.pullModule({ ...shop.request, module: 'acme/web' });
    await expect(conflict).rejects.toMatchObject({ code: 'CONFLICT', details: { files: ['README.md'] } });
    expect((await shop.files.working('shop')).changes).toHaveLength(1);
    await shop.replace('modules/acme/web/README.md', 'Ours', 'Tier');
    await shop.put('modules/acme/web/own', 'ours');
    const planned = await shop.files.pullModule({ ...shop.request, module: 'acme/web', dryRun: true });
    const pulled = await shop.files.pullModule({ ...shop.request, module: 'acme/web' });
    expect(planned).toEqual({ ...pulled, commit: undefined });
    expect(pulled.version).toBe('1.3.0');
    expect(pulled.files.map(({ path, op }) => `${op} ${path}`)).toEqual([
      'removed README.md',
      'changed bin/start',
      'added bin/stop',
      'changed dtk.module.yaml',
    ]);
    const now = await shop.files.working('shop');
    expect(now).toMatchObject({ head: pulled.commit, changes: [], violations: [] });
    expect(now.files?.lock.modules).toMatchObject({ 'acme/web': { version: '1.3.0' }, 'acme/more': { version: '1.1.0' } });
    expect(now.tree.files.get('modules/acme/web/bin/stop')?.executable).toBe(true);
    expect(await shop.text('modules/acme/web/own')).toBe('ours');
    const log = await (await shop.repositories.open('shop')).log();
    expect(log.map(({ message }) => message)).toEqual([
      'Pull acme/web 1.3.0',
      'Edit before pulling acme/web 1.3.0',
      'Stage acme/web:web-tier 1.2.0 as shop',
    ]);
    const again = await shop.files.pullModule({ ...shop.request, module: 'acme/web' });
    expect(again).toMatchObject({ files: [], version: '1.3.0' });
    expect(again.commit).toBeUndefined();
  });

  it('take the base\u2019s side where that is asked for', async () => {
    const manifest = (await shop.text('modules/acme/web/dtk.module.yaml')).replace('1.2.0', '1.3.0');
    await shop.bases.add({ 'dtk.module.yaml': manifest, 'bin/start': 'theirs\n' });
    await shop.replace('modules/acme/web/bin/start', 'up', 'ours');
    await shop.files.pullModule({ ...shop.request, module: 'acme/web', force: true });
    expect(await shop.text('modules/acme/web/bin/start')).toBe('theirs\n');
    const before = await (await shop.repositories.open('shop')).tree('HEAD~1');
    expect(Buffer.from(await before.read('modules/acme/web/bin/start')).toString()).toContain('ours');
  });

  it('do not take in a file where a directory of what was made here stands, nor the other way round', async () => {
    const manifest = (await shop.text('modules/acme/web/dtk.module.yaml')).replace('1.2.0', '1.3.0');
    await shop.bases.add({ 'dtk.module.yaml': manifest, 'bin/start': 'up', 'etc/site': 'theirs\n', more: 'theirs\n' });
    await shop.put('modules/acme/web/etc', 'ours');
    await mkdir(join(shop.directory, 'modules/acme/web/more'));
    await shop.put('modules/acme/web/more/of', 'ours');
    const conflict = shop.files.pullModule({ ...shop.request, module: 'acme/web' });
    await expect(conflict).rejects.toMatchObject({ code: 'CONFLICT', details: { files: ['etc', 'more/of'] } });
    expect(await shop.text('modules/acme/web/etc')).toBe('ours');
    await shop.files.pullModule({ ...shop.request, module: 'acme/web', force: true });
    expect(await shop.text('modules/acme/web/etc/site')).toBe('theirs\n');
    expect(await shop.text('modules/acme/web/more')).toBe('theirs\n');
    expect(await shop.files.working('shop')).toMatchObject({ changes: [], violations: [] });
  });

  it('refuse a version that another copy does not do for', async () => {
    const manifest = (await shop.text('modules/acme/web/dtk.module.yaml')).replace('1.2.0', '1.3.0').replace('^1.0.0', '^2.0.0');
    await shop.bases.add({ 'dtk.module.yaml': "dsl_version: '1.0'\nmodule: acme/base\nversion: 2.0.0\n" });
    await shop.bases.add({ 'dtk.module.yaml': manifest });
    const refused = shop.files.pullModule({ ...shop.request, module: 'acme/web' });
    const next = 'Pull that first: dtkd service pull-module shop acme/base';
    await expect(refused).rejects.toMatchObject({ code: 'CONFLICT', next });
    // also if only what would come along needs it
    const head = await (await shop.repositories.open('shop')).head();
    const more = manifest.replace('1.3.0', '1.4.0').replace('^2.0.0', '^1.0.0\n  acme/more: ^1.0.0');
    await shop.bases.add({ 'dtk.module.yaml': more });
    await shop.bases.add({
      'dtk.module.yaml': "dsl_version: '1.0'\nmodule: acme/more\nversion: 1.0.0\ndependencies: {acme/base: ^2.0.0}\n",
    });
    const along = shop.files.pullModule({ ...shop.request, module: 'acme/web', force: true });
    await expect(along).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('acme/more 1.0.0 needs acme/base ^2.0.0'),
      next,
    });
    expect(await (await shop.repositories.open('shop')).head()).toBe(head);
  });

  it('become a new version of the base', async () => {
    expect(await shop.files.pushModule({ ...shop.request, module: 'acme/web' })).toMatchObject({ version: '1.2.0', files: [] });
    await shop.replace('modules/acme/web/bin/start', 'up', 'better');
    const planned = await shop.files.pushModule({ ...shop.request, module: 'acme/web', dryRun: true });
    const pushed = await shop.files.pushModule({ ...shop.request, module: 'acme/web' });
    expect(planned).toEqual({ ...pushed, commit: undefined });
    expect(pushed).toMatchObject({ version: '1.2.1' });
    expect(pushed.files.map(({ path }) => path)).toEqual(['bin/start', 'dtk.module.yaml']);
    const [newest] = await shop.bases.versions('acme/web');
    const now = await shop.files.working('shop');
    expect(now).toMatchObject({ changes: [], violations: [], head: pushed.commit });
    expect(now.files?.lock.modules['acme/web']).toMatchObject(newest ?? {});
    expect(now.files?.copies.get('acme/web')).toMatchObject(newest ?? {});
    expect((await shop.files.diffModules('shop', 'acme/web'))[0]?.files).toEqual([]);
    await shop.replace('modules/acme/web/bin/start', 'better', 'best');
    await expect(shop.files.pushModule({ ...shop.request, module: 'acme/web', version: '1.2.0' })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await shop.files.pushModule({ ...shop.request, module: 'acme/web', version: '2.0.0' })).toMatchObject({ version: '2.0.0' });
    await expect(shop.files.pushModule({ ...shop.request, module: 'acme/nothing' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('that are not sound are not pushed', async () => {
    await mkdir(join(shop.directory, 'modules/acme/web/x'));
    await shop.replace('modules/acme/web/dtk.module.yaml', 'type: port', 'type: harbour');
    await expect(shop.files.pushModule({ ...shop.request, module: 'acme/web' })).rejects.toMatchObject({ code: 'INVALID' });
    expect(await shop.bases.versions('acme/web')).toHaveLength(1);
  });

  it('are not moved while something that may be a secret would be committed', async () => {
    const secret = 'Tr0ub4dor&3 Pass';
    await shop.replace('dtk.service.yaml', 'password: web.password', `password: "${secret}"`);
    const repository = await shop.repositories.open('shop');
    const head = await repository.head();
    for (const move of [shop.files.pullModule, shop.files.pushModule]) {
      const error = await move({ ...shop.request, module: 'acme/web', version: '9.9.9', force: true }).catch((one: unknown) => one);
      expect(error).toMatchObject({ code: 'INVALID', message: 'web.password: takes the name of a Secret, not the secret itself' });
    }
    expect(await repository.head()).toBe(head);
  });
});
