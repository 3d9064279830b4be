import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignNamespaces, type NamedDomain } from '../../daemon/src/mesh/namespaces.ts';
import { parseDomainId, parsePeerKey } from '../../protocol/ids.ts';

const key = (seed: number) => parsePeerKey(seed.toString(16).padStart(8, '0').repeat(8));
const domainId = (seed: number) => parseDomainId(seed.toString(16).padStart(64, '0'));
const member = (seed: number, name: string) => ({ key: key(seed), claimedName: name, displayName: name });

describe('assignNamespaces', () => {
  it('keeps the node its own name, and bare names for the domain joined first', () => {
    const domains: NamedDomain[] = [
      { id: domainId(1), self: key(1), members: [member(1, 'me'), member(2, 'node2'), member(3, 'me')] },
      { id: domainId(2), self: key(4), members: [member(4, 'me'), member(5, 'node2'), member(6, 'node3')] },
    ];
    const names = assignNamespaces('me', domains);
    expect([...(names.get(domainId(1))?.values() ?? [])]).toEqual(['me', 'node2', `me-${key(3).slice(0, 6)}`]);
    expect([...(names.get(domainId(2))?.values() ?? [])]).toEqual(['me', 'node3', `node2-${key(5).slice(0, 6)}`]);
  });

  it('gives every other member of every domain a name of its own, and later domains change none', () => {
    const name = fc.constantFrom('a', 'b', 'me', 'x'.repeat(63));
    const domain = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), name), { maxLength: 12 });
    fc.assert(
      fc.property(domain, domain, (first, second) => {
        const build = (id: number, rows: [number, string][]): NamedDomain => ({
          id: domainId(id),
          self: key(1_000 + id),
          members: [...new Map(rows.map(([seed, text]) => [seed, member(seed + 100 * id, text)])).values()],
        });
        const domains = [build(1, first), build(2, second)];
        const names = assignNamespaces('me', domains);
        const others = domains.flatMap(({ id, self }) =>
          [...(names.get(id) ?? [])].filter(([peer]) => peer !== self).map(([, text]) => text),
        );
        expect(new Set(others).size).toBe(others.length);
        expect(others).not.toContain('me');
        for (const text of others) expect(text.length).toBeLessThanOrEqual(63);
        expect(assignNamespaces('me', domains.slice(0, 1)).get(domainId(1))).toEqual(names.get(domainId(1)));
      }),
    );
  });
});
