// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of services, which the tested code reads.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { moduleManifest } from '../../../protocol/definitions/module.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { moduleFaults } from '../../../protocol/modules/check.ts';
import { readManifest } from '../../../protocol/modules/manifest.ts';

const TYPES = {
  Web: {
    properties: {
      port: { type: 'port', default: 80 },
      mode: { allowed: ['fast', 'safe'] },
      password: { type: 'secret' },
      pid: { type: 'integer', dynamic: true },
    },
    links: { database: { type: 'Db', take: { port: 'port' } } },
    commands: {
      Restart: { options: { patience: { type: 'integer', required: true } }, script: { inline: 'true' } },
      hidden: { private: true, script: { inline: 'true' } },
    },
  },
  Db: { properties: { port: { type: 'port' } } },
  Base: { abstract: true },
};

/** Faults of a module with this assembly, as `field: message` without the beginning that all share. */
function faults(assembly: object, more: object = {}): string[] {
  const manifest = moduleManifest.parse({
    dsl_version: '1.0',
    module: 'acme/web',
    version: '1.0.0',
    types: TYPES,
    assemblies: { tier: assembly },
    ...more,
  });
  return moduleFaults(manifest, new Set()).map(({ field, message }) => `${field.replace(/^assemblies\.tier\./, '')}: ${message}`);
}

describe('an assembly', () => {
  it('is sound if all that it names is there', () => {
    const sound = {
      parameters: { port: { type: 'port', default: 8080 }, count: { type: 'integer' } },
      target: 'hosts',
      components: {
        db: { type: 'db', properties: { port: 5432 } },
        web: {
          type: 'Web',
          properties: { mode: 'fast', password: '${target.credential}' },
          on: { count: '${parameters.count}' },
          links: { database: 'db', place: { to: 'target', take: { password: 'credential' } } },
          after: ['db'],
        },
        site: { type: 'Service', properties: { any: 1 } },
      },
      apps: { site: { component: 'web', domains: ['${parameters.port}'], address: '${components.web.port}' } },
      workflows: {
        create: { steps: [{ component: 'db' }, { workflow: 'again', options: { patience: 3 } }] },
        again: {
          options: { patience: { type: 'integer', required: true } },
          steps: [{ steps: [{ component: 'web-2', command: 'Restart', options: { patience: '${options.patience}' }, batch: '25%' }] }],
        },
      },
    };
    expect(faults(sound)).toEqual([]);
    const target = { role: 'target', kind: 'hosts', components: {}, offers: { nodes: 'tags=$${web', at: [{ deep: 'x' }] } };
    expect(faults(target)).toEqual([]);
  });

  it('names types that are there and can be', () => {
    const components = { a: { type: 'Gone' }, b: { type: 'Node' }, c: { type: 'Base' } };
    expect(faults({ components })).toEqual([
      'components.a.type: there is no type "Gone": types are the module\'s own, those of modules that it depends on, or built in',
      'components.b.type: a component cannot be a node: nodes exist already; name them with on:',
      'components.c.type: Base is abstract: only types that extend it can be used',
    ]);
    expect(faults({ components: { a: components.a } }, { dependencies: { 'acme/db': '^1' } })).toEqual([]);
  });

  it('gives values that fit, and never repeats what stands where the name of a secret belongs', () => {
    const properties = { port: 0, mode: 'slow', password: 'pass word!', pid: 1, other: true };
    const found = faults({ components: { web: { type: 'Web', properties } } });
    expect(found).toEqual([
      'components.web.properties.port: expected a port (a whole number of 1 to 65535), got 0',
      'components.web.properties.mode: expected one of "fast", "safe", got "slow"',
      'components.web.properties.password: expected the name of a Secret',
      'components.web.properties.pid: is computed when commands run, and cannot be set',
      'components.web.properties.other: type Web has no property other',
    ]);
    expect(faults({ components: {}, parameters: { a: { type: 'integer', default: 'x' }, b: { type: 'array', allowed: ['a'] } } })).toEqual([
      'parameters.a.default: expected a whole number, got "x"',
      'parameters.b.allowed: a property of type array cannot have a list of allowed values',
    ]);
    expect(faults({ components: { a: { type: 'Db', on: { count: 'many' } } } })[0]).toContain('expected a number, all, or a reference');
  });

  it('links, puts in order and nests components that are there, and none with itself', () => {
    const components = {
      web: { type: 'Web', links: { database: 'gone', own: 'web', other: 'shop/db', place: { to: 'target', take: { nothing: 'x' } } } },
      db: { type: 'Db', parents: ['db', 'nowhere'], after: ['db'] },
      target: { type: 'Db' },
    };
    expect(faults({ components })).toEqual([
      'components.web.links.database: there is no component "gone"',
      'components.web.links.own: web cannot be linked to itself',
      'components.web.links.own: type Web has no link own: add what it takes or gives, or declare it under links of the type',
      'components.web.links.other: type Web has no link other: add what it takes or gives, or declare it under links of the type',
      'components.web.links.place.take.nothing: type Web has no property nothing',
      'components.db.parents[0]: db cannot be a child of itself',
      'components.db.parents[1]: there is no component "nowhere"',
      'components.db.after[0]: db cannot be after itself',
      'components.target: target is reserved for the target that a service is staged against, and cannot be the name of a component',
    ]);
  });

  it('has no circle, through whatever it goes', () => {
    const components = {
      web: { type: 'Web', links: { database: 'db' } },
      db: { type: 'Db', after: ['os'] },
      os: { type: 'Db', parents: ['web'] },
    };
    expect(faults({ components })).toEqual(['components.web: components depend on one another in a circle: web → db → os → web']);
    // a link that takes nothing is no order
    const loose = { web: { type: 'Web', links: { any: { to: 'db', give: { port: 'port' } } } }, db: { type: 'Db', after: ['web'] } };
    expect(faults({ components: loose })).toEqual([]);
  });

  it('names parameters, components and options that there are, where they may stand', () => {
    const components = {
      web: {
        type: 'Service',
        properties: { a: '${parameters.gone}', b: ['${components.web.port}'], c: '${x', d: '$${fine}', e: '${what}' },
      },
    };
    const found = faults({ components, role: 'target', kind: 'hosts', offers: { a: '${components.gone.port}', b: '${target.x}' } });
    expect(found).toHaveLength(5);
    expect(found[0]).toBe('components.web.properties.a: "${parameters.gone}": there is no parameter "gone"');
    expect(found[1]).toContain('components.web.properties.b[0]: "${components.web.port}" names nothing; you can refer to');
    expect(found[2]).toContain('components.web.properties.c: has a ${ that no } closes');
    expect(found[3]).toContain('"${what}" names nothing');
    expect(found[4]).toBe('offers.a: "${components.gone.port}": there is no component "gone"');
  });

  it('of role target says which kind, and only such a one offers', () => {
    expect(faults({ role: 'target', components: {} })[0]).toContain('kind: a target needs a kind');
    expect(faults({ kind: 'hosts', offers: { a: 1 }, components: {} })).toHaveLength(2);
  });

  it('has workflows whose steps can be run', () => {
    const workflows = {
      create: {
        steps: [
          { component: 'gone' },
          { component: 'web', command: 'Stop' },
          { component: 'web', command: 'hidden' },
          { component: 'web', command: 'Restart', options: { other: 1, patience: 'x' } },
          { component: 'web', command: 'Restart' },
          { workflow: 'nowhere' },
          { workflow: 'round' },
          { steps: [{ component: 'web' }], batch: '2', command: 'Restart' },
        ],
      },
      round: { steps: [{ steps: [{ workflow: 'trip' }] }] },
      trip: { steps: [{ workflow: 'round', options: { no: 1 } }] },
    };
    const found = faults({ components: { web: { type: 'Web' } }, workflows, apps: { site: { component: 'db', domains: ['a'] } } });
    expect(found).toEqual([
      'apps.site.component: there is no component "db"',
      'workflows.create.steps[0].component: there is no component "gone"',
      'workflows.create.steps[1].command: type Web has no command Stop',
      'workflows.create.steps[2].command: hidden is private: it can only be a step of other commands',
      'workflows.create.steps[3].options.other: Restart has no such option',
      expect.stringContaining('workflows.create.steps[3].options.patience: '),
      'workflows.create.steps[4].options: Restart needs the option patience',
      'workflows.create.steps[5].workflow: there is no workflow "nowhere"',
      'workflows.create.steps[7].command: is a command of a component: name the component',
      'workflows.create.steps[7].batch: applies to the resources of a component: name the component',
      'workflows.trip.steps[0].options.no: round has no such option',
      'workflows.round.steps: runs itself without end: round → trip → round',
    ]);
  });
});

describe('a module', () => {
  it('depends on ranges that are some, and not on itself', () => {
    const dependencies = { 'acme/web': '*', 'acme/db': 'newest', 'acme/os': '>=1 <3' };
    expect(faults({ components: {} }, { dependencies })).toEqual([
      'dependencies.acme/web: a module cannot depend on itself',
      'dependencies.acme/db: "newest" is not a range of versions: write it like ^1.2.0, >=1 <3 or *',
    ]);
  });

  it('has links of types that lead to what there is', () => {
    const links = {
      database: { type: 'Gone', take: { nothing: 'port' } },
      other: { type: 'Db', take: { port: 'no', mode: 'node.name' }, give: { no: 'port' } },
    };
    expect(faults({ components: {} }, { types: { ...TYPES, Web: { ...TYPES.Web, links } } })).toEqual([
      expect.stringContaining('types.Web.links.database.type: there is no type "Gone"'),
      'types.Web.links.database.take.nothing: type Web has no property "nothing"',
      'types.Web.links.other.take.port: type Db has no property "no"',
      'types.Web.links.other.give.no: type Db has no property "no"',
    ]);
  });
});

describe('whatever stands there', () => {
  const name = fc.constantFrom('a', 'b', 'web', 'target', 'constructor', 'toString');
  const type = fc.constantFrom('Web', 'web', 'Db', 'Base', 'Node', 'Service', 'Gone');
  const value = fc.oneof(
    fc.constantFrom('${parameters.a}', '${', '$${', '${.}', '${components.a.b}', '${__proto__.x}', '${}'),
    fc.jsonValue(),
  );
  const link = fc.oneof(name, fc.record({ to: name, take: fc.dictionary(name, name, { maxKeys: 2 }) }));
  const component = fc.record(
    {
      type,
      properties: fc.dictionary(fc.oneof(name, fc.constantFrom('port', 'password', '__proto__')), value, { maxKeys: 3 }),
      links: fc.dictionary(name, link, { maxKeys: 2 }),
      parents: fc.array(name, { maxLength: 2 }),
      after: fc.array(name, { maxLength: 2 }),
      on: fc.oneof(fc.constant('${'), fc.record({ count: fc.oneof(fc.nat(5), fc.string()) })),
    },
    { requiredKeys: ['type'] },
  );
  const step = fc.record(
    { component: name, command: name, workflow: name, options: fc.dictionary(name, fc.oneof(fc.string(), fc.nat()), { maxKeys: 2 }) },
    { requiredKeys: [] },
  );
  const assembly = fc.record(
    {
      role: fc.constant('target'),
      kind: name,
      parameters: fc.dictionary(
        name,
        fc.record(
          { type: fc.constantFrom('string', 'array', 'secret'), default: value, allowed: fc.array(fc.string(), { minLength: 1 }) },
          { requiredKeys: [] },
        ),
      ),
      components: fc.dictionary(name, component, { maxKeys: 4 }),
      apps: fc.dictionary(name, fc.record({ component: name, domains: fc.constant(['a']) }), { maxKeys: 2 }),
      offers: fc.dictionary(name, value, { maxKeys: 2 }),
      workflows: fc.dictionary(name, fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 3 }) }), { maxKeys: 3 }),
    },
    { requiredKeys: [] },
  );

  it('it is judged, the same each time, and nothing breaks', () => {
    fc.assert(
      fc.property(assembly, (one) => {
        const parsed = moduleManifest.safeParse({
          dsl_version: '1.0',
          module: 'acme/web',
          version: '1.0.0',
          types: TYPES,
          assemblies: { tier: one },
        });
        fc.pre(parsed.success);
        if (!parsed.success) return;
        const found = moduleFaults(parsed.data, new Set());
        expect(moduleFaults(parsed.data, new Set())).toEqual(found);
        for (const { field, message } of found) expect(`${field}${message}`).not.toContain('undefined');
      }),
      { numRuns: 40 },
    );
  });

  it('a document of any shape is refused with words, or read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.jsonValue().map((one) => JSON.stringify(one)),
          fc.string(),
        ),
        async (text) => {
          await readManifest(text).catch((error: unknown) => expect(error).toBeInstanceOf(DtkdError));
        },
      ),
      { numRuns: 100 },
    );
  });
});
