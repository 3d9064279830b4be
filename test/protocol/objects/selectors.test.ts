import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from '../../../protocol/objects/selectors.ts';

const LABELS = { tier: 'front', env: 'prod', 'dtkd.dev/owner': 'node0', empty: '' };
const selects = (text: string, labels: Record<string, string> | undefined = LABELS) => matchesLabels(parseLabelSelector(text), labels);

describe('label selectors', () => {
  it.each([
    ['', true],
    ['  ', true],
    ['tier=front', true],
    ['tier==front', true],
    ['tier = front , env = prod', true],
    ['tier=back', false],
    ['tier!=back', true],
    ['tier!=front', false],
    ['absent!=x', true],
    ['tier', true],
    ['absent', false],
    ['!absent', true],
    ['! absent', true],
    ['!tier', false],
    ['env in (dev,prod)', true],
    ['env in ( dev )', false],
    ['env notin (dev)', true],
    ['env notin (dev,prod)', false],
    ['absent notin (dev)', true],
    ['absent in (dev)', false],
    ['dtkd.dev/owner=node0', true],
    ['empty=', true],
    ['empty in ()', true],
    ['tier=front,env in (prod,dev),!absent', true],
    ['tier=front,env in (test,dev),!absent', false],
  ])('"%s" is %s', (text, expected) => {
    expect(selects(text)).toBe(expected);
  });

  it('sees no labels where there are none, nor those of every object', () => {
    expect(matchesLabels(parseLabelSelector('tier'), undefined)).toBe(false);
    expect(selects('!constructor')).toBe(true);
    expect(selects('toString')).toBe(false);
  });

  it.each(['=', 'a=b=c', 'a in b', 'a in (b', 'a,,b', ',', 'a=b c', '-a', 'a=-b', 'a/b/c=d', 'a=b,', 'in (a)', 'a > 3', 'a'.repeat(9000)])(
    'refuses "%s" with the reason',
    (text) => {
      expect(() => parseLabelSelector(text)).toThrow(
        expect.objectContaining({ code: 'BAD_REQUEST', next: expect.stringContaining('tier=front') }),
      );
    },
  );

  it.each([
    ['a=b,c d', 4],
    ['tier=front,  -a', 13],
    ['tier=front,zone in (a,-b)', 22],
    ['tier=front,,x', 11],
  ])('refuses "%s" and points at character %d', (text, position) => {
    expect(() => parseLabelSelector(text)).toThrow(
      expect.objectContaining({ details: { position }, message: expect.stringContaining(`\n  ${text}\n  ${' '.repeat(position)}^`) }),
    );
  });

  it('never fails otherwise than with a coded error', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '=', '!', ',', '(', ')', ' ', 'in', 'notin', '/', '.') }), (text) => {
        try {
          selects(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_REQUEST' });
        }
      }),
    );
  });

  it('agrees with its own negation', () => {
    const key = fc.constantFrom('a', 'b', 'c');
    const value = fc.constantFrom('x', 'y', '');
    fc.assert(
      fc.property(fc.dictionary(key, value), key, fc.array(value, { minLength: 1 }), (labels, k, values) => {
        expect(selects(`${k} in (${values})`, labels)).toBe(!selects(`${k} notin (${values})`, labels));
        expect(selects(k, labels)).toBe(!selects(`!${k}`, labels));
      }),
    );
  });
});

describe('field selectors', () => {
  const selectable = ['metadata.name', 'status', 'connected'];
  const object = { metadata: { name: 'a,b' }, connected: true };
  const matches = (text: string) => matchesFields(parseFieldSelector(text, selectable), object);

  it.each([
    ['', true],
    ['metadata.name=a\\,b', true],
    ['metadata.name==a\\,b,connected=true', true],
    ['metadata.name!=a\\,b', false],
    ['connected!=false', true],
    ['status=', true],
    ['status!=', false],
    ['status=Ready', false],
  ])('"%s" is %s', (text, expected) => {
    expect(matches(text)).toBe(expected);
  });

  it('sees each element of an array', () => {
    const tagged = { spec: { tags: ['a', 'b', 3, {}] } };
    const has = (text: string) => matchesFields(parseFieldSelector(text, ['spec.tags']), tagged);
    expect([has('spec.tags=b'), has('spec.tags=3'), has('spec.tags!=b'), has('spec.tags=c'), has('spec.tags!=c')]).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  it('points at what it cannot read', () => {
    expect(() => matches('status=Ready, spec.x=1')).toThrow(
      expect.objectContaining({ message: expect.stringContaining(`\n  status=Ready, spec.x=1\n  ${' '.repeat(14)}^`) }),
    );
  });

  it('names the fields that can be used', () => {
    expect(() => matches('spec.x=1')).toThrow(expect.objectContaining({ next: 'These can: metadata.name, status, connected.' }));
    expect(() => matches('metadata.name')).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    expect(() => matches('status=a=b')).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    expect(() => matches('__proto__.x=1')).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});
