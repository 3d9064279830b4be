import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { causes, model, NODE, object, ref, refusal, remove, resource, ruledStore, type, write } from './fixtures.ts';

let store: LocalStore;

beforeEach(async () => {
  store = await ruledStore();
  await write(
    store,
    model('web'),
    type('Base', { abstract: true, properties: { owner: { required: true }, level: { type: 'integer', default: 3 } } }),
    type('Server', {
      extends: 'Base',
      properties: {
        port: { type: 'port' },
        mode: { allowed: ['fast', 'safe'] },
        host: { pattern: '[a-z]+[0-9]*' },
        password: { type: 'secret' },
        ratio: { type: 'number' },
        on: { type: 'boolean' },
        list: { type: 'array' },
        map: { type: 'object' },
      },
    }),
    type('Free'),
  );
});
afterEach(() => store.close());

const server = (name: string, properties: object, more: object = {}) =>
  resource(name, { type: 'Server', properties: { owner: 'me', ...properties }, ...more });

describe('a resource', () => {
  it('is taken if it fits its type and all that this inherits', async () => {
    await write(
      store,
      server('a', {
        port: 80,
        mode: 'fast',
        host: 'web1',
        password: 'db-password',
        ratio: 0.5,
        on: true,
        list: [1],
        map: { a: 1 },
        level: 4,
      }),
    );
    expect(await store.get(ref('Resource', 'a'))).toBeDefined();
  });

  it.each([
    [{ port: 70_000 }, 'spec.properties.port: expected a port (a whole number of 1 to 65535), got 70000'],
    [{ port: '80' }, 'spec.properties.port: expected a port (a whole number of 1 to 65535), got "80"'],
    [{ level: 1.5 }, 'spec.properties.level: expected a whole number, got 1.5'],
    [{ mode: 'slow' }, 'spec.properties.mode: expected one of "fast", "safe", got "slow"'],
    [{ host: 'web1x' }, 'spec.properties.host: expected a text that matches [a-z]+[0-9]*, got "web1x"'],
    [{ on: 'yes' }, 'spec.properties.on: expected true or false, got "yes"'],
    [{ list: {} }, 'spec.properties.list: expected an array, got {}'],
    [{ map: [] }, 'spec.properties.map: expected an object, got []'],
    [{ password: 'hunter2 !' }, 'spec.properties.password: expected the name of a Secret'],
  ])('with %j is refused', async (properties, message) => {
    const error = await refusal(write(store, server('a', properties)));
    expect(error.code).toBe('INVALID');
    expect(causes(error)).toEqual([message]);
    expect(error.message).not.toContain('hunter2');
  });

  it('of an open type, or of one that extends it, has what properties it likes, and declared ones as declared', async () => {
    await write(
      store,
      type('Loose', { open: true, properties: { level: { type: 'integer' } } }),
      type('Looser', { extends: 'Loose' }),
      type('Tight', { extends: 'Loose', open: false }),
    );
    await write(store, resource('a', { type: 'Loose', properties: { rack: 'r12', level: 1 } }));
    await write(store, resource('b', { type: 'Looser', properties: { rack: ['r12', 13] } }));
    const wrong = await refusal(write(store, resource('c', { type: 'Looser', properties: { rack: 'r12', level: 'high' } })));
    expect(causes(wrong)).toEqual(['spec.properties.level: expected a whole number, got "high"']);
    const tight = await refusal(write(store, resource('d', { type: 'Tight', properties: { rack: 'r12' } })));
    expect(causes(tight)).toEqual([expect.stringContaining('spec.properties.rack: type Tight has no such property')]);
    // Closing what resources make use of would break them.
    const closing = await refusal(write(store, type('Loose', { open: false, properties: { level: { type: 'integer' } } })));
    expect(closing.code).toBe('CONFLICT');
  });

  it('is told of everything that is wrong with it at once', async () => {
    const error = await refusal(
      write(store, resource('a', { type: 'Server', model: 'none', properties: { prot: 1 }, parents: ['b', 'node/n9'] })),
    );
    expect(causes(error).map((cause) => cause.split(':')[0])).toEqual([
      'spec.model',
      'spec.properties.prot',
      'spec.properties.owner',
      'spec.parents[0]',
      'spec.parents[1]',
    ]);
    expect(error.message).toMatch(/^Resource "a" is invalid: spec.model: there is no model "none"/);
  });

  it('cannot be of a type that is abstract, unknown, or spelled otherwise', async () => {
    expect(causes(await refusal(write(store, resource('a', { type: 'Base', properties: { owner: 'x' } }))))).toEqual([
      'spec.type: type Base is abstract; expected one that extends it',
    ]);
    expect(causes(await refusal(write(store, resource('a', { type: 'Nothing' }))))).toEqual([
      'spec.type: there is no type "Nothing" on this node; create it first, or send both together',
    ]);
    expect(causes(await refusal(write(store, resource('a', { type: 'fREE' }))))).toEqual(['spec.type: the type is spelled "Free"']);
  });

  it('has a name that is one within model and type', async () => {
    await write(store, model('other'), resource('a', { type: 'Free', name: 'front' }));
    const error = await refusal(write(store, resource('b', { type: 'Free', name: 'front' })));
    expect(causes(error)).toEqual(['spec.name: model web has a Free "front" already, as resources/a']);
    // the object's own name counts where there is no other
    await refusal(write(store, resource('front', { type: 'Free' })));
    await write(store, server('c', {}, { name: 'front' }), resource('d', { type: 'Free', name: 'front', model: 'other' }));
    // a name is free again after a renaming or a deletion, also in the same transaction
    await write(store, resource('b', { type: 'Free', name: 'front' }), resource('a', { type: 'Free', name: 'back' }));
    await remove(store, ref('Resource', 'b'));
    await write(store, resource('e', { type: 'Free', name: 'front' }));
  });

  it('needs parents that are there; a node as parent has to be known when it is named', async () => {
    await write(store, resource('top', { type: 'Free' }), object('Node', 'n1', {}));
    await write(store, resource('a', { type: 'Free', parents: ['top', 'node/n1', `node/${NODE}`] }));
    const error = await refusal(write(store, resource('b', { type: 'Free', parents: ['nobody', 'node/n2', 'top', 'top'] })));
    expect(causes(error)).toEqual([
      'spec.parents[0]: there is no resource "nobody" on this node; create it first, or send both together',
      'spec.parents[3]: "top" is named twice',
      'spec.parents[1]: no node "n2" is known here; "dtkd get nodes" lists those that are',
    ]);
    await remove(store, ref('Node', 'n1'));
    await write(store, resource('a', { type: 'Free', parents: ['node/n1', 'top'], description: 'still as it was' }));
  });

  it('may be written together with all that it needs, in any order', async () => {
    await write(
      store,
      resource('x', { model: 'm2', type: 'New', parents: ['y'] }),
      resource('y', { model: 'm2', type: 'New' }),
      type('New', { extends: 'Newer' }),
      type('Newer'),
      model('m2'),
    );
    expect(await store.get(ref('Resource', 'x'))).toBeDefined();
  });

  it('cannot go while it has children', async () => {
    const children = Array.from({ length: 25 }, (_, index) =>
      resource(`c${String(index).padStart(2, '0')}`, { type: 'Free', parents: ['top'] }),
    );
    await write(store, resource('top', { type: 'Free' }), ...children);
    const error = await refusal(remove(store, ref('Resource', 'top')));
    expect(error.code).toBe('CONFLICT');
    expect(error.details).toMatchObject({ count: 25 });
    expect(error.details?.['dependents']).toHaveLength(20);
    expect(error.message).toContain('it has children (25): resources/c00, resources/c01');
    expect(error.next).toContain('--cascade');
    await remove(store, ref('Resource', 'top'), ...children.map((child) => ref('Resource', child.metadata.name)));
  });

  it('leaves the model behind only after it has gone', async () => {
    await write(store, resource('a', { type: 'Free' }));
    const error = await refusal(remove(store, ref('Model', 'web')));
    expect(error.message).toContain('Model "web" cannot be deleted: it has resources (1): resources/a');
    await remove(store, ref('Resource', 'a'));
    await remove(store, ref('Model', 'web'));
  });
});

describe('relations', () => {
  beforeEach(() =>
    write(
      store,
      type('Thing', { abstract: true }),
      type('Leaf', { extends: 'Thing', parents: [{ type: 'Tree', max: 1 }] }),
      type('Twig', { extends: 'Thing' }),
      type('Tree', {
        children: [
          { type: 'Thing', max: 3 },
          { type: 'Twig', singleton: true },
        ],
        parents: [{ type: 'Node' }],
      }),
      type('Ring', { cycles: true }),
      resource('tree', { type: 'Tree' }),
      resource('tree2', { type: 'Tree' }),
    ),
  );

  const below = (name: string, of: string, ...parents: string[]) => resource(name, { type: of, parents });

  it('are as the types of both ends say, with those that extend them', async () => {
    await write(store, below('l1', 'Leaf', 'tree'), below('t1', 'Twig', 'tree'), resource('free', { type: 'Free' }));
    expect(causes(await refusal(write(store, below('f', 'Free', 'tree'))))).toEqual([
      'spec.parents[0]: "tree", a Tree, cannot have a Free as child; it takes Thing, Twig',
    ]);
    expect(causes(await refusal(write(store, below('l2', 'Leaf', 'free'))))).toEqual([
      'spec.parents[0]: a Leaf cannot be a child of "free", a Free; expected Tree',
    ]);
    expect(causes(await refusal(write(store, below('l2', 'Leaf', `node/${NODE}`))))).toEqual([
      `spec.parents[0]: a Leaf cannot be a child of "node/${NODE}", a Node; expected Tree`,
    ]);
    await write(store, below('tree', 'Tree', `node/${NODE}`));
  });

  it('are not more than the types say', async () => {
    await write(store, below('l1', 'Leaf', 'tree'), below('l2', 'Leaf', 'tree'), below('t1', 'Twig', 'tree'));
    expect(causes(await refusal(write(store, below('l3', 'Leaf', 'tree'))))).toEqual([
      'spec.parents: "tree", a Tree, has as children at most 3 of type Thing, got 4',
    ]);
    expect(causes(await refusal(write(store, below('l3', 'Leaf', 'tree', 'tree2'))))[0]).toBe(
      'spec.parents: a Leaf has as parents at most 1 of type Tree, got 2',
    );
    await remove(store, ref('Resource', 'l1'));
    expect(causes(await refusal(write(store, below('t2', 'Twig', 'tree'))))).toEqual([
      'spec.parents: "tree", a Tree, has as children at most one of type Twig, got 2',
    ]);
    await write(store, below('l3', 'Leaf', 'tree'));
  });

  it('hold when a resource becomes of another type', async () => {
    await write(store, below('l1', 'Leaf', 'tree'), below('t1', 'Twig', 'tree2'));
    expect(causes(await refusal(write(store, resource('tree', { type: 'Free' }))))).toEqual([
      'spec.type: it has a child of type Leaf, which can be below Tree',
    ]);
    await write(store, resource('tree2', { type: 'Free' }));
  });

  it('have no cycles but through types that allow them', async () => {
    await write(store, resource('a', { type: 'Free' }), below('b', 'Free', 'a'), below('c', 'Free', 'b'));
    expect(causes(await refusal(write(store, below('a', 'Free', 'c'))))[0]).toMatch(
      /^spec.parents: a resource cannot be its own ancestor: /,
    );
    expect(causes(await refusal(write(store, below('s', 'Free', 's'))))).toEqual([
      'spec.parents: a resource cannot be its own ancestor: s → s',
    ]);
    await refusal(write(store, below('x', 'Free', 'y'), below('y', 'Free', 'x')));
    await write(store, below('r1', 'Ring', 'r2'), below('r2', 'Ring', 'r1'), below('r3', 'Ring', 'r3'));
    await refusal(write(store, below('r1', 'Ring', 'r2', 'm'), below('m', 'Free', 'r2')));
    const error = await refusal(write(store, type('Ring')));
    expect(error.message).toContain('a resource cannot be its own ancestor');
  });
});
