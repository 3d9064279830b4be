import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchNode, narrowTo, selectNodes, whyNone } from '../../../daemon/src/dispatch/filter/match-node.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { FilteredNode } from '../../../protocol/filter/filter.types.ts';
import { propertyKeysOf } from '../../../protocol/filter/filter-keys.ts';
import { parseNodeFilter } from '../../../protocol/filter/parse-filter.ts';
import type { NodeFilter } from '../../../protocol/kinds/execution.ts';

interface About {
  hostname?: string;
  osFamily?: string;
  osName?: string;
  osVersion?: string;
  osArch?: string;
  tags?: string[];
  properties?: Record<string, string | number | boolean>;
  labels?: Record<string, string>;
}

function node(name: string, { tags, properties, labels, ...facts }: About = {}): FilteredNode {
  return {
    node: name,
    object: { metadata: { ...(labels === undefined ? {} : { labels }) }, spec: { tags, properties }, status: { facts } },
  };
}

const web1 = node('web1', {
  hostname: 'web1.example.org',
  osFamily: 'unix',
  osName: 'Linux',
  osVersion: '6.1.0',
  osArch: 'x64',
  tags: ['web', 'eu'],
  properties: { rack: 'r1', units: 2 },
});
const web2 = node('web2', {
  hostname: 'Web2',
  osFamily: 'unix',
  osName: 'Darwin',
  osArch: 'arm64',
  tags: ['web', 'us'],
  labels: { 'acme.dev/zone': 'b', rack: 'label' },
});
const db1 = node('db1', {
  hostname: 'db1',
  osFamily: 'unix',
  osName: 'Linux',
  tags: ['db', 'eu'],
  properties: { rack: 'r2', spare: true },
});
const win = node('win', { hostname: 'win', osFamily: 'windows', osName: 'Windows' });
const bare: FilteredNode = { node: 'bare', object: { metadata: {} } };
const all = [web1, web2, db1, win, bare];

async function chosen(filter: NodeFilter): Promise<string[]> {
  return (await selectNodes(await parseNodeFilter(filter, propertyKeysOf(all)), all)).map((one) => one.node);
}

async function refusal(filter: NodeFilter, known: ReadonlySet<string> | undefined = propertyKeysOf(all)): Promise<DtkdError> {
  const error: unknown = await parseNodeFilter(filter, known).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof DtkdError) return error;
  throw new Error('it was not refused', { cause: error });
}

describe('a node filter', () => {
  it.each<[string[], string[]]>([
    [[], ['web1', 'web2', 'db1', 'win', 'bare']],
    [['.*'], ['web1', 'web2', 'db1', 'win']],
    [['db1'], ['db1']],
    [['web1'], []],
    [['web1.example.org'], ['web1']],
    [['WEB2,db1'], ['web2', 'db1']],
    [['web[12](\\.example\\.org)?'], ['web1', 'web2']],
    [['web\\d{1,3}.*'], ['web1', 'web2']],
    [['hostname=db.'], ['db1']],
    [['name=web.'], ['web1', 'web2']],
    [['osfamily=unix'], ['web1', 'web2', 'db1']],
    [['os-family=UNIX'], ['web1', 'web2', 'db1']],
    [['osName=linux'], ['web1', 'db1']],
    [['osversion=6\\..*'], ['web1']],
    [['osarch=x64,arm64'], ['web1', 'web2']],
    [['type=Node'], ['web1', 'web2', 'db1', 'win', 'bare']],
    [['type=Service'], []],
    [['tags=web'], ['web1', 'web2']],
    [['tag=web'], ['web1', 'web2']],
    [['tags=WEB'], []],
    [['tags=web+eu'], ['web1']],
    [['tags=web+eu,db'], ['web1', 'db1']],
    [['tags=e.'], ['web1', 'db1']],
    [['tags=w.*+u.'], ['web2']],
    [['rack=r1'], ['web1']],
    [['rack=r[12]'], ['web1', 'db1']],
    [['rack=label'], ['web2']],
    [['RACK=r1'], ['web1']],
    [['units=2'], ['web1']],
    [['spare=true'], ['db1']],
    [['acme.dev/zone=b'], ['web2']],
    [['tags=web,osfamily=unix'], ['web1', 'web2']],
    [['tags=web', 'osname=linux'], ['web1']],
    [['tags=web , osname = linux , darwin'], ['web1', 'web2']],
    [['db1,win,osfamily=unix'], ['db1']],
  ])('-I %j', async (include, expected) => {
    expect(await chosen({ include })).toEqual(expected);
  });

  it('leaves out what matches -X: all keys of one text, any of several texts', async () => {
    expect(await chosen({ exclude: ['tags=web'] })).toEqual(['db1', 'win', 'bare']);
    expect(await chosen({ exclude: ['tags=web,osname=Linux'] })).toEqual(['web2', 'db1', 'win', 'bare']);
    expect(await chosen({ exclude: ['tags=web', 'osname=Windows'] })).toEqual(['db1', 'bare']);
    expect(await chosen({ include: ['osfamily=unix'], exclude: ['tags=us'] })).toEqual(['web1', 'db1']);
  });

  it('keeps what both match if -I goes before', async () => {
    const filter = { include: ['tags=web'], exclude: ['tags=us'] };
    expect(await chosen({ ...filter, excludePrecedence: true })).toEqual(['web1']);
    expect(await chosen({ ...filter, excludePrecedence: false })).toEqual(['web1', 'web2']);
    expect(await chosen({ exclude: ['tags=us'], excludePrecedence: false })).toEqual(['web1', 'db1', 'win', 'bare']);
  });
});

describe('a filter that is none', () => {
  it('has a key twice', async () => {
    expect(await refusal({ include: ['tags=web,tag=db'] })).toMatchObject({
      code: 'BAD_REQUEST',
      message: 'the key "tag" is given twice in the include filter\n  tags=web,tag=db\n           ^',
      next: 'Write its values once, with commas between them: tag=A,B for nodes that have one of them; tag=A+B for nodes that have both.',
    });
    expect((await refusal({ include: ['web1', 'web2'] })).message).toContain(
      'the key "hostname" (the key of a text without one) is given twice in the include filter',
    );
    expect((await refusal({ include: ['web1', 'hostname=web2'] })).message).toContain('"hostname" is given twice');
    expect((await refusal({ include: ['os-family=unix', 'osFamily=windows'] })).message).toContain('"osFamily" is given twice');
    expect((await refusal({ include: ['rack=r1', 'RACK=r2'] })).message).toContain('"RACK" is given twice');
    expect((await refusal({ exclude: ['web1', 'web2'] })).message).toContain('is given twice in the exclude filter');
    expect(await chosen({ include: ['db1'], exclude: ['win'] })).toEqual(['db1']);
  });

  it('has a key that no node has', async () => {
    expect(await refusal({ include: ['db1,rak=r1'] })).toMatchObject({
      code: 'BAD_REQUEST',
      message: 'no node has a key "rak"\n  db1,rak=r1\n      ^',
      next: expect.stringMatching(
        /^Did you mean "rack"\? There are: hostname, name, osfamily, .*tags, type, acme.dev\/zone, rack, spare, units\.$/,
      ),
    });
    expect((await refusal({ include: ['osfamliy=unix'] })).next).toContain('"osfamily"');
    expect(await parseNodeFilter({ include: ['rak=r1'] })).toMatchObject({ include: [{ key: { of: 'property', name: 'rak' } }] });
  });

  it.each([
    ['', 'a value is missing in a filter\n  \n  ^'],
    ['tags=', '"tags" has no value in a filter\n  tags=\n       ^'],
    ['web1,,web2', 'a value is missing in a filter\n  web1,,web2\n       ^'],
    ['web1,', 'a value is missing in a filter\n  web1,\n       ^'],
    ['tags=web+', 'a tag is missing beside "+"\n  tags=web+\n           ^'],
    ['tags=+', 'a tag is missing beside "+"\n  tags=+\n       ^'],
    ['web1,web[1', '"web[1" is not a valid regular expression (RE2): missing closing ]: `[1`\n  web1,web[1\n          ^'],
    ['name=*a', '"*a" is not a valid regular expression (RE2): missing argument to repetition operator: `*`\n  name=*a\n       ^'],
    ['a{1000}{1000}', expect.stringContaining('a{1000}{1000}')],
    [`name=${'(a|b){500}'}`, expect.stringContaining('too large')],
  ])('is %j', async (text, message) => {
    expect(await refusal({ include: [text] })).toMatchObject({ code: 'BAD_REQUEST', message, next: expect.any(String) });
  });

  it('is the star that other tools have for all', async () => {
    expect((await refusal({ include: ['*'] })).next).toContain('the word "all" means every node');
  });

  it('has more in it than a filter may', async () => {
    expect((await refusal({ include: [Array.from({ length: 5_000 }, (_, index) => index).join(',')] })).message).toContain(
      'more than 4096 values',
    );
    expect((await refusal({ include: [Array.from({ length: 40 }, (_, index) => `a{90}[${index % 10}]`).join(',')] })).message).toContain(
      'too large in total',
    );
  });

  it('takes a dot for any one character', async () => {
    const named = (hostname: string) => node('n', { hostname });
    const filter = await parseNodeFilter({ include: ['a.b,é.'] });
    expect(['aXb', 'A.B', 'a🦊b', 'É1', 'ab', 'a..b', 'a\nb', 'aXbc'].map((name) => matchNode(filter, named(name)))).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it('takes hundreds of host names with dots', async () => {
    const names = Array.from({ length: 500 }, (_, index) => `host${index}.example.org`);
    const filter = await parseNodeFilter({ include: [names.join(',')] });
    const hosts = names.map((hostname, index) => node(`n${index}`, { hostname: hostname.toUpperCase() }));
    expect(await selectNodes(filter, [...hosts, web1])).toEqual(hosts);
  });
});

describe('what is said about a filter', () => {
  it('why it chooses no node', async () => {
    const about = async (filter: NodeFilter) => whyNone(await parseNodeFilter(filter), all);
    expect(await about({ include: ['tags=mail', 'osfamily=unix'] })).toBe('none of 5 nodes matches tags=mail');
    expect(await about({ include: ['web1'] })).toBe('none of 5 nodes matches hostname=web1, but name=web1 matches 1');
    expect(await about({ include: ['name=none*'] })).toBe(
      'none of 5 nodes matches name=none*; * repeats the character before it: any text is ".*"',
    );
    for (const words of ['tags=web and osfamily=unix', 'not name=web1'])
      expect(await about({ include: [words] })).toMatch(/^none of 5 nodes matches .*; a comma joins conditions, -X excludes/);
    expect(await about({ include: ['tags=web', 'osfamily=windows'] })).toBe(
      'of 5 nodes, 2 match tags=web, 1 match osfamily=windows, but none matches all',
    );
    expect(await about({ include: ['tags=web'], exclude: ['osfamily=unix'] })).toBe('all 2 of 5 nodes that are included are also excluded');
    expect(await whyNone(await parseNodeFilter({ include: ['x'] }), [])).toBe('there is no node to choose from');
  });

  it('why it chooses none of very many, while others have the event loop', async () => {
    const dear = Array.from({ length: 5 }, () => '([ab]*a[ab]{12}){20}c').join(',');
    const many = Array.from({ length: 50 }, (_, index) => node(`n${index}`, { properties: { p: 'ab'.repeat(512) } }));
    const filter = await parseNodeFilter({ include: [`p=${dear}`] });
    let turns = 0;
    setImmediate(() => {
      turns += 1;
    });
    expect(await whyNone(filter, many)).toContain('none of 50 nodes matches p=');
    expect(turns).toBe(1);
  });

  it('which names of a list are of no node', () => {
    expect(narrowTo(all, ['db1', 'gone', 'db1'])).toEqual({ items: [db1], unknown: ['gone'] });
  });
});

describe('laws of filters', () => {
  const word = fc.constantFrom('a', 'b', 'c');
  const nodes = fc.array(
    fc.record({ hostname: word, osName: word, tags: fc.subarray(['a', 'b', 'c']) }).map((about) => node('n', about)),
    { maxLength: 8 },
  );
  const value = fc.constantFrom('a', 'b', 'c', '.*', '[ab]', 'a|c', 'x');
  const tag = fc.constantFrom('a', 'b+c', 'a+[bc]', 'x', '.*');
  const list = (of: fc.Arbitrary<string>) => fc.array(of, { minLength: 1, maxLength: 3 });
  const select = async (filter: NodeFilter, of: FilteredNode[]) => {
    const compiled = await parseNodeFilter(filter);
    return of.map((one) => matchNode(compiled, one));
  };

  it('several values are one or another; several keys, in one text or in several, are one and the other', async () => {
    await fc.assert(
      fc.asyncProperty(nodes, list(value), list(tag), async (of, hosts, tags) => {
        const byHost = await Promise.all(hosts.map((one) => select({ include: [one] }, of)));
        const byTag = await Promise.all(tags.map((one) => select({ include: [`tags=${one}`] }, of)));
        const expected = of.map((_, index) => byHost.some((results) => results[index]) && byTag.some((results) => results[index]));
        expect(await select({ include: [hosts.join(','), `tags=${tags.join(',')}`] }, of)).toEqual(expected);
        expect(await select({ include: [`tags=${tags.join(',')},hostname=${hosts.join(',')}`] }, of)).toEqual(expected);
      }),
    );
  });

  it('tags joined by + are all of them', async () => {
    await fc.assert(
      fc.asyncProperty(nodes, list(value), async (of, parts) => {
        const each = await Promise.all(parts.map((one) => select({ include: [`tags=${one}`] }, of)));
        expect(await select({ include: [`tags=${parts.join('+')}`] }, of)).toEqual(
          of.map((_, index) => each.every((results) => results[index])),
        );
      }),
    );
  });

  it('-X takes away from -I, or nothing if -I goes before', async () => {
    await fc.assert(
      fc.asyncProperty(nodes, value, tag, async (of, host, tagged) => {
        const include = await select({ include: [host] }, of);
        const exclude = await select({ include: [`tags=${tagged}`] }, of);
        const both = { include: [host], exclude: [`tags=${tagged}`] };
        expect(await select(both, of)).toEqual(include.map((yes, index) => yes && !exclude[index]));
        expect(await select({ ...both, excludePrecedence: false }, of)).toEqual(include);
        expect(await select({ exclude: both.exclude }, of)).toEqual(exclude.map((yes) => !yes));
      }),
    );
  });

  it('any text is parsed or refused with a place, and what is parsed matches without throwing', async () => {
    const signs = fc.string({
      unit: fc.constantFrom(
        'a',
        'tags',
        '=',
        ',',
        '+',
        '[',
        ']',
        '(',
        ')',
        '{',
        '}',
        '1',
        '\\',
        '*',
        '.',
        '|',
        '^',
        '$',
        ' ',
        '-',
        '\u0000',
        'é',
        '🦊',
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(signs, fc.string({ unit: 'binary' })), { maxLength: 4 }), fc.boolean(), async (texts, out) => {
        const filter: NodeFilter = out ? { exclude: texts } : { include: texts };
        const compiled = await parseNodeFilter(filter, propertyKeysOf(all)).catch((error: unknown) => {
          expect(error).toBeInstanceOf(DtkdError);
          expect(error).toMatchObject({ code: 'BAD_REQUEST' });
        });
        if (compiled === undefined) return;
        for (const one of all) expect(typeof matchNode(compiled, one)).toBe('boolean');
      }),
      { numRuns: 500 },
    );
  });

  it('expressions that would backtrack for ever elsewhere end, on the longest texts', async () => {
    for (const evil of ['(a+)+b', '(a|aa)*c', '(a*)*b', '(.*a){10}x', '^(a?){30}a{30}$']) {
      const filter = await parseNodeFilter({ include: [`name=${evil}`, `rack=${evil}`] });
      expect(matchNode(filter, node('a'.repeat(1_024), { properties: { rack: 'a'.repeat(1_024) } }))).toBe(false);
    }
  });
});
