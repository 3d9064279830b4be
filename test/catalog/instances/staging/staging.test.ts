import { chmod, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CopyReader } from '../../../../daemon/src/catalog/instances/files/copies.ts';
import { FileReader } from '../../../../daemon/src/catalog/instances/files/read-files.ts';
import { createStaging } from '../../../../daemon/src/catalog/instances/staging/staging.ts';
import type { StageOrder } from '../../../../daemon/src/catalog/instances/staging/staging.types.ts';
import { KEY, type MemoryBases, operator, someBases } from '../module-bases.ts';
import { author, type Bench, bench, filesIn } from '../repository/bench.ts';

let made: Bench;
let bases: MemoryBases;
beforeEach(async () => {
  made = await bench();
  bases = await someBases();
});
afterEach(() => made.close());

const stage = (order: Partial<StageOrder> = {}) =>
  createStaging({ repositories: made.repositories, modules: bases }).stage({
    module: 'acme/web',
    assembly: 'web-tier',
    name: 'shop',
    principal: operator,
    author,
    ...order,
  });

describe('staging', () => {
  it('makes a repository with the assembly, its comments, and copies of all modules', async () => {
    const { directory, commit, service, lock, unset } = await stage({ target: 'prod', parameters: { tier: 'back' } });
    const files = await filesIn(directory);
    expect(Object.keys(files).sort()).toEqual([
      'dtk.lock.yaml',
      'dtk.service.yaml',
      'modules/acme/base/dtk.module.yaml',
      'modules/acme/web/README.md',
      'modules/acme/web/bin/start',
      'modules/acme/web/dtk.module.yaml',
    ]);
    expect((await stat(join(directory, 'modules/acme/web/bin/start'))).mode & 0o777).toBe(0o755);
    expect(files['dtk.service.yaml']).toMatchInlineSnapshot(`
      "# The service shop, staged from acme/web:web-tier 1.2.0. This file says how it should be.
      # Edit it, and the copies of modules below modules/, or use "dtkd service set"; then run
      #
      #     dtkd service diff shop     # what was changed
      #     dtkd converge shop         # make it so
      #
      # Properties of type secret have the name of a Secret of the node, never the secret itself.

      dsl_version: "1.0"
      name: shop
      module: acme/web
      version: 1.2.0
      assembly: web-tier
      description: A web tier
      target-kind: nodes
      target: prod

      parameters:
        tier: back

      parameter-rules:
        tier: { allowed: [ front, back ], default: front }
        size: { type: integer, required: true }
        key: { type: secret }

      components:
        # The one that answers.
        web:
          type: WebServer
          properties:
            port: 8080 # as everybody expects
            greeting: Hello
            password: web.password
          links:
            db: db
        db: { type: Service, properties: { url: x } }
      "
    `);
    expect(service).toMatchObject({ target: 'prod', 'target-kind': 'nodes', parameters: { tier: 'back' } });
    expect(Object.keys(lock.modules)).toEqual(['acme/web', 'acme/base']);
    expect(lock.modules['acme/web']).toMatchObject({ version: '1.2.0', publisher: KEY });
    expect(unset).toEqual(['size']);
    const repository = await made.repositories.open('shop');
    expect(await repository.log()).toMatchObject([{ id: commit, message: 'Stage acme/web:web-tier 1.2.0 as shop', author }]);
    const { files: read, violations } = await new FileReader(new CopyReader()).read('shop', (await repository.status()).tree);
    expect(violations).toEqual([]);
    expect(read?.copies.get('acme/web')?.digest).toBe(lock.modules['acme/web']?.digest);
    expect(read?.place(['components', 'web', 'properties', 'port'])).toMatch(/^dtk\.service\.yaml:\d+:7$/);
  });

  it('finds a name after the assembly that is free', async () => {
    expect((await stage({ name: undefined })).name).toBe('web-tier');
    expect((await stage({ name: undefined })).name).toBe('web-tier-2');
    expect((await stage({ name: undefined, taken: async (name) => name === 'web-tier-3' })).name).toBe('web-tier-4');
  });

  it('makes nothing where something is wrong, and tells all of it', async () => {
    await expect(stage({ assembly: 'web-teir' })).rejects.toMatchObject({ code: 'NOT_FOUND', next: 'Did you mean acme/web:web-tier?' });
    const parameters = { tier: 'middle', sise: 3, size: 'three', key: 'My Secret' };
    const refused = await stage({ parameters }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'INVALID' });
    const text = JSON.stringify(Reflect.get(Object(refused), 'details')) + String(refused);
    for (const part of ['parameters.tier', 'did you mean size?', 'parameters.size', 'parameters.key']) expect(text).toContain(part);
    expect(text).not.toContain('My Secret');
    await expect(stage({ version: '^2.0.0' })).rejects.toMatchObject({ code: 'NO_MATCH' });
    expect(await made.repositories.names()).toEqual([]);
    await stage({ parameters: { size: ['$', '{target.size}'].join('') } });
    await expect(stage()).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  it('only says what it would make', async () => {
    const { commit, unset } = await stage({ dryRun: true });
    expect(commit).toBeUndefined();
    expect(unset).toEqual(['size']);
    expect(await made.repositories.names()).toEqual([]);
  });

  it('takes over an assembly that refers to other parts of its manifest', async () => {
    await bases.add({
      'dtk.module.yaml': `dsl_version: '1.0'
module: acme/alias
version: 1.0.0
types: {Web: {properties: {port: &port {type: port}}}}
assemblies:
  one:
    parameters: {port: *port}
    components:
      web: {type: Web}
`,
    });
    const { service, directory } = await stage({ module: 'acme/alias', assembly: 'one' });
    expect(service['parameter-rules']).toEqual({ port: { type: 'port' } });
    expect(await readFile(join(directory, 'dtk.service.yaml'), 'utf8')).not.toContain('*port');
  });

  it('refuses a module with a repository in it', async () => {
    await bases.add({
      'dtk.module.yaml': "dsl_version: '1.0'\nmodule: acme/evil\nversion: 1.0.0\nassemblies: {one: {}}\n",
      '.git/config': '[core]\n\tfsmonitor = evil\n',
    });
    await expect(stage({ module: 'acme/evil', assembly: 'one' })).rejects.toMatchObject({ code: 'INVALID' });
    expect(await made.repositories.names()).toEqual([]);
  });

  it('does not lose track of what can be run', async () => {
    const { directory } = await stage();
    const repository = await made.repositories.open('shop');
    const reader = new FileReader(new CopyReader());
    const before = await reader.read('shop', (await repository.status()).tree);
    await chmod(join(directory, 'modules/acme/web/bin/start'), 0o644);
    const after = await reader.read('shop', (await repository.status()).tree);
    expect(after.files?.copies.get('acme/web')?.digest).not.toBe(before.files?.copies.get('acme/web')?.digest);
  });
});
