import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Branch, treeLines, treesOf } from '../../../cli/model/tree.ts';
import { modelKind } from '../../../protocol/kinds/model.ts';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import { FakeDaemon } from '../fake-daemon.ts';

const plain = (_colour: string, text: string): string => text;

function resource(
  name: string,
  parents: string[] = [],
  { type = 'Service', model = 'shop', namespace = 'node0' } = {},
): {
  metadata: { name: string; namespace: string };
  spec: { model: string; type: string; parents: string[] };
} {
  return { metadata: { name, namespace }, spec: { model, type, parents } };
}

function drawn(
  resources: ReturnType<typeof resource>[],
  { depth = 32, from, owners = false, models = false }: { depth?: number; from?: string; owners?: boolean; models?: boolean } = {},
): string {
  return treeLines(plain, treesOf(resources, { depth, from }), { owners, models }).join('\n');
}

const SHOP = [
  resource('heap', ['front'], { type: 'Setting' }),
  resource('front', ['node/node1', 'node/node0', 'shop']),
  resource('back', ['shop']),
  resource('shop', [], { type: 'Site' }),
];

describe('the tree of a model', () => {
  it('begins with nodes and with what belongs to nothing; what came before is told with a word', () => {
    expect(drawn(SHOP)).toBe(
      [
        'node/node0',
        '└─ Service/front',
        '   └─ Setting/heap',
        'node/node1',
        '└─ Service/front (see above)',
        'Site/shop',
        '├─ Service/back',
        '└─ Service/front (see above)',
      ].join('\n'),
    );
  });

  it('begins where it is asked to, by each of its names, and ends at a depth', () => {
    const site = 'Site/shop\n├─ Service/back\n└─ Service/front (1 more below)';
    expect(drawn(SHOP, { from: 'Site/shop', depth: 1 })).toBe(site);
    expect(drawn(SHOP, { from: 'shop', depth: 1 })).toBe(site);
    expect(drawn(SHOP, { from: 'node/node1' })).toBe('node/node1\n└─ Service/front\n   └─ Setting/heap');
    expect(drawn(SHOP, { from: 'front' })).toBe('Service/front\n└─ Setting/heap');
    expect(treesOf(SHOP, { depth: 32, from: 'node/node9' })).toEqual([]);
  });

  it('shows in full, further up, what was too deep elsewhere', () => {
    expect(drawn([resource('a'), resource('b', ['a']), resource('c', ['b', 'z']), resource('d', ['c']), resource('z')], { depth: 1 })).toBe(
      ['Service/a', '└─ Service/b (1 more below)', 'Service/z', '└─ Service/c (1 more below)'].join('\n'),
    );
  });

  it('tells owners, and models where they change', () => {
    const mixed = [
      resource('x', ['node/node0']),
      resource('y', ['x'], { model: 'lab' }),
      resource('w', ['x']),
      resource('z', [], { namespace: 'node1' }),
    ];
    expect(drawn(mixed, { owners: true, models: true })).toBe(
      [
        'node0',
        '└─ node/node0',
        '   └─ Service/x (in shop)',
        '      ├─ Service/w',
        '      └─ Service/y (in lab)',
        'node1',
        '└─ Service/z (in shop)',
      ].join('\n'),
    );
  });

  it('shows a parent that is not there, and a circle once', () => {
    expect(drawn([resource('a', ['gone'])])).toBe('gone (not shown to you, or of another model)\n└─ Service/a');
    expect(drawn([resource('a', ['b']), resource('b', ['a'])])).toBe('Service/a\n└─ Service/b\n   └─ Service/a (see above)');
  });

  it('takes a chain as long as a model is large', () => {
    const chain = Array.from({ length: 50_000 }, (_, at) => resource(`r${at}`, at === 0 ? [] : [`r${at - 1}`]));
    expect(drawn(chain).split('\n')).toHaveLength(33);
  });

  it('cannot be made to move the cursor', () => {
    const hostile = {
      metadata: { name: 'a', namespace: '\u001b[2J' },
      spec: { type: 'T\u001b[1A', parents: ['node/\u009b'] },
    };
    const lines = treeLines(plain, treesOf([hostile], { depth: 9 }), { owners: true, models: true });
    expect(lines).toEqual(['\\u001b[2J', '└─ node/\\u009b', '   └─ T\\u001b[1A/a']);
  });

  it('has each resource, wherever its parents are, and never more lines than there are resources, parents and relations', () => {
    const name = fc.integer({ min: 0, max: 9 }).map((at) => `r${at}`);
    const parents = fc.uniqueArray(fc.oneof(name, fc.constantFrom('node/a', 'node/b', 'gone')), { maxLength: 4 });
    fc.assert(
      fc.property(fc.uniqueArray(fc.record({ name, parents }), { selector: (one) => one.name, maxLength: 10 }), (ones) => {
        const resources = ones.map((one) => resource(one.name, one.parents));
        const [tree] = treesOf(resources, { depth: 99 });
        const shown = new Set<string>();
        let places = 0;
        const open: Branch[] = [...(tree?.roots ?? [])];
        for (let branch = open.pop(); branch !== undefined; branch = open.pop()) {
          places += 1;
          shown.add(branch.name);
          open.push(...branch.children);
        }
        for (const one of ones) expect(shown).toContain(one.name);
        const relations = ones.flatMap((one) => one.parents);
        expect(places).toBeLessThanOrEqual(ones.length + relations.length + new Set(relations).size);
      }),
    );
  });
});

describe('dtkd model tree', () => {
  let daemon: FakeDaemon;
  beforeAll(async () => {
    daemon = await FakeDaemon.start();
    daemon.put(modelKind, 'shop', { spec: {} });
    daemon.put(modelKind, 'empty', { spec: {} });
    daemon.put(resourceKind, 'front', { spec: { model: 'shop', type: 'Service', parents: ['node/node0'] } });
    daemon.put(resourceKind, 'lamp', { spec: { model: 'lab', type: 'Host' } });
  });
  afterAll(() => daemon.stop());

  it('draws all models, or one, or what stands below something', async () => {
    const [all, one, below, json] = await Promise.all([
      daemon.cli('model', 'tree'),
      daemon.cli('model', 'tree', 'shop'),
      daemon.cli('model', 'tree', '--from', 'Host/lamp'),
      daemon.cli('model', 'tree', 'shop', '-o', 'json'),
    ]);
    expect(all.stdout).toBe('node/node0\n└─ Service/front (in shop)\nHost/lamp (in lab)\n');
    expect(one.stdout).toBe('node/node0\n└─ Service/front\n');
    expect(below.stdout).toBe('Host/lamp (in lab)\n');
    const front = { name: 'front', resource: 'Service/front', model: 'shop', children: [] };
    expect(JSON.parse(json.stdout)).toEqual([{ owner: 'node0', roots: [{ name: 'node/node0', children: [front] }] }]);
  });

  it('says what is not there', async () => {
    const [model, root, empty] = await Promise.all([
      daemon.cli('model', 'tree', 'nope'),
      daemon.cli('model', 'tree', '--from', 'node/nope'),
      daemon.cli('model', 'tree', 'empty'),
    ]);
    expect([model.code, root.code]).toEqual([5, 5]);
    expect(root.stderr).toMatch(/^error: there is nothing below node\/nope\nnext: /);
    expect(empty).toEqual({ code: 0, stdout: '', stderr: 'No resources of empty found.\n' });
    const json = await daemon.cli('model', 'tree', '--from', 'node/nope', '-o', 'json');
    expect(json).toEqual({ code: 5, stdout: '', stderr: root.stderr });
    expect((await daemon.cli('model', 'tree', 'empty', '-o', 'json')).stdout).toBe('[]\n');
  });
});
