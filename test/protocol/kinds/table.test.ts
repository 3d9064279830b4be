import { describe, expect, it } from 'vitest';
import { checkJson, jsonEqual, parseJson } from '../../../protocol/encoding/json.ts';
import { dtPeerKind } from '../../../protocol/kinds/dtpeer.ts';
import { KINDS } from '../../../protocol/kinds/index.ts';
import { columnDefinitions, renderTable } from '../../../protocol/kinds/table.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { humanDuration } from '../../../protocol/text/age.ts';

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

describe('ages', () => {
  it.each([
    [-5 * S, '0s'],
    [0, '0s'],
    [119 * S, '119s'],
    [2 * M, '2m'],
    [5 * M + 7 * S, '5m7s'],
    [10 * M, '10m'],
    [179 * M, '179m'],
    [3 * H, '3h'],
    [3 * H + 4 * M, '3h4m'],
    [8 * H + 30 * M, '8h'],
    [47 * H, '47h'],
    [2 * D + 3 * H, '2d3h'],
    [8 * D, '8d'],
    [729 * D, '729d'],
    [730 * D, '2y'],
    [735 * D, '2y5d'],
    [9 * 365 * D, '9y'],
  ])('%d ms is %s', (ms, text) => {
    expect(humanDuration(ms)).toBe(text);
  });
});

describe('tables', () => {
  it('have the name first and the age last, which only the wide one has where they say nothing', () => {
    for (const kind of KINDS) {
      const columns = columnDefinitions(kind);
      expect([columns[0]?.name, columns.at(-1)?.name], kind.kind).toEqual(['Name', 'Age']);
      expect(columns[0]?.priority, kind.kind).toBe(kind.kind === 'Event' ? 1 : 0);
    }
  });

  const now = Date.parse('2026-01-02T00:00:00Z');
  const peer: ApiObject = {
    apiVersion: 'sid.sightlineinnovation.com/v1',
    kind: 'dtPeer',
    metadata: { name: 'abc', namespace: 'node0', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' },
    name: 'node1',
    connected: true,
    reach: 'connected',
    since: '2026-01-02T01:00:00Z',
  };

  it('have a cell for every column, Name first and Age last', () => {
    const table = renderTable(dtPeerKind, [peer], { now });
    const [timeless] = renderTable(dtPeerKind, [{ ...peer, since: undefined }], { now }).rows;
    expect(timeless?.cells.at(-2)).toBe('');
    expect(table.columnDefinitions.map((column) => column.name)).toEqual([
      'Name',
      'Peer',
      'Domain',
      'Connected',
      'Address',
      'Reach',
      'Path',
      'Since',
      'Age',
    ]);
    expect(table.rows[0]?.cells).toEqual(['abc', 'node1', '', true, '', 'connected', '', '0s', '24h']);
    expect(table.rows[0]?.object).toEqual({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: peer.metadata });
  });

  it('carry of an object what is asked for', () => {
    expect(renderTable(dtPeerKind, [peer], { now, includeObject: 'None' }).rows[0]).not.toHaveProperty('object');
    expect(renderTable(dtPeerKind, [peer], { now, includeObject: 'Object' }).rows[0]?.object).toBe(peer);
  });

  it('can show an object of any kind, however empty', () => {
    for (const kind of KINDS) {
      const { rows, columnDefinitions } = renderTable(kind, [{ ...peer, name: undefined, connected: undefined, since: undefined }], {
        now,
      });
      expect(rows[0]?.cells).toHaveLength(columnDefinitions.length);
    }
  });
});

describe('JSON from outside', () => {
  const parse = (text: string) => parseJson(Buffer.from(text));

  it('is parsed', () => {
    expect(parse('{"a":[1,{"b":null}]}')).toEqual({ a: [1, { b: null }] });
  });

  it.each(['', '{', 'nonsense', '{"a":1}{"b":2}', '\u0000'])('is refused where it is none: %j', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  it('is refused where it is not UTF-8, too deep, or reaches for prototypes', () => {
    expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    for (const depth of [65, 200_000]) {
      expect(() => parse('['.repeat(depth) + ']'.repeat(depth))).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    }
    expect(() => parse('{"a":[{"__proto__":{}}]}')).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    expect(() => parse('{"spec":{"a":[1,{"\\u005f_proto__":{}}]}}')).toThrow('a field must not be named "__proto__": spec.a.1.__proto__');
    checkJson(parse('['.repeat(64) + ']'.repeat(64)));
  });

  it('is equal whatever the order of keys', () => {
    expect(jsonEqual({ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 })).toBe(true);
    expect(jsonEqual({ a: 1 }, { a: 1, b: undefined })).toBe(false);
    expect(jsonEqual([1, 2], [2, 1])).toBe(false);
    expect(jsonEqual({ constructor: 1 }, {})).toBe(false);
    expect(jsonEqual(null, {})).toBe(false);
  });
});
