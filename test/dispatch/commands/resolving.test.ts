// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of commands, which the tested code fills in.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { environmentOf } from '../../../daemon/src/dispatch/commands/environment.ts';
import { expand, expandOptions, type Scope } from '../../../daemon/src/dispatch/commands/expand.ts';
import { listCommands, resolveCommand } from '../../../daemon/src/dispatch/commands/resolve-command.ts';
import { resolveOptions } from '../../../daemon/src/dispatch/commands/resolve-options.ts';
import { command } from '../../../protocol/definitions/commands.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { codeNamed, context, resource, type } from './world.ts';

function refusal(act: () => unknown): DtkdError {
  try {
    act();
  } catch (error) {
    if (error instanceof DtkdError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

const script = { script: { inline: 'true' } };

describe('commands of a type', () => {
  const web = type('WebService', { Start: { ...script, description: 'own' }, reload: { private: true, ...script } }, codeNamed('acme/web'));
  const service = type('Service', { Start: { ...script, description: 'inherited' }, Stop: script });
  const chain = [web, service];

  it('come from the nearest type that has them', () => {
    expect(resolveCommand(chain, 'Start')).toMatchObject({
      type: 'WebService',
      code: { name: 'acme/web' },
      command: { description: 'own' },
    });
    expect(resolveCommand(chain, 'Stop')).toMatchObject({ type: 'Service', code: { name: 'type/Service' } });
    expect(resolveCommand([service], 'Start').command.description).toBe('inherited');
  });

  it('are listed once each, without the private ones', () => {
    expect(listCommands(chain).map(({ name, type: from }) => [name, from])).toEqual([
      ['Start', 'WebService'],
      ['Stop', 'Service'],
    ]);
  });

  it('cannot be called from outside if they are private', () => {
    expect(refusal(() => resolveCommand(chain, 'reload'))).toMatchObject({ code: 'FORBIDDEN' });
    expect(resolveCommand(chain, 'reload', { inside: true }).type).toBe('WebService');
  });

  it('stay hidden below a private one of the same name, and appear above it', () => {
    const hidden = type('Hidden', { Stop: { private: true, ...script } });
    expect(listCommands([hidden, service]).map(({ name }) => name)).toEqual(['Start']);
    const shown = type('Shown', { reload: script });
    expect(listCommands([shown, web]).map(({ name }) => name)).toEqual(['reload', 'Start'].sort());
  });

  it('are told apart by case, and a near miss is named', () => {
    expect(refusal(() => resolveCommand(chain, 'start'))).toMatchObject({
      code: 'NOT_FOUND',
      next: expect.stringContaining('Did you mean "Start"?'),
      details: { near: 'Start', commands: ['Start', 'Stop'] },
    });
  });

  it.each(['constructor', '__proto__', 'toString'])('do not come from the language: %s', (name) => {
    expect(refusal(() => resolveCommand(chain, name)).code).toBe('NOT_FOUND');
  });

  it('may be none at all', () => {
    expect(refusal(() => resolveCommand([], 'Start')).next).toContain('no commands');
  });
});

describe('options', () => {
  const start = {
    name: 'Start',
    command: command.parse({
      ...script,
      options: {
        port: { type: 'integer', property: 'port', default: 80 },
        host: { required: true, description: 'where it listens' },
        ratio: { type: 'number' },
        verbose: { type: 'boolean', default: false },
        mode: { allowed: ['fast', 'safe'], default: 'safe' },
      },
    }),
  };

  it('take what was given before the property, and that before the default', () => {
    expect(resolveOptions(start, { host: 'a', port: '8081' }, { port: 9000 })).toMatchObject({ port: 8081 });
    expect(resolveOptions(start, { host: 'a' }, { port: 9000 })).toMatchObject({ port: 9000 });
    expect(resolveOptions(start, { host: 'a' }, { port: '9001' })).toMatchObject({ port: 9001 });
    expect(resolveOptions(start, { host: 'a' }, {})).toEqual({ port: 80, host: 'a', verbose: false, mode: 'safe' });
  });

  it('are read by their type', () => {
    expect(resolveOptions(start, { host: 'a', ratio: '1e-3', verbose: 'YES', mode: 'fast' }, {})).toMatchObject({
      ratio: 0.001,
      verbose: true,
      mode: 'fast',
    });
    expect(resolveOptions(start, { host: '', verbose: false }, {})).toMatchObject({ host: '', verbose: false });
  });

  it('tell all that is wrong at once', () => {
    const error = refusal(() => resolveOptions(start, { prot: '1', verbose: 'perhaps', mode: 'slow', ratio: 'half' }, { port: 'eighty' }));
    expect(error.code).toBe('INVALID');
    expect(error.details?.['causes']).toEqual([
      { option: 'prot', message: 'there is no option "prot" (did you mean "port"?)' },
      {
        option: 'port',
        message: 'the option "port", whose default is the property "port" of the resource, must be a whole number, but is "eighty"',
      },
      { option: 'host', message: 'the option "host" (string) is missing: where it listens' },
      { option: 'ratio', message: 'the option "ratio" must be a number, but is "half"' },
      { option: 'verbose', message: 'the option "verbose" must be true or false, but is "perhaps"' },
      { option: 'mode', message: 'the option "mode" must be one of: fast, safe' },
    ]);
    expect(error.next).toContain('host (string, required)');
  });

  it.each(['', ' ', '1.5', '0x10', 'NaN', '1e400', '9007199254740993', '٣'])('are no whole number: %j', (text) => {
    expect(refusal(() => resolveOptions(start, { host: 'a', port: text }, {})).code).toBe('INVALID');
  });

  it('cannot hold what no argument can', () => {
    expect(refusal(() => resolveOptions(start, { host: 'a\0b' }, {})).message).toContain('NUL');
  });

  it('are refused where there are none', () => {
    const none = { name: 'Stop', command: command.parse(script) };
    expect(refusal(() => resolveOptions(none, { force: true }, {})).next).toBe('It takes no options.');
    expect(resolveOptions(none, {}, {})).toEqual({});
  });

  it('resolve to themselves', () => {
    const given = fc.record({
      host: fc.string({ unit: 'grapheme-ascii' }),
      port: fc.integer(),
      ratio: fc.double({ noNaN: true, noDefaultInfinity: true }),
      verbose: fc.boolean(),
    });
    fc.assert(
      fc.property(given, (options) => {
        const once = resolveOptions(start, options, {});
        const texts = Object.fromEntries(Object.entries(once).map(([name, value]) => [name, String(value)]));
        expect(resolveOptions(start, once, {})).toEqual(once);
        expect(resolveOptions(start, texts, {})).toEqual({ ...once, ratio: once['ratio'] === 0 ? 0 : once['ratio'] });
      }),
    );
  });
});

describe('filling in', () => {
  const scope: Scope = {
    options: { port: 8080, unset: undefined, sly: '${properties.secret}' },
    properties: { 'a.b-c': [1, { x: 'y' }], secret: 'hush', none: null },
    resource: { name: 'myService', type: 'Service', model: 'demo', directory: '/var/lib/x' },
    node: { name: 'node1' },
  };

  it.each([
    ['no reference', 'no reference'],
    ['${options.port}', '8080'],
    ['-p${options.port}:${node.name}', '-p8080:node1'],
    ['${properties.a.b-c}', '[1,{"x":"y"}]'],
    ['${resource.model}.${resource.type}.${resource.name} in ${resource.directory}', 'demo.Service.myService in /var/lib/x'],
    ['[${options.unset}${properties.none}]', '[]'],
    ['$${options.port} $ $x $$', '${options.port} $ $x $$'],
    ['${options.sly}', '${properties.secret}'],
  ])('%s', (text, filled) => {
    expect(expand(text, scope)).toBe(filled);
  });

  it.each([
    '${HOME}',
    '${}',
    '${options.prt}',
    '${options.toString}',
    '${options.__proto__}',
    '${node.key}',
    '${',
    '${options.port',
    '${ options.port }',
    '${a{b}}',
  ])('refuses %s', (text) => {
    expect(refusal(() => expand(`see ${text}`, scope))).toMatchObject({
      code: 'INVALID',
      next: expect.stringContaining('${options.NAME}'),
    });
  });

  it('shows where, and what was meant', () => {
    expect(refusal(() => expand('listen ${options.prt}', scope)).message).toBe(
      '"${options.prt}" refers to something that does not exist (did you mean "${options.port}"?)\n  listen ${options.prt}\n         ^',
    );
  });

  it('is bounded', () => {
    const long: Scope = { ...scope, properties: { x: 'x'.repeat(100_000) } };
    expect(refusal(() => expand('${properties.x}'.repeat(1_000), long)).message).toContain('longer than');
  });

  it('puts every text in as it is', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (value, around) => {
        const plain = around.replaceAll('$', '');
        expect(expand(`${plain}\${options.v}${plain}`, { ...scope, options: { v: value } })).toBe(plain + value + plain);
        expect(
          expand(
            value.replaceAll('${', () => '$${'),
            scope,
          ),
        ).toBe(value);
      }),
    );
  });

  it('leaves options out that have no value to pass on', () => {
    expect(expandOptions({ a: '${options.unset}', b: 'x${options.unset}', c: '${options.port}', d: 5 }, scope)).toEqual({
      b: 'x',
      c: '8080',
      d: 5,
    });
  });
});

describe('the environment', () => {
  const here = context({ chains: {}, directory: '/var/lib/x' });

  it('says where it runs, and all properties and options', () => {
    const about = resource('myService', { properties: { port: 8080, 'startup-rank': '1', hosts: ['a', 'b'], nothing: null } });
    expect(environmentOf(here, about, { verbose: true })).toEqual({
      DTKD_NODE: 'node1',
      DTKD_RESOURCE_NAME: 'myService',
      DTKD_RESOURCE_TYPE: 'Service',
      DTKD_RESOURCE_MODEL: 'shop',
      DTKD_RESOURCE_DIRECTORY: '/var/lib/x',
      DTKD_PROPERTY_PORT: '8080',
      DTKD_PROPERTY_STARTUP_RANK: '1',
      DTKD_PROPERTY_HOSTS: '["a","b"]',
      DTKD_OPTION_VERBOSE: 'true',
    });
  });

  it('gives a variable to the name that is nearest to it', () => {
    const names = ['start-rank', 'start_rank', 'START_RANK', 'start.rank'];
    const chosen = (from: string[]) =>
      environmentOf(here, resource('x', { properties: Object.fromEntries(from.map((name) => [name, name])) }), {})[
        'DTKD_PROPERTY_START_RANK'
      ];
    expect(chosen(names)).toBe('START_RANK');
    expect(chosen(names.filter((name) => name !== 'START_RANK'))).toBe('start_rank');
    expect(chosen(['start.rank', 'start-rank'])).toBe('start-rank');
    expect(chosen(['start-rank', 'start.rank'])).toBe('start-rank');
  });

  it('leaves out what no variable can hold', () => {
    expect(Object.keys(environmentOf(here, resource('x', { properties: { nul: 'a\0b', long: 'x'.repeat(200_000) } }), {}))).not.toContain(
      'DTKD_PROPERTY_NUL',
    );
  });

  it('has only names and values that a process can have', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (properties) => {
        for (const [name, value] of Object.entries(environmentOf(here, resource('x', { properties }), {}))) {
          expect(name).toMatch(/^[A-Z_][A-Z0-9_]*$/);
          expect(value).not.toContain('\0');
        }
      }),
    );
  });
});
