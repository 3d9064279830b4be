import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { secretKind } from '../../../protocol/kinds/secret.ts';
import { serviceKind } from '../../../protocol/kinds/service.ts';
import { patchRulesOf } from '../../../protocol/patch/patch-rules.ts';
import { applyStrategicMergePatch } from '../../../protocol/patch/strategic-merge.ts';

const rules = patchRulesOf(serviceKind) ?? {};
const apply = (target: unknown, patch: unknown) => applyStrategicMergePatch(target, patch, rules);
const ports = (...list: object[]) => ({ spec: { ports: list } });

describe('a strategic merge patch', () => {
  it('is for core kinds only', () => {
    expect(patchRulesOf(secretKind)).toBeUndefined();
  });

  it.each([
    [
      'merges objects and removes what is null',
      { metadata: { labels: { a: '1', b: '2' } } },
      { metadata: { labels: { a: null, c: '3' } } },
      { metadata: { labels: { b: '2', c: '3' } } },
    ],
    ['leaves nulls out of what was not there', {}, { metadata: { labels: { a: null, c: '3' } } }, { metadata: { labels: { c: '3' } } }],
    [
      'merges ports by number',
      ports({ port: 80, name: 'a' }, { port: 81 }),
      ports({ port: 80, name: 'b' }, { port: 82 }),
      ports({ port: 80, name: 'b' }, { port: 81 }, { port: 82 }),
    ],
    ['takes a port out', ports({ port: 80 }, { port: 81 }), ports({ port: 80, $patch: 'delete' }), ports({ port: 81 })],
    ['takes out what is not there', ports({ port: 81 }), ports({ port: 80, $patch: 'delete' }), ports({ port: 81 })],
    ['replaces a list', ports({ port: 80 }, { port: 81 }), ports({ $patch: 'replace' }, { port: 9, targetPort: null }), ports({ port: 9 })],
    [
      'merges where it says so',
      ports({ port: 80, name: 'a' }),
      ports({ port: 80, targetPort: 1, $patch: 'merge' }),
      ports({ port: 80, name: 'a', targetPort: 1 }),
    ],
    ['tells a number from a text', ports({ port: 80 }), ports({ port: '80' }), ports({ port: 80 }, { port: '80' })],
    [
      'replaces an object',
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { $patch: 'replace', b: '2' } } },
      { metadata: { labels: { b: '2' } } },
    ],
    [
      'empties an object',
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { $patch: 'delete' } } },
      { metadata: { labels: {} } },
    ],
    [
      'keeps what it retains',
      { spec: { type: 'ClusterIP', clusterIP: 'None', ports: [] } },
      { spec: { $retainKeys: ['ports', 'type'], type: 'ClusterIP' } },
      { spec: { type: 'ClusterIP', ports: [] } },
    ],
    [
      'adds to a set',
      { metadata: { finalizers: ['a', 'b'] } },
      { metadata: { finalizers: ['b', 'c'] } },
      { metadata: { finalizers: ['a', 'b', 'c'] } },
    ],
    [
      'takes out of a set',
      { metadata: { finalizers: ['a', 'b'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a', 'x'] } },
      { metadata: { finalizers: ['b'] } },
    ],
    [
      'takes out of a set that is not there',
      { metadata: {} },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
      { metadata: {} },
    ],
    [
      'merges owners by uid',
      { metadata: { ownerReferences: [{ uid: 'u', name: 'a' }] } },
      { metadata: { ownerReferences: [{ uid: 'u', controller: true }] } },
      { metadata: { ownerReferences: [{ uid: 'u', name: 'a', controller: true }] } },
    ],
    [
      'orders what it names',
      ports({ port: 1 }, { port: 2 }, { port: 3 }),
      { spec: { '$setElementOrder/ports': [{ port: 3 }, { port: 1 }] } },
      ports({ port: 2 }, { port: 3 }, { port: 1 }),
    ],
    ['replaces other lists', { subsets: [{ a: 1 }] }, { subsets: [{ b: 1 }] }, { subsets: [{ b: 1 }] }],
    ['puts an object in place of a text', { spec: 'x' }, ports({ port: 1 }), ports({ port: 1 })],
    ['puts a list in place of a text', { spec: { ports: 'x' } }, ports({ port: 1 }), ports({ port: 1 })],
  ])('%s', (_what, target, patch, expected) => {
    const before = structuredClone(target);
    expect(apply(target, patch)).toEqual(expected);
    expect(target).toEqual(before);
  });

  it('as kubectl apply writes it removes, renames and reorders ports', () => {
    const live = ports(
      { port: 80, name: 'http', protocol: 'TCP' },
      { port: 81, name: 'old', protocol: 'TCP' },
      { port: 90, name: 'by-somebody-else', protocol: 'TCP' },
    );
    const patch = {
      spec: {
        '$setElementOrder/ports': [{ port: 443 }, { port: 80 }],
        ports: [
          { port: 443, name: 'https' },
          { port: 80, name: 'web' },
          { port: 81, $patch: 'delete' },
        ],
      },
    };
    expect(apply(live, patch)).toEqual(
      ports(
        { port: 443, name: 'https' },
        { port: 80, name: 'web', protocol: 'TCP' },
        { port: 90, name: 'by-somebody-else', protocol: 'TCP' },
      ),
    );
  });

  it.each([
    ['a list', []],
    ['an unknown directive', { spec: { $patch: 'destroy' } }],
    ['an item without its key', ports({ name: 'x' })],
    ['a deletion without its key', ports({ $patch: 'delete' })],
    ['an item that is no object', { spec: { ports: [80] } }],
    ['an object in a set', { metadata: { finalizers: [{}] } }],
    ['an order that is not a list', { spec: { '$setElementOrder/ports': 'x' } }],
    ['an order of a list that is not merged', { '$setElementOrder/subsets': [] }],
    ['an order without what is written', { spec: { '$setElementOrder/ports': [{ port: 1 }], ports: [{ port: 2 }] } }],
    ['retained names that are none', { spec: { $retainKeys: 'x' } }],
    ['a field that is not retained', { spec: { $retainKeys: ['ports'], type: 'x' } }],
    ['a prototype', JSON.parse('{"spec":{"__proto__":{"polluted":1}}}')],
    ['a prototype in disguise', JSON.parse('{"spec":{"$setElementOrder/__proto__":[]}}')],
  ])('is refused if it is %s, whatever is stored', (_what, patch) => {
    for (const target of [{}, ports({ port: 1 }), { spec: null, metadata: [] }]) {
      expect(() => apply(target, patch)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    }
  });

  it('costs no more than it is long', () => {
    const many = Array.from({ length: 20_000 }, (_, port) => ({ port }));
    const patch = { spec: { '$setElementOrder/ports': [...many].reverse(), ports: many.map(({ port }) => ({ port, name: `p${port}` })) } };
    const merged = apply(ports(...many), patch) as ReturnType<typeof ports>;
    expect(merged.spec.ports).toHaveLength(20_000);
    expect(merged.spec.ports[0]).toEqual({ port: 19_999, name: 'p19999' });
  });
});

/** A document as its meaning: ports by number, and plain fields. */
interface Doc {
  metadata: { labels: Record<string, string>; finalizers: string[] };
  spec: { ports: { port: number; name?: string }[]; type?: string };
}

const unique = <T>(of: fc.Arbitrary<T>, by: (value: T) => string | number) => fc.uniqueArray(of, { selector: by, maxLength: 5 });
const doc: fc.Arbitrary<Doc> = fc.record({
  metadata: fc.record({
    labels: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2')),
    finalizers: unique(fc.constantFrom('x', 'y', 'z'), (value) => value),
  }),
  spec: fc.record(
    {
      ports: unique(
        fc.record({ port: fc.integer({ min: 1, max: 6 }), name: fc.constantFrom('n', 'm') }, { requiredKeys: ['port'] }),
        ({ port }) => port,
      ),
      type: fc.constantFrom('s', 't'),
    },
    { requiredKeys: ['ports'] },
  ),
});

/** The patch that a client makes of what it had and what it wants, as kubectl does. */
function patchBetween(had: Doc, wants: Doc): unknown {
  const fields = (a: Record<string, unknown>, b: Record<string, unknown>) => ({
    ...Object.fromEntries(Object.keys(a).flatMap((key) => (key in b ? [] : [[key, null]]))),
    ...Object.fromEntries(Object.entries(b).filter(([key, value]) => a[key] !== value)),
  });
  const port = (list: Doc['spec']['ports'], number: number) => list.find((one) => one.port === number);
  const { ports: _had, ...hadSpec } = had.spec;
  const { ports: _wants, ...wantsSpec } = wants.spec;
  return {
    metadata: {
      labels: fields(had.metadata.labels, wants.metadata.labels),
      finalizers: wants.metadata.finalizers.filter((each) => !had.metadata.finalizers.includes(each)),
      '$deleteFromPrimitiveList/finalizers': had.metadata.finalizers.filter((each) => !wants.metadata.finalizers.includes(each)),
      '$setElementOrder/finalizers': wants.metadata.finalizers,
    },
    spec: {
      ...fields(hadSpec, wantsSpec),
      '$setElementOrder/ports': wants.spec.ports.map((each) => ({ port: each.port })),
      ports: [
        ...wants.spec.ports.map((each) => ({ ...fields({ ...port(had.spec.ports, each.port) }, { ...each }), port: each.port })),
        ...had.spec.ports
          .filter((each) => port(wants.spec.ports, each.port) === undefined)
          .map((each) => ({ port: each.port, $patch: 'delete' })),
      ],
    },
  };
}

describe('any patch between two documents', () => {
  it('makes the one of the other, and twice is once', () => {
    fc.assert(
      fc.property(doc, doc, (had, wants) => {
        const patch = patchBetween(had, wants);
        const after = apply(had, patch);
        expect(after).toEqual(wants);
        expect(apply(after, patch)).toEqual(wants);
      }),
    );
  });

  it("leaves alone what somebody else has put there, and keeps its owner's order", () => {
    fc.assert(
      fc.property(doc, doc, doc, (had, wants, live) => {
        const after = apply(live, patchBetween(had, wants)) as Doc;
        const wanted = new Map(wants.spec.ports.map((each) => [each.port, each]));
        const removed = had.spec.ports.filter((each) => !wanted.has(each.port)).map((each) => each.port);
        const changed = after.spec.ports.map((each) => each.port);
        expect(changed.filter((port) => wanted.has(port))).toEqual(wants.spec.ports.map((each) => each.port));
        const foreign = live.spec.ports.filter((each) => !wanted.has(each.port) && !removed.includes(each.port));
        expect(after.spec.ports.filter((each) => !wanted.has(each.port))).toEqual(foreign);
      }),
    );
  });

  it('made of anything ends well', () => {
    const words = fc.constantFrom(
      '$patch',
      '$retainKeys',
      '$setElementOrder/ports',
      '$deleteFromPrimitiveList/finalizers',
      'ports',
      'spec',
      'metadata',
      'finalizers',
      'port',
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom('delete', 'replace', 1, null, true),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(words, tie('value'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(doc, value, (target, patch) => {
        const before = structuredClone(target);
        try {
          expect(typeof apply(target, patch)).toBe('object');
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_REQUEST' });
        }
        expect(target).toEqual(before);
      }),
      { numRuns: 500 },
    );
  });
});
