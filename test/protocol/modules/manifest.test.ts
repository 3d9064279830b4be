import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_MANIFEST_BYTES } from '../../../protocol/definitions/module.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { readManifest } from '../../../protocol/modules/manifest.ts';

const HEAD = 'dsl_version: "1.0"\nmodule: acme/web\nversion: 1.2.0\n';

async function refusalOf(text: string): Promise<DtkdError> {
  try {
    await readManifest(text);
  } catch (error) {
    if (error instanceof DtkdError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a manifest', () => {
  it('is read', async () => {
    const manifest = await readManifest(
      `${HEAD}types:\n  Web:\n    extends: Service\n    commands:\n      Start: {script: {inline: "true"}}\n`,
    );
    expect(manifest).toMatchObject({ module: 'acme/web', types: { Web: { extends: 'Service', commands: { Start: {} } } } });
  });

  it.each([
    [`${HEAD}type: {}`, 'type: there is no such field'],
    [HEAD.replace('acme/web', 'Web'), 'module: must be a module name such as acme/web'],
    [HEAD.replace('acme/web', 'type/web'), 'module: must be a module name'],
    [HEAD.replace('1.2.0', '1.2'), 'version: must be a version such as 1.2.0'],
    [`${HEAD}types: {A: {commands: {Start: {script: {inlin: x}}}}}`, 'types.A.commands.Start.script.inlin: there is no such field'],
    [
      `${HEAD}assemblies: {a: {components: {}, apps: {b: {component: c, port: p}}}}`,
      'assemblies.a.apps.b.domains: expected array, but it is missing',
    ],
    [`${HEAD}types: {A: {commands: {Start: {}}}}`, 'types.A.commands.Start: must be exactly one of script, workflow and dispatch'],
    [`${HEAD}types: {A: {commands: {"a b": {script: {inline: x}}}}}`, 'must be a command name'],
    [
      `${HEAD}types: {A: {commands: {Start: {workflow: {steps: [{command: x, on-failure: [{command: y, timeout: soon}]}]}}}}}`,
      'types.A.commands.Start.workflow.steps[0].on-failure[0].timeout: must be a duration',
    ],
    ['a: [', 'dtk.module.yaml:1:'],
    [
      'a: &b {c: 1}\nd: *b\ne: [*f]',
      'dtk.module.yaml:3:5: it cannot be read as YAML: it refers to an anchor (*) that is not defined before it',
    ],
    ['a: *b\nd: &b 1', 'dtk.module.yaml:1:4: it cannot be read as YAML: it refers to an anchor'],
    ['a: 1\na: 2', 'dtk.module.yaml:2:1: it cannot be read as YAML: "a" is there twice'],
  ])('of %j names what is wrong', async (text, said) => {
    const error = await refusalOf(text);
    expect(error.code).toBe('INVALID');
    expect(error.message).toContain(said);
  });

  it('cannot be made to swell, to nest without end, or to be endless', async () => {
    const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let at = 1; at < 12; at += 1)
      bomb.push(
        `a${at}: &a${at} [${Array(10)
          .fill(`*a${at - 1}`)
          .join(', ')}]`,
      );
    expect((await refusalOf(bomb.join('\n'))).code).toBe('INVALID');
    expect((await refusalOf('['.repeat(20_000))).message).toContain('nested too deeply');
    expect((await refusalOf('- '.repeat(15_000))).code).toBe('INVALID');
    // a mapping of many keys would take the library minutes
    const keys = Array.from({ length: 60_000 }, (_, index) => `k${index}:`).join('\n');
    expect((await refusalOf(keys)).message).toContain('it is too large');
    const fewer = Array.from({ length: 5_000 }, (_, index) => `k${index}: 1`).join('\n');
    expect((await refusalOf(fewer)).message).toContain('dsl_version');
    expect((await refusalOf(`a: ${'{a: '.repeat(200)}1${'}'.repeat(200)}`)).code).toBe('INVALID');
    expect((await refusalOf('#'.repeat(MAX_MANIFEST_BYTES + 1))).code).toBe('TOO_LARGE');
    expect((await refusalOf(`${HEAD}__proto__: {x: 1}`)).code).toBe('INVALID');
  });

  it('is refused with a code, whatever the text is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 200 }), async (text) => {
        expect(['INVALID', 'TOO_LARGE']).toContain((await refusalOf(text)).code);
      }),
      { numRuns: 100 },
    );
  });
});
