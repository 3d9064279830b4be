import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, heldVerbs } from '../../daemon/src/access/decision.ts';
import { judgeGranting } from '../../daemon/src/access/delegation.ts';
import { covers, matchesScope, scopeOf } from '../../daemon/src/access/scope.ts';
import { above } from '../../daemon/src/access/standing.ts';
import { withImplied } from '../../daemon/src/access/verbs.ts';
import { CAPABILITY_VERBS, type CapabilityVerb } from '../../protocol/rights/capability.ts';
import type { UserPrincipal } from '../../protocol/rights/principal.ts';
import {
  asked,
  bookOf,
  KEY1,
  lesser,
  NOW,
  objectArbitrary,
  scopeArbitrary,
  seenBy,
  textOf,
  USERS,
  user,
  verbsArbitrary,
  type World,
  type WorldObject,
  worldArbitrary,
} from './world.ts';

type Rights = Map<string, Set<CapabilityVerb>>;

/** What every user may do with every object. */
function rightsIn(world: World, now = NOW): Rights {
  const book = bookOf(world);
  const rights: Rights = new Map();
  for (const [index, each] of USERS.entries()) {
    for (const about of world.objects) {
      rights.set(`${index} ${about.plural} ${about.object.metadata.name}`, heldVerbs(each, asked(about), book, now));
    }
  }
  return rights;
}

function expectNoMore(after: Rights, before: Rights): void {
  for (const [what, verbs] of after) {
    for (const verb of verbs) expect(before.get(what)?.has(verb), `${what} ${verb}`).toBe(true);
  }
}

describe('decisions', () => {
  it('give nothing without a grant', () => {
    fc.assert(
      fc.property(worldArbitrary, (world) => {
        const bare = { ...world, grants: [] };
        const book = bookOf(bare);
        for (const each of USERS) {
          for (const about of world.objects) {
            if (about.object.metadata.annotations !== undefined) continue;
            for (const verb of CAPABILITY_VERBS) expect(decide(each, { ...asked(about), verb }, book, NOW).allowed).toBe(false);
            expect(seenBy(each, asked(about), book)).toBe('hidden');
          }
        }
      }),
    );
  });

  it('give no more after anything was taken away', () => {
    fc.assert(
      fc.property(worldArbitrary, (world) => {
        const before = rightsIn(world);
        for (const less of lesser(world)) expectNoMore(rightsIn(less), before);
      }),
      { numRuns: 150 },
    );
  });

  it('give no more as time goes by', () => {
    fc.assert(
      fc.property(worldArbitrary, (world) => {
        const soon = rightsIn(world, NOW + 9);
        expect(soon).toEqual(rightsIn(world));
        const later = rightsIn(world, NOW + 10);
        expectNoMore(later, soon);
        const unending = { ...world, grants: world.grants.filter(({ expires }) => expires === Number.POSITIVE_INFINITY) };
        expectNoMore(later, rightsIn(unending));
      }),
    );
  });

  it('give by what was passed on nothing that its grantor does not hold', () => {
    fc.assert(
      fc.property(worldArbitrary, (world) => {
        for (const grant of world.grants) {
          if (grant.parent === undefined || grant.grantor === undefined) continue;
          const chain = (above(grant, bookOf(world)) ?? []).map((each) => each.grant);
          const objects = world.objects.map(({ plural, object }): WorldObject => {
            const { annotations: _annotations, ...metadata } = object.metadata;
            return { plural, object: { ...object, metadata } };
          });
          const only = { ...world, objects, grants: [grant, ...chain] };
          const without = rightsIn({ ...only, grants: chain });
          const grantor = USERS.findIndex((each) => textOf(each) === grant.grantor);
          for (const [what, verbs] of rightsIn(only)) {
            const held = without.get(what.replace(/^\d+/, String(grantor)));
            for (const verb of verbs) if (!without.get(what)?.has(verb)) expect(held?.has(verb)).toBe(true);
          }
        }
      }),
    );
  });

  it('give at the end of a chain what every link of it gives', () => {
    const link = fc.record({ verbs: verbsArbitrary, scope: fc.oneof(fc.constant({ kind: '*' }), scopeArbitrary), manages: fc.boolean() });
    const chain = fc.array(link, { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(chain, fc.array(objectArbitrary, { minLength: 1, maxLength: 3 }), (links, objects) => {
        const people = links.map((_, index) => user(`u${index}`, KEY1));
        const grants = links.map(({ verbs, scope, manages }, index) => {
          const grantor = people[index - 1];
          return {
            source: 'capability' as const,
            name: `c-${index}`,
            uid: `uid-${index}`,
            recipient: textOf(people[index] ?? user('nobody')),
            toTrust: false,
            shown: '',
            verbs: withImplied(manages ? [...verbs, 'MANAGE'] : verbs),
            scope: scopeOf(scope),
            expires: Number.POSITIVE_INFINITY,
            ...(grantor === undefined ? {} : { grantor: textOf(grantor), parent: { name: `c-${index - 1}`, uid: `uid-${index - 1}` } }),
          };
        });
        const book = bookOf({ users: people, homes: [KEY1], objects: [], trusts: new Map(), grants });
        for (const about of objects) {
          for (const [index, each] of people.entries()) {
            const above = grants.slice(0, index + 1);
            for (const verb of CAPABILITY_VERBS) {
              const expected =
                index <= 4 &&
                above.every((grant) => grant.verbs.has(verb) && matchesScope(grant.scope, { ...asked(about), verb }, book)) &&
                above.slice(0, -1).every((grant) => grant.verbs.has('MANAGE'));
              if (about.object.metadata.annotations !== undefined) continue;
              expect(decide(each, { ...asked(about), verb }, book, NOW).allowed, `${index} ${verb}`).toBe(expected);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('show by a list what they allow one by one', () => {
    fc.assert(
      fc.property(worldArbitrary, (world) => {
        const book = bookOf(world);
        for (const each of USERS) {
          for (const about of world.objects) {
            const may = (verb: CapabilityVerb) => decide(each, { ...asked(about), verb }, book, NOW).allowed;
            const expected = may('READ') ? 'full' : may('DISCOVER') ? 'name' : 'hidden';
            expect(seenBy(each, asked(about), book)).toBe(expected);
          }
        }
      }),
    );
  });

  it('tell of an object nothing but its kind and name', () => {
    fc.assert(
      fc.property(worldArbitrary, fc.constantFrom(...CAPABILITY_VERBS), (world, verb) => {
        const book = bookOf(world);
        for (const each of USERS) {
          for (const about of world.objects) {
            const decision = decide(each, { ...asked(about), verb }, book, NOW);
            if (!decision.allowed) expect(decision.reason).not.toMatch(/sekret|front|back|zone|server|site/);
          }
        }
      }),
    );
  });

  it('never take DISCOVER for READ', () => {
    fc.assert(
      fc.property(worldArbitrary, (world) => {
        const grants = world.grants.map((grant) => ({ ...grant, verbs: new Set<CapabilityVerb>(['DISCOVER']) }));
        const book = bookOf({ ...world, grants });
        for (const each of USERS) {
          for (const about of world.objects) {
            if (about.object.metadata.annotations !== undefined) continue;
            expect(seenBy(each, asked(about), book)).not.toBe('full');
          }
        }
      }),
    );
  });

  it('give by a share to present members and nobody else', () => {
    fc.assert(
      fc.property(worldArbitrary, (world) => {
        const shares = world.grants.filter(
          ({ source, parent, grantor }) => source === 'share' && parent === undefined && grantor === undefined,
        );
        const objects = world.objects.filter(({ object }) => object.metadata.annotations === undefined);
        const book = bookOf({ ...world, grants: shares });
        for (const each of USERS) {
          const present = each.home === 'self' ? world.users.includes(each) : world.homes.includes(each.home);
          for (const about of objects) {
            for (const verb of CAPABILITY_VERBS) {
              const expected = shares.some(
                (share) =>
                  present &&
                  share.verbs.has(verb) &&
                  share.expires > NOW &&
                  world.trusts.get(share.recipient)?.has(textOf(each)) &&
                  (share.recipient.endsWith('self') || world.homes.includes(KEY1)) &&
                  matchesScope(share.scope, { ...asked(about), verb }, book),
              );
              expect(decide(each, { ...asked(about), verb }, book, NOW).allowed).toBe(expected);
            }
          }
        }
      }),
    );
  });

  it('give nothing of the former user to one that was made again', () => {
    fc.assert(
      fc.property(worldArbitrary, fc.constantFrom(...USERS), (world, old) => {
        const again: UserPrincipal = { ...old, uid: 'uid-again' };
        const book = bookOf({ ...world, users: [...world.users.filter((each) => each !== old), again] });
        for (const about of world.objects) expect(heldVerbs(again, asked(about), book, NOW).size).toBe(0);
      }),
    );
  });

  it('give nothing passed on by a member that was removed and added again', () => {
    fc.assert(
      fc.property(worldArbitrary, (world) => {
        const trusts = new Map(
          [...world.trusts].map(([trust, members]) => [trust, new Map([...members.keys()].map((text) => [text, 'another-stay']))]),
        );
        const passedOn = world.grants.filter(({ parent }) => parent?.membership !== undefined);
        const without = { ...world, trusts, grants: world.grants.filter((grant) => !passedOn.includes(grant)) };
        expect(rightsIn({ ...world, trusts })).toEqual(rightsIn(without));
      }),
    );
  });

  it('are the same however the facts came', () => {
    fc.assert(
      fc.property(worldArbitrary, worldArbitrary, (world, other) => {
        const book = bookOf(other);
        for (const grant of other.grants) book.setGrant(grant.source, grant.name, undefined);
        for (const { plural, object } of other.objects) book.setCreator(`${plural}.dtkd.dev`, object.metadata.name, undefined);
        book.setHomes(new Set(world.homes));
        for (const grant of [...world.grants].reverse()) book.setGrant(grant.source, grant.name, grant);
        for (const each of USERS) book.setUser(textOf(each), world.users.includes(each));
        for (const [trust, members] of world.trusts) book.setTrust({ trust, members });
        const fresh = bookOf(world);
        for (const each of USERS) {
          for (const about of world.objects) {
            if (about.object.metadata.annotations !== undefined) continue;
            expect(heldVerbs(each, asked(about), book, NOW)).toEqual(heldVerbs(each, asked(about), fresh, NOW));
          }
        }
      }),
    );
  });
});

describe('granting', () => {
  it('gives nobody more than the granter holds', () => {
    fc.assert(
      fc.property(worldArbitrary, scopeArbitrary, verbsArbitrary, fc.constantFrom(...USERS), (world, on, verbs, granter) => {
        const scope = scopeOf(on);
        const granting = judgeGranting(granter, { verbs, scope }, bookOf(world), NOW);
        if (!granting.allowed) return;
        const eve = user('newcomer', KEY1);
        const grant = {
          source: 'capability' as const,
          name: 'new',
          uid: 'uid-new',
          recipient: textOf(eve),
          toTrust: false,
          shown: 'newcomer@node1',
          verbs: withImplied(verbs),
          scope,
          expires: Number.POSITIVE_INFINITY,
          grantor: textOf(granter),
          ...(granting.parent === undefined ? {} : { parent: granting.parent }),
        };
        const book = bookOf({ ...world, grants: [...world.grants, grant] });
        for (const about of world.objects) {
          const held = heldVerbs(granter, asked(about), book, NOW);
          // who made an object has every right on it but to make it
          for (const verb of heldVerbs(eve, asked(about), book, NOW)) if (verb !== 'CREATE') expect(held.has(verb), verb).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe('scopes', () => {
  it('that cover others match whatever those match', () => {
    fc.assert(
      fc.property(scopeArbitrary, scopeArbitrary, objectArbitrary, (parent, child, about) => {
        const [upper, lower] = [scopeOf(parent), scopeOf(child)];
        const what = { ...asked(about), verb: 'READ' as const };
        const types = { ancestry: (type: string) => [type] };
        if (covers(upper, lower) && matchesScope(lower, what, types)) expect(matchesScope(upper, what, types)).toBe(true);
        expect(covers(upper, upper)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('of all kinds leave out what administers a domain', () => {
    const what = { verb: 'READ' as const, group: 'sid.sightlineinnovation.com', plural: 'dtdomains', name: 'mydomain' };
    const types = { ancestry: (type: string) => [type] };
    const named = scopeOf({ kind: 'dtdomains.sid.sightlineinnovation.com' });
    expect(matchesScope(scopeOf({ kind: '*' }), what, types)).toBe(false);
    expect(matchesScope(named, what, types)).toBe(true);
    expect(covers(scopeOf({ kind: '*' }), named)).toBe(false);
    expect(covers(named, named)).toBe(true);
  });

  it('that look further than the name do not match a name alone', () => {
    const what = { verb: 'READ' as const, group: 'dtkd.dev', plural: 'resources', name: 'a' };
    const match = (scope: Parameters<typeof scopeOf>[0]) => matchesScope(scopeOf(scope), what, { ancestry: (type) => [type] });
    expect(match({ kind: 'resources.dtkd.dev', name: 'a' })).toBe(true);
    expect(match({ kind: 'resources.dtkd.dev', labelSelector: '!tier' })).toBe(false);
    expect(match({ kind: 'resources.dtkd.dev', model: 'web' })).toBe(false);
    expect(match({ kind: 'resources.dtkd.dev', type: 'Service' })).toBe(false);
  });
});
