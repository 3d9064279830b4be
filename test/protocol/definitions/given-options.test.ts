import { expect, it } from 'vitest';
import { givenOptions } from '../../../protocol/definitions/given-options.ts';

it('does not miss an option that a property may give, while properties are not known', () => {
  const rules = { port: { type: 'integer' as const, required: true, property: 'port' }, zone: { default: 'UTC' } };
  expect(givenOptions('it', rules, {}, undefined)).toEqual({ zone: 'UTC' });
  expect(givenOptions('it', rules, {}, { port: 80 })).toEqual({ port: 80, zone: 'UTC' });
  expect(() => givenOptions('it', rules, {}, {})).toThrow('it cannot run with these options: the option "port" (integer) is missing');
});
