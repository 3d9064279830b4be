import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTrusted, judgeCode, pinName, policyOf } from '../../../daemon/src/dispatch/policy/policy-spec.ts';
import type { NodePolicy } from '../../../daemon/src/dispatch/target/target.types.ts';
import type { CodeRef } from '../../../protocol/code.ts';
import { compareVersions } from '../../../protocol/version-order.ts';

const SELF = 'a'.repeat(64);
const BUILDER = 'b'.repeat(64);
const OTHER = 'c'.repeat(64);
const HERE = { self: SELF, here: 'node1' };
const [OLD, NEW] = ['1'.repeat(64), '2'.repeat(64)];

function policy(spec: object): NodePolicy {
  return policyOf({
    apiVersion: 'dtkd.dev/v1',
    kind: 'Policy',
    metadata: { name: 'node', namespace: 'node1', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' },
    spec,
  });
}

function web(digest: string, publisher = BUILDER, version = '1.0.0'): CodeRef {
  return { name: 'acme/web', version, digest, publisher };
}

function objection(verdict: ReturnType<typeof judgeCode>): string | undefined {
  return 'objection' in verdict ? verdict.objection.code : undefined;
}

describe('policy', () => {
  it('has defaults for all that is not said, and where there is none', () => {
    expect(policyOf(undefined)).toEqual(policy({}));
    expect(policyOf(undefined).limits).toMatchObject({ concurrency: 16, timeoutMs: 86_400_000, users: [] });
    expect(policy({ limits: { timeout: '5m', keepFor: '1h' } }).limits).toMatchObject({ timeoutMs: 300_000, keepForMs: 3_600_000 });
  });

  it('lets code of this node itself run without a pin, and of nobody else without trust', () => {
    expect(judgeCode(policyOf(undefined), HERE, web(OLD, SELF))).toEqual({});
    expect(objection(judgeCode(policyOf(undefined), HERE, web(OLD)))).toBe('UNTRUSTED');
    expect(isTrusted(policyOf(undefined), SELF, SELF)).toBe(true);
    expect(isTrusted(policyOf(undefined), SELF, BUILDER)).toBe(false);
  });

  it('pins trusted code when it is first seen, and refuses another digest', () => {
    const trusting = policy({ trust: [{ node: 'builder', key: BUILDER }] });
    const first = judgeCode(trusting, HERE, web(OLD));
    expect(first).toEqual({ pin: { name: 'acme/web', value: { digest: OLD, publisher: BUILDER, node: 'builder', version: '1.0.0' } } });
    const pinned = { ...trusting, pins: { 'acme/web': { digest: OLD, publisher: BUILDER } } };
    expect(judgeCode(pinned, HERE, web(OLD))).toEqual({});
    expect(objection(judgeCode(pinned, HERE, web(NEW)))).toBe('CODE_CHANGED');
  });

  it('follows a publisher forward only, and nobody who took the name over', () => {
    const following = {
      ...policy({
        trust: [
          { node: 'builder', key: BUILDER, follow: true },
          { node: 'other', key: OTHER, follow: true },
        ],
      }),
      pins: { 'acme/web': { digest: OLD, publisher: BUILDER, version: '1.2.0' } },
    };
    expect(judgeCode(following, HERE, web(NEW, BUILDER, '1.10.0'))).toMatchObject({ pin: { value: { digest: NEW, version: '1.10.0' } } });
    expect(objection(judgeCode(following, HERE, web(NEW, BUILDER, '1.1.9')))).toBe('CODE_CHANGED');
    expect(objection(judgeCode(following, HERE, web(NEW, OTHER, '1.10.0')))).toBe('CODE_CHANGED');
    expect(objection(judgeCode(following, HERE, web(OLD, OTHER)))).toBe('CODE_CHANGED');
  });

  it('keeps scripts of types of one name apart by who wrote them', () => {
    const trusting = policy({
      trust: [
        { node: 'builder', key: BUILDER },
        { node: 'other', key: OTHER },
      ],
    });
    const script = (publisher: string): CodeRef => ({ name: 'type/Service', digest: OLD, publisher });
    const pinned = { ...trusting, pins: { 'type/Service@builder': { digest: NEW, publisher: BUILDER } } };
    expect(judgeCode(pinned, HERE, script(OTHER))).toMatchObject({ pin: { name: 'type/Service@other' } });
    expect(objection(judgeCode(pinned, HERE, script(BUILDER)))).toBe('CODE_CHANGED');
    expect(pinName({ name: 'acme/web' }, 'builder')).toBe('acme/web');
  });
});

describe('versions', () => {
  it('stand in the order of Semantic Versioning', () => {
    const ordered = [
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.2.0',
      '1.10.0',
      '2.0.0',
    ];
    for (const [at, one] of ordered.entries()) {
      for (const [other, two] of ordered.entries()) expect(Math.sign(compareVersions(one, two))).toBe(Math.sign(at - other));
    }
  });

  it('are ordered the same from both sides', () => {
    const number = fc.integer({ min: 0, max: 20 });
    const tail = fc.option(fc.array(fc.constantFrom('a', 'b', '1', '10', 'rc'), { minLength: 1, maxLength: 3 }), { nil: undefined });
    const version = fc
      .tuple(number, number, number, tail)
      .map(([a, b, c, rest]) => `${a}.${b}.${c}${rest === undefined ? '' : `-${rest.join('.')}`}`);
    fc.assert(fc.property(version, version, (a, b) => Math.sign(compareVersions(a, b)) === -Math.sign(compareVersions(b, a)) || a === b));
  });
});
