import fc from 'fast-check';
import semver from 'semver';
import { describe, expect, it } from 'vitest';
import { moduleVersion } from '../../../protocol/definitions/code.ts';
import { compareVersions } from '../../../protocol/definitions/version-order.ts';

const identifier = fc.oneof(
  fc.nat({ max: 30 }).map(String),
  fc.constantFrom('9007199254740992', '9007199254740993'),
  fc.stringMatching(/^[0-9]{0,2}[a-z][0-9a-z]{0,2}(-[0-9a-z]{1,2})?$/),
);
const number = fc.oneof(fc.nat({ max: 12 }).map(String), fc.constantFrom('9007199254740990', '9007199254740991'));
const version = fc
  .tuple(number, number, number, fc.array(identifier, { maxLength: 3 }))
  .map(([a, b, c, tail]) => `${a}.${b}.${c}${tail.length === 0 ? '' : `-${tail.join('.')}`}`);

describe('the order of versions', () => {
  it('is that of another implementation, as far as that goes', () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        fc.pre(moduleVersion.safeParse(a).success && moduleVersion.safeParse(b).success);
        const [left, right] = [semver.parse(a), semver.parse(b)];
        fc.pre(left !== null && right !== null && ![...left.prerelease, ...right.prerelease].some((one) => Number(one) > 2 ** 53 - 1));
        expect(Math.sign(compareVersions(a, b))).toBe(semver.compare(a, b));
      }),
    );
  });

  it.each([
    ['1.0.9007199254740993', '1.0.9007199254740992'],
    [`1.${'9'.repeat(50)}.0`, `1.${'9'.repeat(49)}8.0`],
    [`1.0.0-1${'0'.repeat(50)}`, `1.0.0-1${'0'.repeat(49)}`],
  ])('has %s behind %s, which no number holds exactly', (newer, older) => {
    expect(moduleVersion.safeParse(newer).success && moduleVersion.safeParse(older).success).toBe(true);
    expect(Math.sign(compareVersions(newer, older))).toBe(1);
    expect(Math.sign(compareVersions(older, newer))).toBe(-1);
  });

  it('has each version at one place', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(compareVersions(a, a)).toBe(0);
        expect(Math.sign(compareVersions(a, b))).toEqual(0 - Math.sign(compareVersions(b, a)));
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});
