import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readYamlFile } from '../../../../daemon/src/catalog/instances/files/yaml-file.ts';
import { serviceFile } from '../../../../protocol/definitions/service-file.ts';
import { by, bytes } from '../repository/bench.ts';
import { type ShopBench, shopBench } from './bench.ts';

let shop: ShopBench;
beforeEach(async () => {
  shop = await shopBench();
});
afterEach(() => shop.close());

const told = async () => (await shop.files.working('shop')).violations.map(({ kind, where, message }) => `${kind} ${where} ${message}`);

describe('files of an instance', () => {
  it('are read from the work tree and from commits', async () => {
    const staged = await shop.files.working('shop');
    expect(staged).toMatchObject({ violations: [], changes: [] });
    await shop.replace('dtk.service.yaml', 'port: 8080', 'port: 8081');
    const edited = await shop.files.working('shop');
    expect(edited.changes).toEqual([{ path: 'dtk.service.yaml', op: 'changed' }]);
    expect(edited.files?.service.components?.['web']?.properties).toMatchObject({ port: 8081 });
    expect((await shop.files.at('shop', 'HEAD')).files?.service.components?.['web']?.properties).toMatchObject({ port: 8080 });
    expect((await shop.files.at('shop', 'HEAD')).commit).toBe(staged.head);
    expect(edited.files?.copies.get('acme/web')?.bytes).toBe(staged.files?.copies.get('acme/web')?.bytes);
    await expect(shop.files.working('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are told all that is wrong with them, each with its place', async () => {
    await shop.put(
      'dtk.service.yaml',
      'dsl_version: "1.0"\nname: other\nmodule: acme/web\nversion: 1.2.0\nassembly: web-tier\nunknown: 1\ncomponents:\n  web:\n    type: 3\n    links:\n      db: {to: A}\n  DB: {type: Db}\n',
    );
    expect(await told()).toEqual([
      expect.stringMatching(/^PARSING_ERROR dtk.service.yaml:9:5 components.web.type: /),
      expect.stringMatching(/^PARSING_ERROR dtk.service.yaml:11:12 components.web.links.db.to: must be COMPONENT/),
      expect.stringMatching(/^PARSING_ERROR dtk.service.yaml:12:3 components.DB: must be a name/),
      'PARSING_ERROR dtk.service.yaml:6:1 unknown: there is no such field',
    ]);
    await shop.put('dtk.service.yaml', 'name: [\n');
    expect(await told()).toEqual([expect.stringMatching(/^PARSING_ERROR dtk\.service\.yaml:2:1 it cannot be read as YAML/)]);
    await writeFile(join(shop.directory, 'dtk.service.yaml'), Buffer.from([0xff, 0xfe]));
    expect(await told()).toEqual(['PARSING_ERROR dtk.service.yaml is not UTF-8 text']);
    await rm(join(shop.directory, 'dtk.service.yaml'));
    await rm(join(shop.directory, 'dtk.lock.yaml'));
    expect(await told()).toEqual(['PARSING_ERROR dtk.service.yaml is not there', 'PARSING_ERROR dtk.lock.yaml is not there']);
    expect((await shop.files.working('shop')).files).toBeUndefined();
  });

  it('have the name of the instance', async () => {
    await shop.replace('dtk.service.yaml', 'name: shop', 'name: store');
    expect(await told()).toEqual(['PARSING_ERROR dtk.service.yaml:10:1 name: this is the service shop, and cannot be renamed']);
  });

  it('have copies that are sound, in their places, and named by the lock', async () => {
    await shop.replace('modules/acme/web/dtk.module.yaml', 'type: port', 'type: harbour');
    await mkdir(join(shop.directory, 'modules/acme/more'));
    await shop.put('modules/acme/more/dtk.module.yaml', "dsl_version: '1.0'\nmodule: acme/other\nversion: 1.0.0\n");
    await mkdir(join(shop.directory, 'modules/acme/broken'));
    await shop.put('modules/acme/broken/dtk.module.yaml', 'a: b: c\n');
    await mkdir(join(shop.directory, 'modules/acme/empty'));
    await shop.put('modules/acme/empty/README.md', 'x');
    await mkdir(join(shop.directory, 'modules/a/B'), { recursive: true });
    await shop.put('modules/a/B/x', 'x');
    await rm(join(shop.directory, 'modules/acme/base'), { recursive: true });
    await symlink('/etc/passwd', join(shop.directory, 'modules/acme/web/passwd'));
    expect(await told()).toEqual([
      'PARSING_ERROR modules/acme/web/passwd is a link; only plain files can be here',
      'PARSING_ERROR modules/a/B is not a place for a module',
      expect.stringMatching(/^PARSING_ERROR modules\/acme\/broken\/dtk\.module\.yaml:1:\d+ it cannot be read as YAML/),
      'MODULE_INVALID modules/acme/empty/dtk.module.yaml is not there',
      'MODULE_INVALID modules/acme/more/dtk.module.yaml says that it is the module acme/other, but it is in the directory of acme/more',
      expect.stringMatching(/^MODULE_INVALID modules\/acme\/web\/dtk\.module\.yaml types\.WebServer\.properties\.port\.type: /),
      'MISSING_MODULE dtk.lock.yaml acme/base there is no modules/acme/base',
      'MISSING_MODULE modules/a/B dtk.lock.yaml does not name it',
      'MISSING_MODULE modules/acme/broken dtk.lock.yaml does not name it',
      'MISSING_MODULE modules/acme/empty dtk.lock.yaml does not name it',
      'MISSING_MODULE modules/acme/more dtk.lock.yaml does not name it',
    ]);
    expect([...((await shop.files.working('shop')).files?.copies.keys() ?? [])]).toEqual([]);
  });

  it('have copies of what copies need', async () => {
    await shop.replace('modules/acme/web/dtk.module.yaml', 'acme/base: ^1.0.0', 'acme/base: ^2.0.0\n  acme/more: "*"');
    expect(await told()).toEqual([
      'MISSING_MODULE modules/acme/web needs acme/base ^2.0.0, and 1.0.0 is included',
      'MISSING_MODULE modules/acme/web needs the module acme/more, which is not included',
    ]);
  });

  it('do not keep the daemon busy, nor make it fail, whatever is in them', async () => {
    const bomb = `a: &a [${'x,'.repeat(50)}]\n${Array.from({ length: 9 }, (_, i) => `b${i}: &b${i} [${'*a,'.repeat(20)}]`).join('\n')}\n`;
    for (const text of [
      bomb,
      '['.repeat(10_000),
      `a: ${'x'.repeat(2 * 1024 * 1024)}`,
      '? ? ?\n: :',
      '__proto__: 1\n',
      '%YAML 9\n---\n!!js/function x',
    ]) {
      const { value, violations } = await readYamlFile(bytes(text), { name: 'x', schema: serviceFile, maxBytes: 1024 * 1024 });
      expect(value).toBeUndefined();
      expect(violations.length).toBeGreaterThan(0);
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.string(), async (data, text) => {
        for (const one of [data, bytes(`name: shop\ncomponents: ${text}`)]) {
          await readYamlFile(one, { name: 'x', schema: serviceFile, maxBytes: 1024 });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('are the same however they came into the repository', async () => {
    const repository = await shop.repositories.open('shop');
    await repository.commitFiles([{ path: 'modules/acme/web/new', data: bytes('new') }], by('Add'));
    const [work, committed] = [await shop.files.working('shop'), await shop.files.at('shop', 'main')];
    expect(work.tree.id).toBe(committed.tree.id);
    expect(work.files?.copies.get('acme/web')?.digest).toBe(committed.files?.copies.get('acme/web')?.digest);
  });
});
