import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Change } from '../../../../daemon/src/catalog/instances/editing/values.ts';
import { changed, valueAt } from '../../../../daemon/src/catalog/instances/editing/values.ts';
import { editYaml } from '../../../../daemon/src/catalog/instances/editing/yaml-edit.ts';
import { isRecord } from '../../../../protocol/encoding/json.ts';
import { readYaml } from '../../../../protocol/modules/yaml.ts';

const TEXT = `# What this is.

name: shop   # its name
target:   prod

parameters: {tier: 'front', size: 3}


components:
    # The one that answers.
    web:
        type:  WebServer
        properties:
            port:   8080      # as everybody expects
            motd: |
                Good
                  evening

            tags:
            - a
            - b   # the second
            on: yes
        # no more of it
        on: "tags=web"

    db: {type: Db}
# The end.
`;

const edit = (changes: readonly Change[], text = TEXT) => editYaml(text, changes, 'dtk.service.yaml');
const lines = (text: string) => text.split('\n');
const isMap = (value: unknown) => (value === undefined ? undefined : isRecord(value));
const port = ['components', 'web', 'properties', 'port'];

describe('an edit of a text', () => {
  it('changes one value and nothing else', async () => {
    expect(await edit([{ path: port, value: 8081 }])).toBe(TEXT.replace('8080 ', '8081 '));
    expect(await edit([{ path: ['target'], value: 'back: up' }])).toBe(TEXT.replace('prod', '"back: up"'));
    expect(await edit([{ path: ['parameters', 'tier'], value: 'back' }])).toBe(TEXT.replace("'front'", 'back'));
    expect(await edit([{ path: ['components', 'db', 'type'], value: 'a, b' }])).toBe(TEXT.replace('type: Db', 'type: "a, b"'));
    expect(await edit([{ path: ['components', 'web', 'on'], value: { nodes: 'tags=web', count: 2 } }])).toBe(
      TEXT.replace('"tags=web"', '{nodes: tags=web, count: 2}'),
    );
    expect(await edit([{ path: port, value: 8080 }])).toBe(TEXT);
    const motd = ['components', 'web', 'properties', 'motd'];
    const block = TEXT.slice(TEXT.indexOf('|\n'), TEXT.indexOf('\n            tags:'));
    expect(await edit([{ path: motd, value: 'Bad\nmorning' }])).toBe(TEXT.replace(block, '|-\n              Bad\n              morning\n'));
    expect(await edit([{ path: motd, value: 'Bad' }])).toBe(TEXT.replace(block, 'Bad\n'));
  });

  it('puts what is new behind what is there', async () => {
    expect(await edit([{ path: ['components', 'web', 'properties', 'greeting'], value: 'Hi\nyou' }])).toBe(
      TEXT.replace('on: yes\n', 'on: yes\n            greeting: |-\n              Hi\n              you\n'),
    );
    expect(await edit([{ path: ['components', 'web', 'links', 'db'], value: 'db' }])).toBe(
      TEXT.replace('on: "tags=web"\n', 'on: "tags=web"\n        links:\n          db: db\n'),
    );
    expect(await edit([{ path: ['components', 'cache'], value: { type: 'Cache' } }])).toBe(
      TEXT.replace('{type: Db}\n', '{type: Db}\n    cache:\n      type: Cache\n'),
    );
  });

  it('takes out a value with its line and the comment on it', async () => {
    expect(await edit([{ path: port, remove: true }])).toBe(TEXT.replace(/ *port.*\n/, ''));
    expect(await edit([{ path: ['components', 'web'], remove: true }])).toBe(
      `${TEXT.slice(0, TEXT.indexOf('    # The one'))}${TEXT.slice(TEXT.indexOf('\n    db:'))}`,
    );
    expect(await edit([{ path: ['name'], remove: true }])).toBe(TEXT.replace(/name: shop.*\n/, ''));
    expect(await edit([{ path: ['components', 'nothing'], remove: true }])).toBe(TEXT);
  });

  it('takes away maps that have nothing left', async () => {
    const text = 'name: shop\ncomponents:\n  web:\n    type: Web\n    properties:\n      port: 1\n';
    const one = { path: ['components', 'web', 'properties', 'port'], remove: true } as const;
    expect(await edit([one], text)).toBe('name: shop\ncomponents:\n  web:\n    type: Web\n');
  });

  it('makes what is missing, also where a key stands without a value', async () => {
    const text = 'name: shop\ncomponents:\n  web:\n    type: Web\n    properties:\n';
    const set = await edit([{ path: port, value: 1 }], text);
    expect(await readYaml(set, 'x')).toEqual({ name: 'shop', components: { web: { type: 'Web', properties: { port: 1 } } } });
  });

  it('leaves all else as it is written, however the value or what is around it is', async () => {
    const text = `target:   # which one
components: {web: {type: Web, properties: {}}, "a,b": {type: Db}}   # in short
size:   &size 3
tier: *size   # the same
after: # first those
    # the store
    - db

    - cache  # and that
# of numbers
mask:   010
big: [ 12345678901234567890,1e3 ]


end: 'x'
`;
    const web = ['components', 'web'];
    const to = async (path: readonly string[], value: unknown, piece: string, by: string) => {
      expect(text).toContain(piece);
      expect(await edit([value === undefined ? { path, remove: true } : { path, value }], text)).toBe(text.replace(piece, by));
    };
    await to(['target'], 'prod', 'target:', 'target: prod');
    await to(['target', 'name'], 'prod', 'one\n', 'one\n  name: prod\n');
    await to([...web, 'properties', 'motd'], 'a, b', '{}', '{motd: "a, b"}');
    await to([...web, 'on'], { count: 2 }, '{}}', '{}, on: {count: 2}}');
    await to(web, undefined, 'web: {type: Web, properties: {}}, ', '');
    await to(['components', 'a,b'], undefined, ', "a,b": {type: Db}', '');
    await to(['tier'], 4, '*size', '4');
    const list = text.slice(text.indexOf('    # the store'), text.indexOf('# of'));
    await to(['after'], ['web'], list, '  - web\n');
    await to(['after'], 'web', `after: # first those\n${list}`, 'after: web # first those\n');
    await to(['new'], 1, "end: 'x'\n", "end: 'x'\nnew: 1\n");
    const other = text.replaceAll('\n', '\r\n');
    expect(await edit([{ path: ['new', 'text'], value: 'a\nb' }], other)).toBe(`${other}new:\r\n  text: |-\r\n    a\r\n    b\r\n`);
  });

  it('does not change what others refer to', async () => {
    const text = 'a: &a {port: 1}\nb: *a\n';
    await expect(edit([{ path: ['a', 'port'], value: 2 }], text)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(edit([{ path: ['b', 'port'], value: 2 }], text)).rejects.toMatchObject({ code: 'INVALID' });
  });

  it('keeps all other lines, whatever is set or taken out, and comes to what was meant', async () => {
    const key = fc.constantFrom(
      'web',
      'db',
      'port',
      'properties',
      'components',
      'tags',
      'motd',
      'name',
      'other',
      'on',
      'type',
      'parameters',
      'tier',
    );
    const value = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.string({
        unit: fc.constantFrom('a', '\n', ' ', '#', ':', '-', "'", '"', ',', '{', '[', '&', '*', '!', '%', '@', '~'),
        maxLength: 8,
      }),
      fc.integer(),
      fc.boolean(),
      fc.array(fc.integer(), { maxLength: 3 }),
      fc.record({ count: fc.integer(), nodes: fc.string({ maxLength: 5 }) }),
    );
    const path = fc.oneof(
      fc.array(key, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(port, ['components', 'web', 'on'], ['components', 'web', 'properties', 'motd'], ['parameters', 'tier']),
    );
    await fc.assert(
      fc.asyncProperty(path, fc.option(value), async (at, wanted) => {
        const change: Change = wanted === null ? { path: at, remove: true } : { path: at, value: wanted };
        const before = await readYaml(TEXT, 'x');
        // a path leads through maps only: the rest is refused
        fc.pre(at.slice(1).every((_part, depth) => [undefined, true].includes(isMap(valueAt(before, at.slice(0, depth + 1))))));
        const after = await edit([change]);
        expect(await readYaml(after, 'x')).toEqual(changed(before, change));
        // comments of what stays stay
        const gone = valueAt(before, at.slice(0, 1)) !== undefined && JSON.stringify(changed(before, change)) !== JSON.stringify(before);
        const kept = lines(after).filter((line) => line.includes('#') && lines(TEXT).includes(line));
        if (!gone) expect(kept).toHaveLength(lines(TEXT).filter((line) => line.includes('#')).length);
        expect(lines(after)).toContain('# What this is.');
        expect(lines(after)).toContain('# The end.');
      }),
      { numRuns: 200 },
    );
  });
});
