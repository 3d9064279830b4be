import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placedFaults } from '../../../protocol/modules/places.ts';

const TEXT = `dsl_version: "1.0"
module: acme/web
types:
  Web:
    properties: &all
      java.home: {type: string}
      java: {type: secret}
  Other:
    properties: *all
assemblies:
  tier:
    workflows:
      create:
        steps:
          - component: web
          - {component: db, command: Start}
`;

describe('the place of a fault', () => {
  it('is that of what it names, or of the nearest around it', async () => {
    const at = async (field: string) => (await placedFaults(TEXT, [{ field, message: 'x' }], 'f'))[0]?.place;
    expect(await at('types.Web')).toBe('f:4:3');
    expect(await at('types.Web.properties.java.home.default')).toBe('f:6:7');
    expect(await at('types.Web.properties.java.type')).toBe('f:7:14');
    expect(await at('types.Other.properties.java')).toBe('f:7:7');
    expect(await at('assemblies.tier.workflows.create.steps[1].command')).toBe('f:16:29');
    expect(await at('assemblies.tier.workflows.create.steps[1].options.x')).toBe('f:16:13');
    expect(await at('assemblies.tier.workflows.create.steps[9].command')).toBe('f:14:9');
    expect(await at('version')).toBe('f:1:1');
    expect(await at('the file')).toBe('f:1:1');
  });

  it('orders faults as the text goes, not as they were found', async () => {
    const faults = ['types.Other', 'the file', 'types.Web', 'module'].map((field) => ({ field, message: 'x' }));
    expect((await placedFaults(TEXT, faults, 'f')).map(({ field }) => field)).toEqual(['the file', 'module', 'types.Web', 'types.Other']);
  });

  it('is found or not, whatever is asked of whatever', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.constant(TEXT), fc.string()), fc.string(), async (text, field) => {
        const [placed] = await placedFaults(text, [{ field, message: 'x' }], 'f');
        expect(placed?.place).toMatch(/^f(:\d+:\d+)?$/);
      }),
      { numRuns: 100 },
    );
  });
});
