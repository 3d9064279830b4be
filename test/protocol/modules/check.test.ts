import { describe, expect, it } from 'vitest';
import { command as commandSchema } from '../../../protocol/definitions/commands.ts';
import { moduleManifest } from '../../../protocol/definitions/module.ts';
import { allFaults, moduleFaults } from '../../../protocol/modules/check.ts';
import { commandFaults } from '../../../protocol/modules/command-check.ts';
import { cycleFrom } from '../../../protocol/modules/cycle.ts';

function faults(types: object, files: string[] = []): string[] {
  const manifest = moduleManifest.parse({ dsl_version: '1.0', module: 'acme/web', version: '1.0.0', types });
  return moduleFaults(manifest, new Set(files)).map(({ field, message }) => `${field}: ${message}`);
}

/** Faults of the commands of a type that extends nothing. */
function ofCommands(commands: object, more: object = {}): string[] {
  return faults({ A: { commands, ...more } }, ['bin/x']).map((text) => text.replace('types.A.commands.', ''));
}

/** `options.NAME` as a text refers to it. */
const filledIn = (option: string) => `$\{options.${option}}`;

const script = { script: { inline: 'true' } };
const steps = (...all: object[]) => ({ workflow: { steps: all } });

describe('a module', () => {
  it('has nothing wrong with it if all that it names is there', () => {
    const types = {
      Web: {
        extends: 'Service',
        commands: {
          up: { script: { file: 'bin/up' }, options: { port: { type: 'integer', default: 80 } } },
          run: {
            script: { file: 'bin/run', args: [filledIn('port')] },
            options: { port: { type: 'integer', required: true } },
            private: true,
          },
          Start: steps({ command: 'up', 'on-failure': [{ command: 'run', options: { port: 8080 } }] }),
          All: { dispatch: { command: 'Start', over: 'deployments' } },
          Kids: { dispatch: { command: 'whatever', over: 'children' } },
        },
        templates: [{ from: 'conf', to: 'etc/conf' }],
      },
      Tomcat: { extends: 'web', commands: { Restart: steps({ command: 'Stop' }, { command: 'Start' }) } },
    };
    expect(faults(types, ['bin/up', 'bin/run', 'conf'])).toEqual([]);
    expect(faults(types, ['bin/up'])).toEqual([
      'types.Web.templates[0].from: the module has no file "conf"',
      'types.Web.commands.run.script.file: the module has no file "bin/run"',
    ]);
  });

  it('has one type of each name, and none above itself', () => {
    expect(faults({ Web: {}, WEB: {} })).toEqual(['types.WEB: is the same as Web: types are told apart by letters and digits']);
    expect(faults({ a_b: {}, 'a-b': {} })[0]).toContain('is the same as a_b');
    expect(faults({ Node: {} })[0]).toContain('is reserved for machines');
    expect(faults({ A: { extends: 'B' }, B: { extends: 'a' } })[0]).toBe('types.A.extends: a type cannot extend itself: A → B → a');
  });

  it('has scripts with either a file or a text', () => {
    expect(ofCommands({ x: { script: {} } })).toEqual(['x.script: must have exactly one of file and inline']);
    expect(ofCommands({ x: { script: { file: 'bin/x', inline: 'true' } } })).toHaveLength(1);
    expect(ofCommands({ x: { script: { inline: 'true', secrets: [{ variable: 'A' }] } } })).toEqual([
      'x.script.secrets[0]: must have exactly one of name and property',
    ]);
  });

  it('has steps that name a command, or a script', () => {
    expect(ofCommands({ x: steps({ command: 'gone' }) })).toEqual([
      'x.workflow.steps[0].command: neither this type nor a type that it extends has a command gone',
    ]);
    expect(ofCommands({ x: steps({ command: 'gone' }) }, { abstract: true })).toEqual([]);
    expect(ofCommands({ x: steps({ command: 'gone' }) }, { extends: 'Service' })).toEqual([]);
    expect(ofCommands({ x: steps({}), y: steps({ command: 'x', ...script }) })).toEqual([
      'x.workflow.steps[0]: must have exactly one of command and script',
      'y.workflow.steps[0]: must have exactly one of command and script',
    ]);
    expect(ofCommands({ x: steps({ command: 'constructor' }) })).toHaveLength(1);
  });

  it('has no command that runs itself, however far around', () => {
    expect(ofCommands({ a: steps({ command: 'a' }) })).toEqual(['a.workflow.steps: runs itself without end: a → a']);
    const around = { a: steps({ command: 'b' }), b: steps({ ...script, 'on-failure': [{ command: 'c' }] }), c: steps({ command: 'a' }) };
    expect(ofCommands(around)[0]).toBe('a.workflow.steps: runs itself without end: a → b → c → a');
    expect(ofCommands({ a: steps({ command: 'b' }, { command: 'c' }), b: steps({ command: 'c' }), c: script })).toEqual([]);
  });

  it('is looked over in a time that goes by its commands, not by the ways through them', () => {
    let looked = 0;
    const chain = Array.from({ length: 300 }, (_, index) => {
      const workflow = commandSchema.parse(steps({ command: `c${index + 1}` })).workflow;
      return [
        `c${index}`,
        {
          get workflow() {
            looked += 1;
            return workflow;
          },
        },
      ] as const;
    });
    const commands = { ...Object.fromEntries(chain), c300: commandSchema.parse(script) };
    expect(commandFaults(commands, { files: 'none', inherited: {}, open: false })).toEqual([]);
    expect(looked).toBeLessThan(3_000);
  });

  it('has no circle, be it ever so long', () => {
    const next = (name: string) => (name === 'n50000' ? [] : [`n${Number(name.slice(1)) + 1}`]);
    expect(cycleFrom('n0', next, new Set())).toBeUndefined();
    expect(cycleFrom('n0', (name) => (name === 'n50000' ? ['n49999'] : next(name)), new Set())).toEqual(['n49999', 'n50000', 'n49999']);
  });

  it('has options whose values fit', () => {
    const options = {
      n: { type: 'integer', default: 'x', allowed: ['y'] },
      s: { type: 'integer', default: '8080' },
      t: { default: 'c', allowed: ['a'] },
      b: { type: 'boolean', default: 'maybe' },
    };
    expect(ofCommands({ x: { ...script, options } })).toEqual([
      'x.options.n.allowed[0]: must be a whole number, but is "y"',
      'x.options.n.default: must be a whole number, but is "x"',
      'x.options.t.default: must be one of: a',
      'x.options.b.default: must be true or false, but is "maybe"',
    ]);
    const called = { ...script, options: { port: { type: 'integer', required: true } } };
    expect(ofCommands({ x: called, y: steps({ command: 'x' }) })).toEqual(['y.workflow.steps[0].options: x needs the option port']);
    expect(ofCommands({ x: called, y: steps({ command: 'x', options: { port: 'high', pory: 1 } }) })).toEqual([
      'y.workflow.steps[0].options.port: must be a whole number, but is "high"',
      'y.workflow.steps[0].options.pory: x has no such option',
    ]);
    expect(ofCommands({ x: called, y: steps({ command: 'x', options: { port: filledIn('p') } }) })).toEqual([
      'y.workflow.steps[0].options.port: y has no option "p"',
    ]);
    expect(ofCommands({ x: { script: { inline: 'true', args: [filledIn('a')] } } })).toEqual(['x.script.args[0]: x has no option "a"']);
  });

  it('dispatches no private command', () => {
    expect(ofCommands({ x: { ...script, private: true }, y: { dispatch: { command: 'x', over: 'deployments' } } })).toEqual([
      'y.dispatch.command: x is private: it can only be a step of other commands',
    ]);
  });

  it('has a bounded number of steps', () => {
    const many = Array.from({ length: 60 }, () => ({ ...script, 'on-failure': Array(5).fill(script) }));
    expect(ofCommands({ x: { workflow: { steps: many } } })[0]).toContain('360 steps');
  });

  it('tells all that is wrong, with its form as well', async () => {
    const archive = (text: string | Uint8Array) => ({
      version: 1 as const,
      files: [{ path: 'dtk.module.yaml', executable: false, data: Uint8Array.from(Buffer.from(text)) }],
    });
    expect(await allFaults(archive('dsl_version: "2"\nmodule: x'))).toHaveLength(3);
    expect(await allFaults(archive('{'))).toHaveLength(1);
    expect(await allFaults(archive(Uint8Array.of(0xff)))).toEqual([{ field: 'the file', message: 'dtk.module.yaml is not UTF-8 text' }]);
  });
});
