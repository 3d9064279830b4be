import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseReview } from '../../../daemon/src/api/reviews/protobuf.ts';

/** Writes a length as protobuf does. */
function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))];
}
const field = (number: number, value: string | Uint8Array): Uint8Array => {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
};
const message = (...fields: Uint8Array[]) => Buffer.concat(fields);
const document = (kind: string, object: Uint8Array, apiVersion = 'authorization.k8s.io/v1') =>
  message(Buffer.from('k8s\0'), field(1, message(field(1, apiVersion), field(2, kind))), field(2, object), field(3, ''), field(4, ''));

describe('a review in protobuf', () => {
  it('says what it says in JSON', () => {
    const attributes = ['node1', 'get', 'dtkd.dev', 'v1', 'resources', '', 'x'.repeat(200)];
    const about = message(...attributes.map((text, index) => field(index + 1, text)));
    // metadata, numbers and fields of the future are passed over
    const others = [
      field(1, field(3, 'x')),
      Buffer.from([...varint(9 * 8), 7]),
      Buffer.from([10 * 8 + 1, ...Array(8).fill(1)]),
      Buffer.from([11 * 8 + 5, 1, 2, 3, 4]),
    ];
    expect(parseReview(document('SelfSubjectAccessReview', message(...others, field(2, field(1, about)))))).toEqual({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: {
          namespace: 'node1',
          verb: 'get',
          group: 'dtkd.dev',
          version: 'v1',
          resource: 'resources',
          subresource: '',
          name: 'x'.repeat(200),
        },
      },
    });
    const path = field(2, message(field(1, '/metrics'), field(2, 'get')));
    expect(parseReview(document('SelfSubjectAccessReview', field(2, path)))['spec']).toEqual({
      nonResourceAttributes: { path: '/metrics', verb: 'get' },
    });
    expect(parseReview(document('SelfSubjectRulesReview', field(2, field(1, 'node1'))))['spec']).toEqual({ namespace: 'node1' });
    expect(parseReview(document('SelfSubjectReview', field(2, ''), 'authentication.k8s.io/v1'))).toEqual({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'SelfSubjectReview',
    });
    expect(parseReview(document('constructor', field(2, '')))).not.toHaveProperty('spec');
  });

  it('that is none is refused', () => {
    const refused = expect.objectContaining({ code: 'BAD_REQUEST' });
    const good = document('SelfSubjectRulesReview', field(2, field(1, 'node1')));
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('{}'),
      Buffer.from('k8s\0\xff', 'latin1'),
      good.subarray(0, good.length - 5),
      Buffer.concat([good, Buffer.from([0x0b])]),
    ]) {
      expect(() => parseReview(bytes)).toThrow(refused);
    }
    expect(() => parseReview(document('SelfSubjectRulesReview', field(2, field(1, Buffer.from([0xff])))))).toThrow(refused);
    expect(() => parseReview(Buffer.concat([Buffer.from('k8s\0'), ...Array.from({ length: 257 }, () => field(9, ''))]))).toThrow(refused);
  });

  it('made of anything ends well', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, enveloped) => {
        try {
          parseReview(enveloped ? document('SelfSubjectAccessReview', bytes) : Buffer.concat([Buffer.from('k8s\0'), bytes]));
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_REQUEST' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
