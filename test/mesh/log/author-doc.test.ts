import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as Y from 'yjs';
import { AuthorDoc, clientOf } from '../../../daemon/src/mesh/log/author-doc.ts';
import { MAX_LIVE_BYTES, MAX_LIVE_VALUES, MAX_VALUE_DEPTH } from '../../../daemon/src/mesh/log/limits.ts';
import { live, OwnState } from '../../../daemon/src/mesh/log/own-state.ts';
import { sizeOfValue, valuesIn } from '../../../daemon/src/mesh/log/update-reader.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { publishedApp } from './node.ts';

const epoch = { ms: 1, random: '00000000000001ff' };
const client = clientOf(epoch);

/** The update of one Yjs transaction, by an author who does as it likes. */
function wild(change: (doc: Y.Doc) => void, { before, clientId = client }: { before?: (doc: Y.Doc) => void; clientId?: number } = {}) {
  const doc = new Y.Doc();
  doc.clientID = clientId;
  if (before !== undefined) doc.transact(() => before(doc));
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  doc.transact(() => change(doc));
  return updates[0] ?? new Uint8Array();
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof DtkdError) return error.code;
    throw error;
  }
  return 'none';
}

const state = (doc: AuthorDoc): string => JSON.stringify([...doc.entries()].sort());
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const map = (doc: Y.Doc) => doc.getMap('objects');
const set = (key: string, value: unknown) => (doc: Y.Doc) => map(doc).set(key, value);

const json = fc.jsonValue({ maxDepth: 4, noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)));
const plain = json.filter((value) => !JSON.stringify(value).includes('__proto__'));
const key = fc.constantFrom('a', 'b', 'c', 'd', 'long-key-é');
const changes = fc.array(
  fc.uniqueArray(
    fc.tuple(
      key,
      fc.option(
        plain.map((value) => ({ v: value })),
        { nil: undefined },
      ),
    ),
    { selector: ([name]) => name, minLength: 1 },
  ),
  { maxLength: 12 },
);

describe('an author document', () => {
  it('writes what every replica judges right, and both then hold the same', () => {
    fc.assert(
      fc.property(changes, (rounds) => {
        const own = new AuthorDoc(epoch);
        const replica = new AuthorDoc(epoch);
        const model = new Map<string, unknown>();
        for (const round of rounds) {
          const update = own.write(new Map(round));
          for (const [name, value] of round) value === undefined ? model.delete(name) : model.set(name, value);
          const judged = replica.judge(update);
          const changed = replica.integrate(judged);
          for (const [name, value] of changed) expect(value).toEqual(model.get(name));
          for (const [name, value] of judged.values) expect(value).toEqual(model.get(name));
          expect(replica.liveBytes).toBe(own.liveBytes);
        }
        expect(state(replica)).toBe(state(own));
        expect(new Map(own.entries())).toEqual(model);
      }),
    );
  });

  it('is refused or integrated, and never anything between, whatever the bytes', () => {
    const first = new AuthorDoc(epoch).write(
      new Map([
        ['a', { x: 1, y: 'text', z: [1.5, null, true] }],
        ['b', {}],
      ]),
    );
    const mutation = fc.array(fc.tuple(fc.nat({ max: first.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(mutation, (edits) => {
        const update = Uint8Array.from(first);
        for (const [at, byte] of edits) update[at] = byte;
        const doc = new AuthorDoc(epoch);
        const code = refusal(() => doc.integrate(doc.judge(update)));
        expect(['none', 'ENTRY_INVALID']).toContain(code);
        if (code !== 'none') expect(state(doc)).toBe('[]');
      }),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (update) =>
        ['none', 'ENTRY_INVALID'].includes(refusal(() => new AuthorDoc(epoch).judge(update))),
      ),
      {
        numRuns: 3000,
      },
    );
  });

  it.each<[string, Uint8Array]>([
    ['another client', wild(set('a', { x: 1 }), { clientId: client + 1 })],
    ['another root', wild((doc) => doc.getMap('other').set('a', { x: 1 }))],
    ['a list at the root', wild((doc) => doc.getArray('objects').push([{ x: 1 }]))],
    ['a text', wild((doc) => doc.getText('objects').insert(0, 'abc'))],
    ['a nested type', wild(set('a', new Y.Map()))],
    ['an XML element', wild(set('a', new Y.XmlElement('b')))],
    ['a sub-document', wild(set('a', new Y.Doc()))],
    ['binary content', wild(set('a', Uint8Array.of(1, 2)))],
    ['binary inside a value', wild(set('a', { x: Uint8Array.of(1, 2) }))],
    ['a big integer', wild(set('a', { x: 10n }))],
    ['an undefined field', wild(set('a', { x: undefined }))],
    ['not a number', wild(set('a', { x: Number.NaN }))],
    ['infinity', wild(set('a', { x: Number.POSITIVE_INFINITY }))],
    ['a key twice', wild((doc) => [set('a', 1)(doc), set('a', 2)(doc)])],
    ['a key set and deleted', wild((doc) => [set('a', 1)(doc), map(doc).delete('a')])],
    ['a beginning that is missing', wild(set('b', 1), { before: set('a', 1) })],
    ['a successor of what is not there', wild(set('a', 2), { before: set('a', 1) })],
    ['a key that is too long', wild(set('k'.repeat(600), 1))],
    ['formatted text', wild((doc) => doc.getText('objects').insert(0, 'abc', { bold: true }))],
    ['an embed', wild((doc) => doc.getText('objects').insertEmbed(0, { x: 1 }))],
    [
      'nesting',
      wild(
        set(
          'a',
          Array.from({ length: MAX_VALUE_DEPTH + 2 }).reduce((value: unknown) => [value], 1),
        ),
      ),
    ],
    // what Yjs itself would not write
    ['an empty update with a byte more', bytes('00 00 00')],
    ['two clients', bytes('02')],
    ['no structs', bytes('01 00')],
    ['a claim of 2^49 structs', bytes('01 ffffffffffff7f ff03 00')],
    ['a number that never ends', bytes('01 ffffffffffffffffffff')],
    ['garbage collected structs', bytes('01 01 ff03 00 00 05 00')],
    ['a skip', bytes('01 01 ff03 00 0a 05 00')],
    ['deleted content of 2^31', bytes('01 01 ff03 00 21 01 076f626a65637473 0161 ffffffff07 00')],
    ['an item with a right origin', bytes('01 01 ff03 00 68 ff03 00 01 7d01 00')],
    ['two values in an item', bytes('01 01 ff03 00 28 01 076f626a65637473 0161 02 7d01 7d02 00')],
    ['a claim of 2^42 values', bytes('01 01 ff03 00 28 01 076f626a65637473 0161 ffffffffff7f 7d01 00')],
    ['a claim of 2^42 array elements', bytes('01 01 ff03 00 28 01 076f626a65637473 0161 01 75 ffffffffff7f 00')],
    ['a claim of 2^42 fields', bytes('01 01 ff03 00 28 01 076f626a65637473 0161 01 76 ffffffffff7f 00')],
    ['a claim of 2^42 letters', bytes('01 01 ff03 00 28 01 076f626a65637473 0161 01 77 ffffffffff7f 00')],
    ['a text that is not UTF-8', bytes('01 01 ff03 00 28 01 076f626a65637473 0161 01 77 02 c328 00')],
    [
      'the field __proto__',
      bytes(`01 01 ff03 00 28 01 076f626a65637473 0161 01 76 01 09${Buffer.from('__proto__').toString('hex')} 7600 00`),
    ],
    ['a field twice', bytes('01 01 ff03 00 28 01 076f626a65637473 0161 01 76 02 0161 7d01 0161 7d02 00')],
    ['a parent by id', bytes('01 01 ff03 00 28 00 ff03 00 0161 01 7d01 00')],
    ['a deletion of what is not there', bytes('00 01 ff03 01 00 01')],
    ['a deletion of nothing', bytes('00 01 ff03 01 00 00')],
    ['a deletion of 2^49', bytes('00 01 ff03 01 00 ffffffffffff7f')],
    ["a deletion of another client's", bytes('00 01 05 01 00 01')],
    ['a claim of 2^49 deletions', bytes('00 01 ff03 ffffffffffff7f')],
    ['nothing at all', bytes('')],
  ])('refuses %s', (_what, update) => {
    const doc = new AuthorDoc(epoch);
    expect(refusal(() => doc.integrate(doc.judge(update)))).toBe('ENTRY_INVALID');
    expect(state(doc)).toBe('[]');
  });

  it('refuses to delete twice, to continue an older item, and to write a key as if it were new', () => {
    const doc = new AuthorDoc(epoch);
    doc.write(new Map([['a', 1]]));
    doc.write(new Map([['a', 2]]));
    const before = state(doc);
    expect(refusal(() => doc.judge(bytes('00 01 ff03 01 00 01')))).toBe('ENTRY_INVALID');
    expect(refusal(() => doc.judge(bytes('00 01 ff03 02 01 01 01 01')))).toBe('ENTRY_INVALID');
    expect(refusal(() => doc.judge(bytes('01 01 ff03 02 a8 ff03 00 01 7d01 00')))).toBe('ENTRY_INVALID');
    expect(refusal(() => doc.judge(bytes('01 01 ff03 02 28 01 076f626a65637473 0161 01 7d01 00')))).toBe('ENTRY_INVALID');
    expect(refusal(() => doc.judge(bytes('01 01 ff03 02 a8 ff03 01 01 7d01 00')))).toBe('none');
    expect(state(doc)).toBe(before);
  });

  it('refuses to delete again what it replaces, as often as bytes allow', () => {
    const doc = new AuthorDoc(epoch);
    doc.write(
      new Map([
        ['a', 1],
        ['b', 1],
      ]),
    );
    const replaced = '01 02 ff03 02 a8 ff03 00 01 7d02 a8 ff03 01 01 7d02';
    expect(refusal(() => doc.judge(bytes(`${replaced} 01 ff03 01 00 02`)))).toBe('none');
    expect(refusal(() => doc.judge(bytes(`${replaced} 01 ff03 02 00 01 01 01`)))).toBe('none');
    expect(refusal(() => doc.judge(bytes(`${replaced} 01 ff03 02 00 02 00 02`)))).toBe('ENTRY_INVALID');
    expect(refusal(() => doc.judge(bytes(`${replaced} 01 ff03 02 01 01 00 01`)))).toBe('ENTRY_INVALID');
  });

  it('is refused more values than members have memory for, in however few bytes', () => {
    const doc = new AuthorDoc(epoch);
    const empty = Array.from({ length: 20_000 }, () => ({}));
    const fill = (): void => {
      for (let count = 0; ; count += 1) doc.write(new Map([[`k${count}`, empty]]));
    };
    expect(refusal(fill)).toBe('QUOTA_EXCEEDED');
    expect(doc.liveBytes).toBeLessThan(MAX_LIVE_BYTES / 10);
    expect(doc.liveValues).toBeLessThanOrEqual(MAX_LIVE_VALUES);
    expect(doc.footprint).toBeGreaterThan(MAX_LIVE_VALUES * 60);
    const own = new OwnState();
    const many = live('k', { b: '', o: { ...publishedApp('k'), x: Array.from({ length: 10_000 }, () => null) } });
    const objects = (count: number) => new Map(Array.from({ length: count }, (_, at) => [`k${at}`, many]));
    expect(refusal(() => own.assertFits(objects(50)))).toBe('none');
    expect(
      refusal(() =>
        own.apply(objects(50)).assertFits(
          new Map([
            ['more', many],
            ['and more', many],
            ['k0', undefined],
          ]),
        ),
      ),
    ).toBe('none');
    expect(
      refusal(() =>
        own.assertFits(
          new Map([
            ['more', many],
            ['and more', many],
            ['yet more', many],
          ]),
        ),
      ),
    ).toBe('QUOTA_EXCEEDED');
  });

  it('keeps Yjs from holding anything back', () => {
    const own = new AuthorDoc(epoch);
    const replica = new AuthorDoc(epoch);
    const updates = Array.from({ length: 50 }, (_, round) =>
      own.write(
        new Map([
          ['a', round],
          [`k${round % 7}`, round % 3 === 0 ? undefined : round],
        ]),
      ),
    );
    for (const update of updates) replica.integrate(replica.judge(update));
    expect(state(replica)).toBe(state(own));
  });
});

describe('the size of a value', () => {
  it('is never below what Yjs makes of it', () => {
    fc.assert(
      fc.property(plain, (value) => {
        const doc = new AuthorDoc(epoch);
        const { length } = doc.write(new Map([['k', value]]));
        expect(sizeOfValue(value) + 32).toBeGreaterThanOrEqual(length);
        expect(doc.liveBytes).toBeLessThanOrEqual(sizeOfValue(value) + 1);
        expect(doc.liveValues).toBe(valuesIn(value));
        doc.write(new Map([['k', undefined]]));
        expect(doc.liveValues).toBe(0);
      }),
    );
  });
});
