import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalStore } from '../../../daemon/src/store/local-store.types.ts';
import { causes, model, object, ref, refusal, remove, resource, ruledStore, type, write } from './fixtures.ts';

let store: LocalStore;

beforeEach(async () => {
  store = await ruledStore();
});
afterEach(() => store.close());

describe('a type', () => {
  it.each([
    [type('A', { extends: 'A' }), 'spec.extends: a type cannot extend itself'],
    [type('A', { extends: 'B' }), 'spec.extends: there is no type "B" on this node; create it first, or send both together'],
    [type('A', { extends: 'Node' }), 'spec.extends: Node is reserved for machines and cannot be extended'],
    [type('node'), 'spec.name: Node is reserved for machines and cannot be a type; choose another name'],
    [
      object('Type', '1st'),
      `spec.name: "1st" is not a valid name for a type: it must be a letter, then letters, digits, - and _, at most 63`,
    ],
    [type('A', { properties: { p: { type: 'integer', default: 'x' } } }), 'spec.properties.p.default: expected a whole number, got "x"'],
    [
      type('A', { properties: { p: { type: 'port', allowed: [80, 0] } } }),
      expect.stringContaining('spec.properties.p.allowed[1]: expected a port'),
    ],
    [type('A', { properties: { p: { type: 'array', allowed: [1] } } }), expect.stringContaining('cannot have a list of allowed values')],
    [type('A', { properties: { p: { type: 'integer', pattern: '1' } } }), expect.stringContaining('cannot have a pattern')],
    [type('A', { properties: { p: { pattern: '(' } } }), expect.stringContaining('is not a valid regular expression')],
    [type('A', { properties: { p: { pattern: '(?=a)a' } } }), expect.stringContaining('is not a valid regular expression')],
    [type('A', { properties: { p: { pattern: '((a{0,30}){0,30}){0,1}' } } }), expect.stringContaining('too large')],
    [type('A', { properties: { p: { type: 'colour' } } }), expect.stringContaining('spec.properties.p.type: ')],
  ])('is refused: %j', async (one, message) => {
    const error = await refusal(write(store, one));
    expect(error.code).toBe('INVALID');
    expect(causes(error)).toEqual([message]);
  });

  it('has a name of its own, whatever its case', async () => {
    await write(store, type('Web'));
    expect(causes(await refusal(write(store, object('Type', 'other', { name: 'wEB' }))))).toEqual([
      'spec.name: the type "wEB" exists already, as types/web',
    ]);
  });

  it('cannot be its own supertype by a detour, nor have too many', async () => {
    expect(
      causes(await refusal(write(store, type('A', { extends: 'B' }), type('B', { extends: 'C' }), type('C', { extends: 'A' }))))[0],
    ).toBe('spec.extends: a type cannot extend itself: A → B → C → A');
    const chain = Array.from({ length: 40 }, (_, index) => type(`T${index}`, index === 0 ? {} : { extends: `T${index - 1}` }));
    expect(causes(await refusal(write(store, ...chain)))).toContain('spec.extends: a type has at most 32 supertypes');
  });

  it('may narrow what it inherits, and nothing else', async () => {
    await write(store, type('A', { properties: { n: { type: 'number', default: 80 }, s: {} } }));
    await write(store, type('B', { extends: 'A', properties: { n: { type: 'port' }, s: { required: true } } }));
    expect(causes(await refusal(write(store, type('C', { extends: 'A', properties: { n: { type: 'string' } } }))))).toContain(
      'spec.properties.n.type: expected number as in the supertype, or a narrower type; got string',
    );
    const error = await refusal(write(store, type('A', { properties: { n: { type: 'boolean' }, s: {} } })));
    expect(error.code).toBe('CONFLICT');
    expect(error.message).toContain('it would break a type that extends it (1): types/b; n is boolean now');
    // the default is in the supertype, the range in the subtype
    expect((await refusal(write(store, type('A', { properties: { n: { type: 'number', default: 0 } } })))).message).toContain(
      'n.default: expected a port',
    );
  });

  it('cannot go while it is used', async () => {
    await write(store, model('web'), type('A'), type('B', { extends: 'A' }), resource('r', { type: 'B' }));
    const extended = await refusal(remove(store, ref('Type', 'a')));
    expect(extended).toMatchObject({ code: 'CONFLICT', details: { dependents: ['types/b'], count: 1 } });
    const used = await refusal(remove(store, ref('Type', 'b')));
    expect(used.message).toContain('Type "b" cannot be deleted: it is the type of resources (1): resources/r');
    // its name can pass to another object of the same meaning
    await store.transact(async (tx) => {
      await tx.delete(ref('Type', 'b'));
      await tx.put(object('Type', 'b2', { name: 'B', extends: 'A' }));
    });
    await remove(store, ref('Resource', 'r'), ref('Type', 'b2'), ref('Type', 'a'));
  });

  it('cannot be renamed while it is used, unless its users are with it', async () => {
    await write(store, model('web'), type('A'), resource('r', { type: 'A' }));
    expect((await refusal(write(store, object('Type', 'a', { name: 'Other' })))).code).toBe('CONFLICT');
    expect((await refusal(write(store, object('Type', 'a', { name: 'a' })))).message).toContain('cannot be spelled "a" from now on');
    await write(store, object('Type', 'a', { name: 'Other' }), resource('r', { type: 'Other' }));
  });

  it('cannot change so that its resources break; they are listed', async () => {
    await write(
      store,
      model('web'),
      type('A', { properties: { p: { type: 'integer' } } }),
      type('B', { extends: 'A' }),
      ...Array.from({ length: 30 }, (_, index) => resource(`r${index}`, { type: index % 2 === 0 ? 'A' : 'B', properties: { p: index } })),
    );
    const error = await refusal(write(store, type('A', { properties: { p: { type: 'integer', allowed: [1, 2] } } })));
    expect(error).toMatchObject({ code: 'CONFLICT', details: { count: 14 } });
    expect(error.message).toContain('; resources/r0 spec.properties.p: expected one of 1, 2, got 0');
    expect(error.message).toContain('it would break resources (14): resources/r0, ');
    expect((await refusal(write(store, type('A', { properties: {} })))).code).toBe('CONFLICT');
    expect((await refusal(write(store, type('A', { abstract: true, properties: { p: { type: 'integer' } } })))).code).toBe('CONFLICT');
    expect(
      (await refusal(write(store, type('A', { parents: [], properties: { p: { type: 'integer' }, q: { required: true } } })))).code,
    ).toBe('CONFLICT');
    await write(store, type('A', { parents: [], properties: { p: { type: 'number' }, q: { required: true, default: 'x' } } }));
  });

  it('cannot change so that relations break', async () => {
    await write(
      store,
      model('web'),
      type('A'),
      type('B'),
      resource('top', { type: 'A' }),
      resource('low', { type: 'B', parents: ['top'] }),
    );
    expect((await refusal(write(store, type('A', { children: [{ type: 'A' }] })))).message).toContain(
      'resources/top spec.type: it has a child of type B; a A takes A',
    );
    expect((await refusal(write(store, type('B', { parents: [{ type: 'B' }] })))).message).toContain('resources/low spec.parents[0]');
    await write(store, type('A', { children: [{ type: 'B', max: 1 }] }));
  });

  it('cannot change so that relations break of a resource that is written with it', async () => {
    const top = resource('top', { type: 'A', description: 'before' });
    await write(store, model('web'), type('A'), type('B'), top, resource('low', { type: 'B', parents: ['top'] }));
    const error = await refusal(
      write(store, type('A', { children: [{ type: 'A' }] }), resource('top', { type: 'A', description: 'after' })),
    );
    expect(error.message).toContain('it has a child of type B; a A takes A');
  });

  it('cannot come to extend a type of which there are too many then', async () => {
    await write(
      store,
      model('web'),
      type('Base'),
      type('P', { children: [{ type: 'Base', max: 1 }, { type: 'T' }] }),
      type('T'),
      resource('top', { type: 'P' }),
      resource('a', { type: 'T', parents: ['top'] }),
      resource('b', { type: 'T', parents: ['top'] }),
    );
    const error = await refusal(write(store, type('T', { extends: 'Base' })));
    expect(error).toMatchObject({ code: 'CONFLICT' });
    expect(error.message).toContain('"top", a P, has as children at most 1 of type Base, got 2');
    const together = [
      type('T', { extends: 'Base' }),
      ...['a', 'b'].map((name) => resource(name, { type: 'T', parents: ['top'], description: 'x' })),
    ];
    expect((await refusal(write(store, ...together))).message).toContain('at most 1 of type Base, got 2');
  });

  it('is judged with those that extend it while others have the event loop', async () => {
    const types = Array.from({ length: 100 }, (_, index) => type(`S${index}`, { extends: 'A' }));
    await write(store, type('A'), ...types);
    let turns = 0;
    const count = () => {
      turns += 1;
      if (turns < 100) setImmediate(count);
    };
    setImmediate(count);
    await write(store, type('A', { properties: { p: {} } }));
    expect(turns).toBe(100);
  });

  it('is as it was after a transaction that failed', async () => {
    await write(store, model('web'), type('A', { properties: { p: { type: 'integer' } } }));
    const failing = store.transact(async (tx) => {
      await tx.put(type('A', { properties: { p: { type: 'boolean' } } }));
      await tx.put(resource('r', { type: 'A', properties: { p: 1 } }));
    });
    expect(causes(await refusal(failing))).toEqual(['spec.properties.p: expected true or false, got 1']);
    await write(store, resource('r', { type: 'A', properties: { p: 1 } }));
    await store.transact((tx) => tx.put(type('C', {})), { dryRun: true });
    await refusal(write(store, resource('s', { type: 'C' })));
  });
});
