import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTrusted, judgeCode, policyOf } from '../../../daemon/src/dispatch/policy/policy-spec.ts';
import type { NodePolicy } from '../../../daemon/src/dispatch/target/target.types.ts';
import type { CodeRef } from '../../../protocol/definitions/code.ts';
import { compareVersions } from '../../../protocol/definitions/version-order.ts';
import { pinNameOf, pinParts } from '../../../protocol/kinds/policy.ts';

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
    expect(pinNameOf('acme/web', 'builder')).toBe('acme/web');
  });

  it('are told apart by instance: two nodes may each have one of the same name', () => {
    const copy = (publisher: string, digest = NEW): CodeRef => ({ name: 'acme/web@shop', version: '0.0.3', digest, publisher });
    const trusting = {
      trust: [
        { node: 'builder', key: BUILDER },
        { node: 'other', key: OTHER },
      ],
    };
    const base = { 'acme/web': { digest: OLD, publisher: BUILDER } };
    expect(judgeCode(policy({ ...trusting, pins: base }), HERE, copy(BUILDER))).toMatchObject({ pin: { name: 'acme/web@shop@builder' } });
    const pinned = policy({ ...trusting, pins: { ...base, 'acme/web@shop@builder': { digest: NEW, publisher: BUILDER } } });
    expect(judgeCode(pinned, HERE, copy(BUILDER))).toEqual({});
    expect(judgeCode(pinned, HERE, copy(OTHER))).toMatchObject({ pin: { name: 'acme/web@shop@other' } });
    expect(objection(judgeCode(pinned, HERE, copy(BUILDER, OLD)))).toBe('CODE_CHANGED');
  });

  it('are pinned under names that can be taken apart again', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
    const code = fc.oneof(
      fc.tuple(word, word).map(([space, name]) => `${space}/${name}`),
      fc.tuple(word, word, word).map(([space, name, instance]) => `${space}/${name}@${instance}`),
      word.map((name) => `type/${name}`),
    );
    fc.assert(
      fc.property(code, word, (name, node) => {
        const pin = pinNameOf(name, node);
        expect(pinParts(pin).code).toBe(name);
        expect(pinParts(pin).node).toBe(pin === name ? undefined : node);
      }),
    );
    expect(pinParts('acme/web@shop')).toEqual({ code: 'acme/web@shop', node: undefined });
    expect(pinParts('type/Service@builder')).toEqual({ code: 'type/Service', node: 'builder' });
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
