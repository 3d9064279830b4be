import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import { serviceKind } from '../../../protocol/kinds/service.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { matchesLike, parseLike } from '../../../protocol/where/like.ts';
import { matchesWhere, parseWhere } from '../../../protocol/where/where.ts';

const OBJECT: ApiObject = {
  apiVersion: 'dtkd.dev/v1',
  kind: 'Resource',
  metadata: {
    name: 'front1',
    namespace: 'node0',
    uid: 'u',
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: { tier: 'front', version: '2', 'app.kubernetes.io/name': 'shop' },
  },
  spec: {
    model: 'web',
    type: 'Service',
    parents: ['site-a', 'node/node0'],
    properties: {
      port: 8001,
      text: '9000',
      enabled: true,
      'java.home': '/opt/java',
      zones: ['a', 'b', 3],
      empty: [],
      nothing: null,
      jvm: { heap: 512, 'a.b': 'dotted' },
      quote: "it's",
    },
  },
};
const holds = (text: string) => matchesWhere(parseWhere(text, resourceKind), OBJECT);

describe('expressions', () => {
  it.each([
    ['type=Service', true],
    ['type = service', true],
    ['type==SERVICE', true],
    ['type!=service', false],
    ['spec.type=service', true],
    ['type in (Package, service)', true],
    ["type like 'SERV*'", true],
    ['model=web and properties.port>8000', true],
    ['model=Web', false],
    ['properties.port>8001', false],
    ['properties.port>=8001', true],
    ['properties.port<=8001.0', true],
    ['properties.port<8001', false],
    ['properties.port=8001', true],
    ['properties.port=8.001e3', true],
    ['properties.port="8001"', false],
    ['properties.port>"8"', false],
    ['properties.text=9000', true],
    ['properties.text="9000"', true],
    ['properties.text>8000', false],
    ['properties.text>"8000"', true],
    ['labels.version=2', true],
    ['labels.tier=front and not labels.tier=back', true],
    ['labels.app.kubernetes.io/name=shop', true],
    ['metadata.labels.tier=front', true],
    ['has labels.tier', true],
    ['has labels.absent', false],
    ['not has labels.absent', true],
    ['properties.enabled=true', true],
    ['properties.enabled="true"', false],
    ['properties.enabled!=false', true],
    ['properties.java.home=/opt/java', true],
    ['properties.jvm.heap>500', true],
    ['properties.jvm.a.b=dotted', true],
    ['properties.zones=b', true],
    ['properties.zones=3', true],
    ['properties.zones>2', true],
    ['properties.zones!=b', false],
    ['properties.zones in (x,y)', false],
    ['properties.zones not in (x,y)', true],
    ['has properties.empty', true],
    ['has properties.nothing', false],
    ['has properties.jvm', true],
    ['properties.jvm=512', false],
    ['parent=node/node0', true],
    ['parent=site-b', false],
    ['name=front1', true],
    ["name like 'fr?nt*'", true],
    ['name not like f*', false],
    ['node=node0', true],
    ['properties.absent=1', false],
    ['properties.absent!=1', true],
    ['properties.absent<1', false],
    ['properties.absent>=1', false],
    ['not properties.absent>=1', true],
    ["properties.absent like '*'", false],
    ['properties.quote="it\'s"', true],
    ["properties.quote='it\\'s'", true],
    ['(model=web or model=db) and (type=Service)', true],
    ['model=db or model=web and type=Package', false],
    ['model=web or model=db and type=Package', true],
    ['NOT model=db AND model=web', true],
    ['not not model=web', true],
    ['status.phase=Ready', false],
    ['properties.constructor=1', false],
    ['has properties.toString', false],
  ])('%s is %s', (text, expected) => {
    expect(holds(text)).toBe(expected);
  });

  it.each([
    ['', 0],
    ['type', 4],
    ['type=', 5],
    ['type=Service and', 16],
    ['type=Service and properties.port>', 33],
    ['type=Service model=web', 13],
    ['(type=Service', 13],
    ['type=Service)', 12],
    ['colour=red', 0],
    ['model=web and colour=red', 14],
    ["name='open", 5],
    ['name=a!b', 6],
    ['name in a', 8],
    ['name in (', 9],
    ['name in ()', 9],
    ['name in (a', 10],
    ['name in (a b)', 11],
    ['name not a', 9],
    ['properties.enabled>true', 19],
    ['.a=1', 0],
    ['spec..a=1', 0],
    ['spec.=1', 0],
    ["'spec'=1", 0],
    ['has', 3],
    ['=', 0],
  ])('refuses "%s" and points at character %d', (text, position) => {
    const lines = refusalOf(text).message.split('\n');
    expect(refusalOf(text)).toMatchObject({ code: 'BAD_REQUEST', details: { position }, next: expect.stringContaining('type=Service') });
    expect(lines[1]).toBe(`  ${text}`);
    expect(lines[2]).toBe(`  ${' '.repeat(position)}^`);
  });

  it('shows the surroundings of a place in a long text', () => {
    const text = `${'name=a and '.repeat(30)}name>`;
    const [, shown = '', caret = ''] = refusalOf(text).message.split('\n');
    expect(shown.length).toBeLessThan(60);
    expect(shown.endsWith('name>')).toBe(true);
    expect(caret.length).toBe(shown.length + 1);
  });

  it('has limits', () => {
    for (const text of [
      'a'.repeat(9_000),
      `${'('.repeat(40)}name=a${')'.repeat(40)}`,
      `${'not '.repeat(40)}name=a`,
      Array.from({ length: 200 }, () => 'name=a').join(' or '),
      `name in (${'a,'.repeat(300)}a)`,
      `name like '${'*a'.repeat(200)}'`,
      `spec.${'a.'.repeat(30)}b=1`,
      `spec.${'a'.repeat(400)}=1`,
    ]) {
      expect(refusalOf(text)).toMatchObject({ code: 'BAD_REQUEST' });
    }
  });

  it('knows the fields of each kind', () => {
    expect(() => parseWhere('type=Service', serviceKind)).toThrow(/"type" is not a field here/);
    expect(() => parseWhere('subsets=x', serviceKind)).toThrow();
    expect(() => parseWhere('name~x', serviceKind)).toThrow(/"name~x" is not a path, .*; compare with =, !=, /);
    expect(parseWhere('spec.clusterIP=None', serviceKind)).toBeDefined();
  });

  it('never fails otherwise than with a coded error', () => {
    const word = fc.constantFrom(
      'name',
      'and',
      'or',
      'not',
      'has',
      'in',
      'like',
      '(',
      ')',
      ',',
      '=',
      '!=',
      '<',
      '"',
      "'",
      '\\',
      'a',
      '1',
      ' ',
      '.',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        try {
          holds(words.join(' '));
          holds(words.join(''));
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_REQUEST' });
        }
      }),
    );
  });
});

describe('like', () => {
  it('agrees with regular expressions', () => {
    const char = fc.constantFrom('a', 'b', '*', '?', '\\', '😀', '.');
    fc.assert(
      fc.property(
        fc.string({ unit: char, maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b', '😀', '.'), maxLength: 10 }),
        (pattern, text) => {
          expect(matchesLike(parseLike(pattern), text)).toBe(regexOf(pattern).test(text));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('takes hostile patterns in its stride', () => {
    const pattern = parseLike(`${'a*'.repeat(120)}b`);
    expect(matchesLike(pattern, 'a'.repeat(100_000))).toBe(false);
  });
});

function refusalOf(text: string): Error {
  try {
    parseWhere(text, resourceKind);
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error(`"${text}" was not refused`);
}

function regexOf(pattern: string): RegExp {
  let source = '';
  const chars = [...pattern];
  for (let index = 0; index < chars.length; index++) {
    let char = chars[index] ?? '';
    if (char === '*') source += '.*';
    else if (char === '?') source += '.';
    else {
      if (char === '\\' && index + 1 < chars.length) {
        index += 1;
        char = chars[index] ?? '';
      }
      source += char.replace(/[.*?\\]/, '\\$&');
    }
  }
  return new RegExp(`^${source}$`, 'su');
}
