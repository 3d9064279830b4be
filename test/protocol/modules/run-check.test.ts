// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of modules.
import { describe, expect, it } from 'vitest';
import { packArchive, unpackArchive } from '../../../protocol/modules/archive.ts';
import { allFaults, checkModule, newModule } from '../../../protocol/modules/check.ts';
import { placedFaults } from '../../../protocol/modules/places.ts';

const RUN = { script: { inline: 'true' } };
const PROPERTIES = { port: { type: 'port', default: 80 }, text: { default: 'x' }, bare: {} };

interface Parts {
  /** What type Web says besides. */
  web?: object;
  /** Commands of Web besides `create`. */
  create?: object;
  types?: object;
  assembly?: object;
  files?: Record<string, string | Uint8Array>;
  more?: object;
}

function archiveOf({ web = {}, create = RUN, types = {}, assembly = {}, files = {}, more = {} }: Parts) {
  const manifest = {
    dsl_version: '1.0',
    module: 'acme/web',
    version: '1.0.0',
    types: { Web: { properties: PROPERTIES, commands: { create }, ...web }, ...types },
    assemblies: { one: { components: { web: { type: 'Web' } }, ...assembly } },
    ...more,
  };
  const all = Object.entries({ 'dtk.module.yaml': JSON.stringify(manifest), ...files });
  return unpackArchive(packArchive(all.map(([path, data]) => ({ path, executable: true, data: Uint8Array.from(Buffer.from(data)) }))));
}

/** Faults as `FIELD: MESSAGE`, without what all fields of a type or of the assembly begin with. */
async function wrong(parts: Parts): Promise<string[]> {
  return (await allFaults(archiveOf(parts))).map(({ field, message }) => `${field.replace(/^(types|assemblies\.one)\./, '')}: ${message}`);
}

const script = (more: object) => ({ create: { script: { inline: 'true', ...more } } });
const template = (text: string | Uint8Array, to = 'conf', more: object = {}): Parts => ({
  web: { templates: [{ from: 't', to }], ...more },
  files: { t: text },
});
const components = (all: object): Parts => ({ types: { Db: { properties: { a: {} } } }, assembly: { components: all } });

/** What was let through, and failed or was refused by the converge of every service. */
const BROKEN: Record<string, [Parts, RegExp]> = {
  'a template of a property that no type declares': [
    template('a\n ${properties.prot}'),
    /^Web.templates\[0\].from: "\$\{properties.prot\}": .* did you mean port/,
  ],
  'a template of an option': [template('${options.o}'), /a template has no options/],
  'a template of nothing': [template('${foo}'), /names nothing/],
  'a template with an open reference': [template('${properties.port'), /no } closes/],
  'a template of what a node has not': [template('${node.address}'), /names nothing/],
  'a template in the place of what dtkd writes': [template('x', './var//resource.json'), /to: is written by dtkd itself/],
  'a template in the place of a directory': [template('x', 'var'), /to: is a directory/],
  'a template that is a directory': [template('x', 'conf/'), /to: is the path of a directory/],
  'a template with a name that no disk takes': [template('x', 'n'.repeat(300)), /to: has a name that is too long/],
  'a template that is no text': [template(Buffer.from([0xff, 0xfe])), /is not UTF-8 text/],
  'a template that is too large': [template(`\${node.name}${'x'.repeat(1_100_000)}`), /is larger than 1 MiB/],
  'templates of which one is a directory of another': [
    { web: { templates: ['a/b', 'a'].map((to) => ({ from: 't', to })) }, files: { t: 'x' } },
    /templates\[1\].to: a would be a file, and the directory of a\/b/,
  ],
  'templates of one file': [
    { web: { templates: ['a', './a'].map((to) => ({ from: 't', to })) }, files: { t: 'x' } },
    /two templates make "a"/,
  ],
  'an argument of a property that no type declares': [
    script({ args: ['${properties.nope}'] }),
    /create.script.args\[0\]: .* has no property "nope"/,
  ],
  'a variable of nothing': [script({ env: { A: '${foo.bar}' } }), /script.env.A: .* names nothing/],
  'a directory of what a resource has not': [
    script({ directory: '${resource.nmae}' }),
    /script.directory: .* did you mean \$\{resource.name\}/,
  ],
  'an argument with a NUL': [script({ args: ['a\0b'] }), /contains a NUL/],
  'a secret of a property that no type declares': [script({ secrets: [{ property: 'nope', variable: 'V' }] }), /secrets\[0\].property: /],
  'a secret of no name': [script({ secrets: [{ name: 'Not A Name', variable: 'V' }] }), /secrets\[0\].name: cannot be the name/],
  'an interpreter within the module': [
    { ...script({ interpreter: ['bin/run'] }), files: { 'bin/run': '#!/bin/sh\n' } },
    /interpreter: is looked for in the directory of the resource/,
  ],
  'a shell script with lines of another system': [
    { create: { script: { file: 's' } }, files: { s: '#!/bin/sh\r\ntrue\r\n' } },
    /script.file: has lines that end in CR LF/,
  ],
  'an option of a property that no type declares': [
    { create: { ...RUN, options: { o: { property: 'nope', required: true } } } },
    /options.o.property: type Web has no property "nope"/,
  ],
  'an option of a property that is something else': [
    { create: { ...RUN, options: { o: { property: 'text', type: 'integer' } } } },
    /options.o.property: the default of text must be a whole number/,
  ],
  'a step that is no command of a Service': [
    { web: { extends: 'Service' }, create: { workflow: { steps: [{ command: 'nope' }] } } },
    /steps\[0\].command: type Web has no command nope/,
  ],
  'a step that no type has which inherits it': [
    {
      web: { extends: 'Base', commands: {} },
      types: { Base: { abstract: true, commands: { create: { workflow: { steps: [{ command: 'nope' }] } } } } },
    },
    /^Base.commands.create.workflow.steps\[0\].command: type Web has no command nope/,
  ],
  'a dispatch to types that are no expression': [
    { create: { dispatch: { command: 'x', over: 'children', type: '(' } } },
    /dispatch.type: is not a valid regular expression/,
  ],
  'a dispatch with an option of nothing': [
    { create: { dispatch: { command: 'x', over: 'children', options: { a: '${properties.nope}' } } } },
    /dispatch.options.a: /,
  ],
  'a pattern that is none': [{ web: { properties: { a: { pattern: '(' } } } }, /^Web.properties.a.pattern: is not a valid regular/],
  'a default that its pattern does not match': [
    { web: { properties: { a: { pattern: '[a-z]+', default: '1' } } } },
    /a.default: expected a text that matches/,
  ],
  'a property that becomes another': [
    { web: { extends: 'Service', properties: { port: { type: 'string' } } } },
    /port.type: expected port/,
  ],
  'a default that the supertype does not allow': [
    { web: { extends: 'Base', properties: { a: { default: 'z' } } }, types: { Base: { properties: { a: { allowed: ['x'] } } } } },
    /^Web.properties.a.default: expected one of "x"/,
  ],
  'a supertype that no service has': [{ web: { extends: 'Nope' } }, /^Web.extends: there is no type "Nope"/],
  'a machine as supertype': [{ web: { extends: 'Node' } }, /^Web.extends: Node is reserved for machines/],
  'a relation to a type that no service has': [{ web: { children: [{ type: 'Nope' }] } }, /^Web.children\[0\].type: there is no type/],
  'a relation of more than there may be': [{ web: { children: [{ type: 'Web', min: 3, max: 1 }] } }, /children\[0\].min: is more than max/],
  'a component that cannot be on a node': [{ web: { parents: [{ type: 'Site' }] } }, /components.web.type: a Web cannot be on a node/],
  'a parent that takes no such children': [
    { web: { children: [{ type: 'Site' }] }, assembly: { components: { web: { type: 'Web' }, b: { type: 'Web', parents: ['web'] } } } },
    /components.b.parents\[0\]: a Web cannot have a Web as child/,
  ],
  'a create command that needs an option': [
    { create: { ...RUN, options: { o: { required: true } } } },
    /web.type: the command create of Web needs the option o/,
  ],
  'a link that takes what is not there': [
    components({ web: { type: 'Web', links: { db: { to: 'db', take: { text: 'nope' } } } }, db: { type: 'Db' } }),
    /links.db: db, a Db, has no property "nope"/,
  ],
  'a link that gives to what is not there': [
    components({ web: { type: 'Web', links: { db: { to: 'db', give: { nope: 'text' } } } }, db: { type: 'Db' } }),
    /links.db: db, a Db, has no property "nope"/,
  ],
  'a link between properties of which none could have the value of the other': [
    components({ web: { type: 'Web', links: { db: { to: 'db', take: { port: 'a' } } } }, db: { type: 'Db' } }),
    /links.db: port of web is of type port, and a of db of type string/,
  ],
  'a link that brings several values to a property of one': [
    components({
      web: { type: 'Web', links: { db: { to: 'db', take: { text: 'a' } } } },
      db: { type: 'Db', on: { count: 2, together: true } },
    }),
    /links.db: text of web takes one value, and gets those of 2 resources of db/,
  ],
  'a link to a component of another type': [
    { web: { links: { db: { type: 'Db' } } }, ...components({ web: { type: 'Web', links: { db: 'x' } }, x: { type: 'Web' } }) },
    /links.db: it leads to a Db, and x is a Web/,
  ],
  'a link to the target that is one to a type': [
    { web: { links: { db: { type: 'Db' } } }, ...components({ web: { type: 'Web', links: { db: 'target' } } }) },
    /links.db: this link of a Web leads to a Db/,
  ],
  'a link that gives to another service': [
    components({ web: { type: 'Web', links: { db: { to: 'other/db', give: { a: 'text' } } } } }),
    /components of the same service only/,
  ],
  'a link into what is computed': [
    {
      web: { properties: { d: { dynamic: true } } },
      ...components({ web: { type: 'Web', links: { db: { to: 'db', take: { d: 'a' } } } }, db: { type: 'Db' } }),
    },
    /d is computed when commands run/,
  ],
  'links that go round': [
    components({ web: { type: 'Web', links: { db: { to: 'db', give: { a: 'text' } } }, after: ['db'] }, db: { type: 'Db' } }),
    /in a circle: web → db → web/,
  ],
  'a value that its pattern does not match': [
    { web: { properties: { a: { pattern: '[a-z]+' } } }, assembly: { components: { web: { type: 'Web', properties: { a: '1' } } } } },
    /web.properties.a: expected a text that matches/,
  ],
  'a value that a Service does not take': [
    { assembly: { components: { web: { type: 'Service', properties: { port: 'x' } } } } },
    /web.properties.port: expected a port/,
  ],
  'a parameter whose default is no value of the property': [
    { assembly: { parameters: { p: { default: 'x' } }, components: { web: { type: 'Web', properties: { port: '${parameters.p}' } } } } },
    /web.properties.port: by the default of the parameter: expected a port/,
  ],
  'resources of one name': [
    components({ web: { type: 'Web', on: { count: 2, together: true } }, 'web-1': { type: 'Web' } }),
    /components.web-1: it and web would both have a resource web-1/,
  ],
  'a place that is no filter': [
    components({ web: { type: 'Web', on: 'name=*' } }),
    /components.web.on: "\*" is not a valid regular expression[^\n]*$/,
  ],
  'an exception that is no filter': [
    components({ web: { type: 'Web', on: { nodes: 'self', except: 'tags=' } } }),
    /on.except: "tags" has no value/,
  ],
  'a place whose default is no filter': [
    { assembly: { parameters: { f: { default: 'name=(' } }, components: { web: { type: 'Web', on: '${parameters.f}' } } } },
    /components.web.on: "\("/,
  ],
  'a number whose default is none': [
    { assembly: { parameters: { n: { default: 'many' } }, components: { web: { type: 'Web', on: { count: '${parameters.n}' } } } } },
    /on.count: expected a number or all, got "many"/,
  ],
  'an app at a property that is not there': [
    {
      ...components({ web: { type: 'Db' } }),
      assembly: { components: { web: { type: 'Db' } }, apps: { a: { component: 'web', domains: ['d'] } } },
    },
    /apps.a.port: a Db has no property port/,
  ],
  'an app at what is not a port': [
    { assembly: { apps: { a: { component: 'web', port: 'text', domains: ['d'] } } } },
    /text of web is of type string, not a port/,
  ],
  'an app of too many domains': [
    { assembly: { apps: { a: { component: 'web', domains: Array.from({ length: 17 }, (_, at) => `d${at}`) } } } },
    /apps.a.domains: an app is shared into at most 16/,
  ],
  'an offer of what is not there': [
    { assembly: { role: 'target', kind: 'k', offers: { a: ['${components.web.nope}'] } } },
    /offers.a: web, a Web, has no property "nope"/,
  ],
  'an offer of nodes that is no filter': [{ assembly: { role: 'target', kind: 'k', offers: { nodes: 'name=(' } } }, /offers.nodes: /],
  'a parameter with a default of nothing': [
    { assembly: { parameters: { p: { default: '${nope.x}' } } } },
    /parameters.p.default: .* names nothing/,
  ],
  'a parameter with a pattern that is none': [{ assembly: { parameters: { p: { pattern: '(' } } } }, /parameters.p.pattern: /],
  'a create workflow that needs an option': [
    { assembly: { workflows: { create: { options: { o: { required: true } }, steps: [{ component: 'web' }] } } } },
    /workflows.create.options.o: has no default/,
  ],
  'a step of a command that a Service has not': [
    { assembly: { components: { web: { type: 'Service' } }, workflows: { x: { steps: [{ component: 'web', command: 'nope' }] } } } },
    /workflows.x.steps\[0\].command: type Service has no command nope/,
  ],
  'a step of a resource that there cannot be': [
    { assembly: { workflows: { x: { steps: [{ component: 'web-1', command: 'create' }] } } } },
    /steps\[0\].component: there is no component "web-1", and no resource/,
  ],
  'workflows too deep in one another': [
    {
      assembly: {
        workflows: Object.fromEntries(
          Array.from({ length: 13 }, (_, at) => [`w${at}`, { steps: [at === 0 ? { component: 'web' } : { workflow: `w${at - 1}` }] }]),
        ),
      },
    },
    /workflows.w12: its steps are nested more than 12/,
  ],
  'workflows of too many steps': [
    {
      assembly: {
        workflows: Object.fromEntries(
          Array.from({ length: 2 }, (_, at) => [
            `w${at}`,
            { steps: Array(200).fill(at === 0 ? { component: 'web' } : { workflow: `w${at - 1}` }) },
          ]),
        ),
      },
    },
    /workflows.w1: it has more than 4096 steps/,
  ],
};

describe('a module that every converge would refuse, or every node', () => {
  for (const [what, [parts, expected]] of Object.entries(BROKEN)) {
    it(`is told to have ${what}`, async () => {
      const faults = await wrong(parts);
      expect(faults).toEqual([expect.stringMatching(expected)]);
      await expect(newModule(archiveOf(parts))).rejects.toMatchObject({ code: 'INVALID' });
    });
  }

  it('is told with the line in the file that is wrong', async () => {
    const parts = template('a\n  ${properties.nope}');
    const [fault] = await placedFaults('types: {}', await allFaults(archiveOf(parts)), 'web/dtk.module.yaml');
    expect(fault?.place).toBe('web/t:2:3');
  });

  it('is kept, fetched and staged all the same if it is there already', async () => {
    for (const [parts] of Object.values(BROKEN)) expect((await checkModule(archiveOf(parts))).faults).toEqual([]);
  });
});

describe('a module that runs', () => {
  const sound: Record<string, Parts> = {
    'with all references that there are': {
      ...template('${properties.bare} $${x} ${resource.directory} ${node.name}'),
      create: { script: { inline: 'true', args: ['${options.o}${resource.type}'] }, options: { o: { property: 'bare' } } },
    },
    'with properties that children export, or that are not declared': {
      ...template('${properties.version} ${properties.shown}'),
      types: {
        Child: { properties: { shown: { exported: true } } },
        Open: { open: true, commands: script({ args: ['${properties.any}'] }) },
      },
    },
    'with what only a subtype declares': {
      types: {
        Base: { abstract: true, commands: script({ args: ['${properties.own}'] }) },
        Own: { extends: 'Base', properties: { own: {} } },
      },
    },
    'with values that the service is to get': {
      web: { properties: { need: { required: true } }, links: { db: { type: 'Web', required: true } } },
      assembly: { parameters: { f: {} }, components: { web: { type: 'Web', on: { nodes: '${parameters.f}', count: '${parameters.f}' } } } },
    },
    'with types of modules that it depends on': {
      web: { extends: 'Elsewhere' },
      ...template('${properties.any}'),
      more: { dependencies: { 'acme/db': '*' } },
    },
    'with what can be taken of a component': {
      web: { links: { db: { type: 'Web', take: { text: 'component.name' } } } },
      assembly: { components: { web: { type: 'Web', links: { db: 'db' } }, db: { type: 'Web' } } },
    },
  };
  for (const [what, parts] of Object.entries(sound)) {
    it(`is valid ${what}`, async () => {
      expect(await wrong(parts)).toEqual([]);
    });
  }
});
