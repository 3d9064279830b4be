import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Converted, convertDtk } from '../../../cli/module/dtk/convert.ts';
import { scriptText } from '../../../cli/module/dtk/script-text.ts';
import type { ModuleArchive } from '../../../protocol/definitions/module.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { packArchive, unpackArchive } from '../../../protocol/modules/archive.ts';
import { allFaults, checkModule } from '../../../protocol/modules/check.ts';
import { runCli } from '../fake-daemon.ts';

const EXAMPLE = new URL('../../../examples/dtk/blog', import.meta.url).pathname;
const TEXT = await readFile(join(EXAMPLE, 'dtk.module.yaml'), 'utf8');
const PRESENT = new Set(['files/theme.sh']);
/** Apart, so that nobody takes what follows for a placeholder of this file. */
const DOLLAR = '$';
const HEAD = 'dsl_version: 1.0.0\nmodule: demo/blog\nversion: 1.0.0\n';

function convert(text: string): Promise<Converted> {
  return convertDtk(text, 'dtk.module.yaml', PRESENT);
}

async function faultsOf(converted: Converted): Promise<unknown[]> {
  return allFaults(archiveOf(converted));
}

/** Without the notes on what to correct in the new module. */
async function graveOf(converted: Converted): Promise<unknown[]> {
  return (await checkModule(archiveOf(converted))).faults;
}

function archiveOf({ files }: Converted): ModuleArchive {
  const made = [...files].map(([path, { text, executable }]) => ({ path, executable, data: Uint8Array.from(Buffer.from(text)) }));
  const others = [...PRESENT].map((path) => ({ path, executable: true, data: new Uint8Array() }));
  return unpackArchive(packArchive([...made, ...others]));
}

describe('a module of DTK', () => {
  it('becomes one of dtkd that is valid', async () => {
    const converted = await convert(TEXT);
    expect(await faultsOf(converted)).toEqual([]);
    const { manifest } = converted;
    expect(manifest).toMatchObject({ module: 'demo/blog', version: '0.3.0', dependencies: { 'demo/mysql': '1.2.0' } });
    expect(manifest.types?.['BlogServer']).toMatchObject({
      properties: {
        admin_password: { type: 'secret' },
        port: { type: 'port', required: true, default: 8080 },
        settings: { type: 'object' },
      },
      links: {
        'mysql-server': {
          type: 'MysqlServer',
          required: true,
          take: { db_port: 'port', db_host: 'node.address' },
          give: { user: 'title' },
        },
      },
      commands: { theme: { script: { file: 'files/theme.sh' } }, restart: { options: { seconds: { type: 'integer', default: 3 } } } },
    });
    expect(manifest.types?.['BlogServer']?.commands).not.toHaveProperty('discover');
    expect(manifest.assemblies?.['blog']).toMatchObject({
      target: 'cloud',
      parameters: { domain: { required: true }, 'node-web': { default: 'tags=web' } },
      components: {
        server: { properties: { title: 'Costs $${5}', port: 8081 }, on: { count: 2 }, links: { 'mysql-server': 'mysql-server' } },
        'mysql-server': { type: 'MysqlServer', properties: { port: 3307 } },
        'client-reader': { properties: { name: 'reader' } },
      },
      workflows: { bounce: { steps: [{ name: 'again', component: 'server', command: 'restart' }] } },
    });
    expect(manifest.assemblies?.['blog']?.workflows?.['create']?.steps).toEqual([
      { name: 'database', component: 'mysql-server' },
      {
        name: 'the rest',
        order: 'concurrent',
        steps: [
          { name: 'pages', component: 'server', retry: { attempts: 3 } },
          { name: 'people', steps: [{ component: 'client-reader' }, { component: 'client-writer' }] },
        ],
      },
    ]);
    expect(await convert(TEXT)).toEqual(converted);
  });

  it('leaves no secret behind, and says what it could not keep, and where', async () => {
    const { files, notes } = await convert(TEXT);
    const all = [...files.values()].map(({ text }) => text).join('\n');
    expect(all).not.toMatch(/hunter2|changeme/);
    const lineOf = (text: string) => TEXT.split('\n').findIndex((line) => line.includes(text)) + 1;
    for (const [text, about] of [
      ['default: changeme', /default of admin_password .* secret and was not kept/],
      ['type: ruby', /discover .* handed on to "ruby"/],
      ['clients[blog]', /mapping .* was left out/],
      ['size: small', /size of node web was left out/],
      ['hunter2', /admin_password .* may be a secret/],
      ['breakpoint', /breakpoint .* has no counterpart/],
    ] as const) {
      const note = notes.find((one) => about.test(one.text));
      expect(note?.line, text).toBeGreaterThanOrEqual(lineOf(text) - 1);
      expect(note?.line, text).toBeLessThanOrEqual(lineOf(text));
    }
  });

  it('is refused with all that is wrong, each with its place', async () => {
    const text = `${HEAD}component_defs:\n  a: 3\n  b:\n    attributes: [x]\n  c:\n    actions:\n      create:\n        commands: 7\nassemblies:\n  d:\n    nodes:\n      n: x\n`;
    const error = await convert(text).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'BAD_REQUEST' });
    expect(String(error)).toContain('nothing was written');
    for (const place of ['5:6: component a', '7:17: the attributes of component b', '11:19: action create', '15:10: node n']) {
      expect(String(error)).toContain(`dtk.module.yaml:${place}`);
    }
    await expect(convert('module: [a\n')).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringMatching(/dtk\.module\.yaml:\d+:\d+/),
    });
    await expect(convert('- a\n')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(convert('module: x\n')).rejects.toMatchObject({
      message: expect.stringContaining('1:9: "x" is not the name of a module'),
    });
    await expect(convert('dsl_version: 2.0.0\nmodule: a/b\n')).rejects.toMatchObject({ message: expect.stringContaining('1:14') });
    await expect(convert(`${HEAD}component_defs:\n  foo-bar: {}\n  foo_bar: {}\n`)).rejects.toMatchObject({
      message: expect.stringContaining('another component is already'),
    });
  });

  it('may have its dependencies as a list or a mapping, and no version', async () => {
    const { manifest } = await convert(
      'module: aws:ec2_tools\nversion: master\ndependencies:\n- aws/network: 1.2\n- aws/image\n- aws/x: {version: master}\n',
    );
    expect(manifest).toMatchObject({
      module: 'aws/ec2-tools',
      version: '0.1.0',
      dependencies: { 'aws/network': '1.2.0', 'aws/image': '*', 'aws/x': '*' },
    });
  });

  it('has links to both sides, whichever way they are written', async () => {
    const link = (mapping: string) =>
      convert(
        `${HEAD}dependencies: [demo/mysql]\ncomponent_defs:\n  app:\n    link_defs:\n    - mysql::server:\n        attribute_mappings:\n        - ${mapping}\n`,
      ).then(({ manifest }) => manifest.types?.['BlogApp']?.links?.['mysql-server']);
    expect(await link('$port -> db_port')).toEqual({ type: 'MysqlServer', take: { db_port: 'port' } });
    expect(await link('db_user <- $user')).toEqual({ type: 'MysqlServer', give: { db_user: 'user' } });
    expect(await link('$base.user -> remote.db_user')).toEqual({ type: 'MysqlServer', give: { db_user: 'user' } });
    expect(await link('$mysql::server.port -> db_port')).toEqual({ type: 'MysqlServer', take: { db_port: 'port' } });
    expect(await link('hosts <- $node.host_address')).toEqual({ type: 'MysqlServer', give: { hosts: 'node.address' } });
    expect(await link('$a.b -> c')).toEqual({ type: 'MysqlServer' });
  });

  it('whatever it is, either becomes a module that is valid, or is refused', async () => {
    const word = fc.constantFrom(
      'a',
      'server',
      'x::y',
      'comp[title]',
      'n/comp',
      '__proto__',
      'constructor',
      '9',
      'A b',
      'ü',
      '',
      'node',
      'comp.run',
    );
    const leaf = fc.oneof(
      word,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.string({ maxLength: 20 }),
      fc.constant("RUN echo {{a}} '{{b}}'"),
    );
    const { body } = fc.letrec((tie) => ({
      body: fc.oneof(
        { maxDepth: 6, withCrossShrink: true },
        leaf,
        fc.array(tie('body'), { maxLength: 3 }),
        fc.dictionary(fc.oneof(word, fc.constantFrom(...KEYS)), tie('body'), { maxKeys: 5 }),
      ),
    }));
    const document = fc.record(
      { component_defs: body, assemblies: body, dependencies: body, version: leaf, description: leaf },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(document, async (value) => {
        await expectSound(stringify({ module: 'a/b', ...value }));
      }),
      { numRuns: 400 },
    );
  });

  it('leaves out what could not be, and says so', async () => {
    const said = async (text: string) => {
      const converted = await convert(HEAD + text);
      expect(await faultsOf(converted)).toEqual([]);
      return { manifest: converted.manifest, notes: converted.notes.map((note) => note.text).join('\n') };
    };
    const foreign = await said('component_defs: {a: {link_defs: {x::y: {}}}}\nassemblies: {m: {components: [a, z::z]}}\n');
    expect(foreign.manifest.assemblies?.['m']?.components).toEqual({ a: { type: 'BlogA' } });
    expect(foreign.notes).toMatch(/link x-y .* left out[\s\S]*component z::z .* left out/);
    const target = await said(
      'component_defs: {target: {}, node: {}, service: {}}\nassemblies: {m: {target: true, components: [target, node]}}\n',
    );
    expect(target.manifest.assemblies?.['m']).toMatchObject({
      role: 'target',
      kind: 'm',
      components: { 'target-2': { type: 'BlogTarget' } },
    });
    const steps = await said(
      'component_defs: {a: {attributes: {d: {dynamic: true}}, actions: {run: {command: RUN x, parameters: {p: {required: true}}}}}}\n' +
        'assemblies: {m: {components: [{a: {attributes: {d: 1}}}], actions: {w: {subtasks: [{components: [a.run]}, {components: [a.gone]}, {components: [a.run], params: {p: "' +
        DOLLAR +
        '{1}"}}]}}}}\n',
    );
    expect(steps.manifest.assemblies?.['m']?.workflows?.['w']?.steps).toEqual([
      { component: 'a', command: 'run', options: { p: '$${1}' } },
    ]);
    expect(steps.notes).toMatch(/run needs p[\s\S]*no command gone/);
  });

  it('loses nothing without a word', async () => {
    const text = await readFile(new URL('everything.yaml', import.meta.url), 'utf8');
    const converted = await convert(text);
    expect(await faultsOf(converted)).toEqual([]);
    const app = converted.manifest.types?.['ShopApp'];
    expect(app?.commands?.['backup']?.options).toEqual({
      mode: { type: 'string', allowed: ['full', 'quick'], default: 'quick' },
      filter: { type: 'string' },
      pass: { type: 'string' },
    });
    expect(JSON.stringify([...converted.files])).not.toContain('hunter2');
    expect(app?.links?.['mysql']?.take).toEqual({ db_port: 'port' });
    const workflows = converted.manifest.assemblies?.['all']?.workflows;
    expect(workflows?.['create']?.steps).toEqual([
      { name: 'group', component: 'app' },
      { name: 'given', component: 'mysql' },
    ]);
    // each line that is marked has a note of its own
    const marked = text.split('\n').flatMap((line, index) => (line.includes('# left out') ? [index + 1] : []));
    const noted = new Set(converted.notes.map(({ line }) => line));
    expect(marked.filter((line) => !noted.has(line))).toEqual([]);
  });

  it('lets links give values to what is dynamic there, and every Service have the properties that it has', async () => {
    const converted = await convert(
      `${HEAD}component_defs:
  app:
    attributes: {db_port: {dynamic: true}, port: {type: integer, default: 8080}, other: {dynamic: true}}
    link_defs: {db: {attribute_mappings: ['$port -> db_port', 'user <- $other']}}
  db: {attributes: {port: {type: port}, user: {dynamic: true}, basedir: {type: array, default: [x]}}}
`,
    );
    expect(await faultsOf(converted)).toEqual([]);
    expect(converted.manifest.types?.['BlogApp']?.properties).toEqual({
      db_port: { type: 'string' },
      port: { type: 'port', default: 8080 },
      other: { type: 'string', dynamic: true },
    });
    expect(converted.manifest.types?.['BlogDb']?.properties).toMatchObject({ user: { type: 'string' }, basedir: { type: 'string' } });
    const notes = converted.notes.map(({ text }) => text).join('\n');
    expect(notes).toMatch(/basedir of component db is of the type string here, as of every Service, and its default was left out/);
  });

  it('knows components of one name on several nodes apart', async () => {
    const { manifest, notes } = await convert(
      `${HEAD}component_defs: {a: {link_defs: {db: {}}}, db: {attributes: {port: {type: port}}}}
assemblies:
  m:
    attributes: {two/db/port: 3308, db/port: 3307}
    nodes:
      one: {components: [db]}
      two: {components: [{a: {component_links: {db: db}}}, db]}
      three: {components: [{a: {component_links: {db: db}}}]}
`,
    );
    const components = manifest.assemblies?.['m']?.components;
    expect(components?.['db']?.properties).toEqual({ port: 3307 });
    expect(components?.['db-two']?.properties).toEqual({ port: 3308 });
    expect(components?.['a']?.links).toEqual({ db: 'db-two' });
    expect(components?.['a-three']?.links).toEqual({ db: 'db' });
    expect(notes.filter(({ text }) => text.includes('could be meant as well')).map(({ text }) => text)).toEqual([
      expect.stringMatching(/link db of component a-three .* leads to db, and db-two could/),
    ]);
  });

  it('as people write them becomes one that is valid', async () => {
    const name = fc.constantFrom('a', 'b', 'web_server', 'mysql::server', 'target', 'node', 'service', 'a[one]', 'b[two words]');
    const attribute = fc.record(
      {
        type: fc.constantFrom('string', 'integer', 'boolean', 'hash', 'array', 'port', 'json', 'float'),
        default: fc.oneof(fc.string({ maxLength: 5 }), fc.integer(), fc.constant([1]), fc.constant({ x: 1 })),
        required: fc.boolean(),
        dynamic: fc.boolean(),
        encrypted: fc.boolean(),
        options: fc.array(fc.oneof(fc.integer(), fc.string({ maxLength: 3 })), { maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    const attributes = fc.dictionary(fc.constantFrom('p', 'q', 'password', 'title'), attribute, { maxKeys: 3 });
    const action = fc.record(
      {
        command: fc.constantFrom('RUN echo {{p}}', 'ls', 'ADD x y', 'echo {{#p}}'),
        type: fc.constantFrom('bash', 'shell', 'ruby'),
        parameters: fc.constant({ n: { type: 'integer', required: true } }),
        timeout: fc.constant(5),
      },
      { requiredKeys: ['command'] },
    );
    const component = fc.record(
      {
        attributes,
        actions: fc.dictionary(fc.constantFrom('create', 'delete', 'run'), action, { maxKeys: 3 }),
        dependencies: fc.array(name, { maxLength: 2 }),
        link_defs: fc.dictionary(name, fc.constant({ attribute_mappings: ['$p -> q', 'p <- $q', '$node.host_address -> p'] }), {
          maxKeys: 2,
        }),
      },
      { requiredKeys: [] },
    );
    const values = fc.dictionary(fc.constantFrom('p', 'q', 'x'), fc.oneof(fc.integer(), fc.string({ maxLength: 4 })), { maxKeys: 2 });
    const placed = fc.array(
      fc.oneof(
        name,
        fc.tuple(name, values, fc.dictionary(name, name, { maxKeys: 1 })).map(([one, set, links]) => ({
          [one]: { attributes: set, component_links: links },
        })),
      ),
      { maxLength: 3 },
    );
    const ref = fc.tuple(name, fc.constantFrom('', '.run', '.create', '.delete', '.gone')).map(([one, rest]) => one + rest);
    const subtask = fc.record(
      {
        name: fc.string({ maxLength: 4 }),
        components: fc.array(ref, { maxLength: 2 }),
        node: fc.constantFrom('n', 'm'),
        params: fc.constant({ n: 3 }),
      },
      { requiredKeys: ['components'] },
    );
    const workflow = fc.record({
      subtask_order: fc.constantFrom('sequential', 'concurrent'),
      subtasks: fc.array(
        fc.oneof(subtask, fc.record({ subtasks: fc.array(subtask, { maxLength: 2 }) }), fc.constant({ import: 'other' })),
        { maxLength: 3 },
      ),
    });
    const assembly = fc.record(
      {
        target: fc.constantFrom(true, false, 'cloud'),
        attributes: fc.oneof(attributes, fc.dictionary(fc.constantFrom('k', 'a/p'), fc.integer(), { maxKeys: 2 })),
        components: placed,
        nodes: fc.dictionary(
          fc.constantFrom('n', 'm'),
          fc.record({ attributes: fc.constantFrom({}, { cardinality: 2 }), components: placed }),
          { maxKeys: 2 },
        ),
        actions: fc.dictionary(fc.constantFrom('create', 'delete', 'other'), workflow, { maxKeys: 2 }),
      },
      { requiredKeys: [] },
    );
    const document = fc.record(
      {
        dependencies: fc.constant({ 'demo/mysql': '1.0' }),
        component_defs: fc.dictionary(fc.constantFrom('a', 'b', 'web_server', 'target', 'node', 'service'), component, { maxKeys: 4 }),
        assemblies: fc.dictionary(fc.constantFrom('x', 'y_z'), assembly, { maxKeys: 2 }),
      },
      { requiredKeys: [] },
    );
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(document, async (value) => {
        const converted = await convert(HEAD + (Object.keys(value).length === 0 ? '' : stringify(value)));
        const faults = await graveOf(converted);
        // what needs one another in a circle can only be told
        refused += faults.some((fault) => JSON.stringify(fault).includes('circle') || JSON.stringify(fault).includes('without end'))
          ? 1
          : 0;
        expect(faults.filter((fault) => !/circle|without end/.test(JSON.stringify(fault)))).toEqual([]);
      }),
      { numRuns: 300 },
    );
    expect(refused).toBeLessThan(150);
  });

  it('half broken, either becomes a module that is valid, or is refused', async () => {
    const lines = TEXT.split('\n');
    const edit = fc.record({
      at: fc.nat(lines.length - 1),
      by: fc.constantFrom('', '  - x', '      y: {', '    z: [1]', 'b', '        q:'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        const changed = [...lines];
        for (const { at, by } of edits) changed[at] = by;
        await expectSound(changed.join('\n'));
      }),
      { numRuns: 150 },
    );
  });
});

const KEYS = [
  'attributes',
  'type',
  'default',
  'required',
  'encrypted',
  'options',
  'actions',
  'create',
  'commands',
  'command',
  'RUN',
  'function',
  'parameters',
  'link_defs',
  'dependencies',
  'attribute_mappings',
  'components',
  'nodes',
  'component_links',
  'subtasks',
  'subtask_order',
  'ordered_components',
  'import',
  'retry',
  'target',
  'name',
];

async function expectSound(text: string): Promise<void> {
  let converted: Converted;
  try {
    converted = await convert(text);
  } catch (error) {
    expect(error).toBeInstanceOf(DtkdError);
    expect(error).toMatchObject({ code: expect.stringMatching(/^(BAD_REQUEST|INVALID)$/) });
    return;
  }
  expect(await graveOf(converted)).toEqual([]);
}

describe('the text of a script', () => {
  const variables = new Map([['who', 'DTKD_PROPERTY_WHO']]);

  it('says what an attribute is, and never lets the shell read it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('printf %s "{{who}}"', "printf %s '{{who}}'", 'printf %s "{{{ who }}}"', 'printf \'%s\' "a""{{who}}" | cut -c 2-'),
        fc.string({ maxLength: 12 }).filter((text) => !/[\0\n\r]/.test(text)),
        (text, who) => {
          const script = scriptText('sh', 'a test\nwith lines', [{ text }], variables).text;
          const { status, stdout } = spawnSync('/bin/sh', ['-c', script], {
            env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', DTKD_PROPERTY_WHO: who },
          });
          expect({ status, text: stdout.toString('utf8').replace(/\n$/, '') }).toEqual({ status: 0, text: who });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('knows comments and here-documents from quotes', () => {
    const said = (text: string) => {
      const { text: script, unread } = scriptText('sh', 'x', [{ text }], variables);
      const { stdout } = spawnSync('/bin/sh', ['-c', script], { env: { PATH: '/usr/bin:/bin', DTKD_PROPERTY_WHO: '$(id) me' } });
      return [stdout.toString('utf8'), ...unread];
    };
    expect(said('# don\'t\nprintf %s "{{who}}"')).toEqual(['$(id) me']);
    expect(said("printf %s a#b 'c' # don't\nprintf %s '{{who}}'")).toEqual(['a#bc$(id) me']);
    expect(said("cat <<EOF\nit's {{who}}\nEOF\nprintf %s '{{who}}'")).toEqual(["it's $(id) me\n$(id) me"]);
    expect(said("cat <<-'X' ; cat <<Y\na {{who}}\n\tX\nb {{who}}\nY\nprintf %s '{{who}}'")).toEqual([
      'a {{who}}\nb $(id) me\n$(id) me',
      'who',
    ]);
    expect(said("printf %s $((1<<2))\nprintf %s '{{who}}'")).toEqual(['4$(id) me']);
  });

  it('ends at the first command that fails, and runs what its conditions say', () => {
    const said = (lines: Parameters<typeof scriptText>[2]) => {
      const { status, stdout } = spawnSync('/bin/sh', ['-c', scriptText('sh', 'x', lines, variables).text], {
        env: { PATH: '/usr/bin:/bin' },
      });
      return { status, text: stdout.toString('utf8') };
    };
    expect(said([{ text: 'echo a' }, { text: 'false' }, { text: 'echo b' }])).toEqual({ status: 1, text: 'a\n' });
    expect(
      said([
        { text: 'echo a', when: 'true', unless: 'false' },
        { text: 'echo b', unless: 'true' },
      ]),
    ).toEqual({ status: 0, text: 'a\n' });
  });
});

describe('dtkd module import-dtk', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'dtkd-import-'));
    await cp(EXAMPLE, join(root, 'blog'), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const dtkd = (...args: string[]) => runCli({ cwd: root }, 'module', ...args);

  it('writes a module once, and leaves alone what is there', async () => {
    expect(await dtkd('import-dtk', 'blog', '--dry-run')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('5 files created, 0 changed, 0 unchanged (dry run)'),
    });
    expect(await readdir(root)).toEqual(['blog']);
    expect(await dtkd('import-dtk', 'blog')).toMatchObject({ code: 0, stdout: expect.stringContaining('2 types, 3 scripts, 1 assembly') });
    expect(await dtkd('validate', 'blog-dtkd')).toMatchObject({ code: 0 });
    expect(await dtkd('import-dtk', 'blog')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('0 files created, 0 changed, 5 unchanged'),
    });
    await writeFile(join(root, 'blog-dtkd/bin/server-delete'), 'mine');
    expect(await dtkd('import-dtk', 'blog')).toMatchObject({ code: 6, stderr: expect.stringContaining('bin/server-delete') });
    expect(await readFile(join(root, 'blog-dtkd/bin/server-delete'), 'utf8')).toBe('mine');
    expect(await dtkd('import-dtk', 'blog', '--replace')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1 changed, 4 unchanged'),
    });
  });

  it('writes nothing where something is wrong', async () => {
    await writeFile(join(root, 'blog/dtk.module.yaml'), `${TEXT}\ncomponent_defs: 3\n`);
    expect(await dtkd('import-dtk', 'blog')).toMatchObject({ code: 2, stderr: expect.stringMatching(/dtk\.module\.yaml:\d+:\d+/) });
    await writeFile(join(root, 'blog/dtk.module.yaml'), TEXT);
    await symlink('/etc/passwd', join(root, 'blog/link'));
    expect((await dtkd('import-dtk', 'blog')).code).toBe(2);
    await rm(join(root, 'blog/link'));
    expect((await dtkd('import-dtk', 'blog', '--out', 'blog/new')).code).toBe(2);
    expect(await readdir(root)).toEqual(['blog']);
  });
});
