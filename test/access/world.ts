/** A small world of users, objects and grants, for properties of decisions: everything in it is likely to meet. */
import fc from 'fast-check';
import type { Visibility } from '../../daemon/src/access/access.types.ts';
import { view } from '../../daemon/src/access/decision.ts';
import { FactBook } from '../../daemon/src/access/fact-book.ts';
import type { Grant } from '../../daemon/src/access/facts.types.ts';
import { scopeOf } from '../../daemon/src/access/scope.ts';
import { withImplied } from '../../daemon/src/access/verbs.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { CAPABILITY_VERBS, type CapabilityVerb, type GrantScope } from '../../protocol/rights/capability.ts';
import { CREATOR_ANNOTATION, SELF, subjectText, type UserPrincipal } from '../../protocol/rights/principal.ts';

export const NODE = 'node0';
export const NOW = 1_000_000;
export const KEY1 = '1'.repeat(64);
export const KEY2 = '2'.repeat(64);

export function user(name: string, home = SELF, uid = `uid-${name}`): UserPrincipal {
  const node = home === SELF ? NODE : home === KEY1 ? 'node1' : 'node2';
  return { type: 'user', home, name, uid, display: `${name}@${node}` };
}

/** Two of equal name and uid live on different nodes. */
export const USERS = [user('ops'), user('dev'), user('ops', KEY1), user('eve', KEY1), user('dev', KEY2)];
export const TRUSTS = [`research/uid-research@${SELF}`, `research/uid-research@${KEY1}`];
export const textOf = (principal: UserPrincipal): string => subjectText(principal);

export interface WorldObject {
  plural: 'resources' | 'models';
  object: ApiObject;
}

export interface World {
  users: readonly UserPrincipal[];
  homes: readonly string[];
  objects: readonly WorldObject[];
  /** Members by trust: user text to membership. */
  trusts: ReadonlyMap<string, ReadonlyMap<string, string>>;
  grants: readonly Grant[];
}

export const asked = ({ plural, object }: WorldObject) => ({ group: 'dtkd.dev', plural, name: object.metadata.name, object });

/** How much a user sees of an object, as lists and watches ask it. */
export function seenBy(
  principal: UserPrincipal,
  { group, plural, object }: { group: string; plural: string; object: ApiObject },
  book: FactBook,
): Visibility {
  const shown = view(principal, group, plural, book, () => NOW);
  if (shown === 'all') return 'full';
  return shown === 'none' ? 'hidden' : shown(object);
}

export function bookOf(world: World): FactBook {
  const book = new FactBook(NODE);
  book.setType('server', { type: 'server', extended: 'service' });
  book.setHomes(new Set(world.homes));
  for (const grant of world.grants) book.setGrant(grant.source, grant.name, grant);
  for (const each of world.users) book.setUser(textOf(each), true);
  for (const [trust, members] of world.trusts) book.setTrust({ trust, members });
  for (const { plural, object } of world.objects) {
    const creator = object.metadata.annotations?.[CREATOR_ANNOTATION];
    if (creator !== undefined) book.setCreator(`${plural}.dtkd.dev`, object.metadata.name, creator);
  }
  return book;
}

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
export const verbsArbitrary: fc.Arbitrary<CapabilityVerb[]> = fc.oneof(
  fc.subarray([...CAPABILITY_VERBS], { minLength: 1 }),
  fc.constant<CapabilityVerb[]>(['READ', 'UPDATE', 'MANAGE']),
);

export const scopeArbitrary: fc.Arbitrary<GrantScope> = fc
  .record({
    kind: fc.constantFrom('*', 'resources.dtkd.dev', 'resources.dtkd.dev', 'models.dtkd.dev'),
    name: optional(fc.constantFrom('a', 'b')),
    model: optional(fc.constantFrom('a', 'm')),
    type: optional(fc.constantFrom('Service', 'server')),
    labelSelector: optional(fc.constantFrom('tier=front', 'tier!=front', '!tier', 'tier in (front,back)', 'tier=front,zone=x')),
  })
  .map((scope) => Object.fromEntries(Object.entries(scope).filter(([, value]) => value !== undefined)) as GrantScope);

export const objectArbitrary: fc.Arbitrary<WorldObject> = fc
  .record({
    plural: fc.constantFrom<WorldObject['plural']>('resources', 'resources', 'models'),
    name: fc.constantFrom('a', 'b', 'c'),
    model: fc.constantFrom('a', 'm', 'other'),
    type: fc.constantFrom('server', 'service', 'site'),
    labels: fc.constantFrom<Record<string, string>>({}, { tier: 'front' }, { tier: 'back' }, { tier: 'front', zone: 'x' }),
    creator: optional(fc.constantFrom(...USERS)),
  })
  .map(({ plural, name, model, type, labels, creator }) => ({
    plural,
    object: {
      apiVersion: 'dtkd.dev/v1',
      kind: plural === 'models' ? 'Model' : 'Resource',
      metadata: {
        name,
        namespace: NODE,
        uid: `uid-${plural}-${name}`,
        resourceVersion: '1',
        generation: 1,
        creationTimestamp: '2026-01-01T00:00:00Z',
        labels,
        ...(creator === undefined ? {} : { annotations: { [CREATOR_ANNOTATION]: textOf(creator) } }),
      },
      spec: plural === 'models' ? {} : { model, type, properties: { password: 'sekret' } },
    },
  }));

interface Draft {
  source: Grant['source'];
  to: number;
  toTrust: boolean;
  verbs: CapabilityVerb[];
  scope: GrantScope;
  expires: number;
  grantor: number | undefined;
  parent: number | undefined;
  /** The grantor is the user whom the parent was given to, as it should be. */
  fitting: boolean;
}

const draft: fc.Arbitrary<Draft> = fc.record({
  source: fc.constantFrom<Grant['source']>('capability', 'capability', 'capability', 'share'),
  to: fc.nat({ max: USERS.length - 1 }),
  toTrust: fc.boolean(),
  verbs: verbsArbitrary,
  scope: scopeArbitrary,
  expires: fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, NOW + 10, NOW - 10),
  grantor: optional(fc.nat({ max: USERS.length - 1 })),
  parent: optional(fc.nat({ max: 7 })),
  fitting: fc.boolean(),
});

function grantsOf(drafts: readonly Draft[], trusts: World['trusts']): Grant[] {
  const grants: Grant[] = [];
  for (const [index, each] of drafts.entries()) {
    const isTrust = each.source === 'share' || each.toTrust;
    const recipient = isTrust ? (TRUSTS[each.to % TRUSTS.length] ?? '') : textOf(USERS[each.to] ?? user('nobody'));
    const parent = each.parent === undefined ? undefined : grants.filter(({ source }) => source === 'capability')[each.parent];
    let grantor = each.grantor === undefined ? undefined : textOf(USERS[each.grantor] ?? user('nobody'));
    if (parent !== undefined && (each.fitting || grantor === undefined)) {
      grantor = parent.toTrust ? [...(trusts.get(parent.recipient)?.keys() ?? [])][0] : parent.recipient;
    }
    const membership = parent?.toTrust && grantor !== undefined ? trusts.get(parent.recipient)?.get(grantor) : undefined;
    const link =
      parent === undefined ? undefined : { name: parent.name, uid: parent.uid, ...(membership === undefined ? {} : { membership }) };
    grants.push({
      source: each.source,
      name: `g${index}`,
      uid: `uid-g${index}`,
      recipient,
      toTrust: isTrust,
      shown: recipient,
      verbs: withImplied(each.source === 'share' ? each.verbs.filter((verb) => verb !== 'MANAGE') : each.verbs),
      scope: scopeOf(each.scope),
      expires: each.expires,
      ...(grantor === undefined ? {} : { grantor }),
      ...(link === undefined ? {} : { parent: link }),
    });
  }
  return grants;
}

const membersArbitrary = fc
  .subarray([...USERS])
  .map((members) => new Map(members.map((member) => [textOf(member), `m-${member.name}-${member.home.slice(0, 4)}`])));

export const worldArbitrary: fc.Arbitrary<World> = fc
  .record({
    users: fc.subarray([...USERS], { minLength: 3 }),
    homes: fc.constantFrom([KEY1, KEY2], [KEY1, KEY2], [KEY1]),
    objects: fc.uniqueArray(objectArbitrary, {
      minLength: 1,
      maxLength: 5,
      selector: ({ plural, object }) => plural + object.metadata.name,
    }),
    members: fc.tuple(membersArbitrary, membersArbitrary),
    drafts: fc.array(draft, { maxLength: 8 }),
  })
  .map(({ users, homes, objects, members, drafts }) => {
    const trusts = new Map(TRUSTS.map((trust, index) => [trust, members[index] ?? new Map<string, string>()]));
    return { users, homes, objects, trusts, grants: grantsOf(drafts, trusts) };
  });

/** Every world that lacks one thing of this one. */
export function* lesser(world: World): Generator<World> {
  for (const grant of world.grants) yield { ...world, grants: world.grants.filter((each) => each !== grant) };
  for (const [trust, members] of world.trusts) {
    for (const member of members.keys()) {
      const rest = new Map([...members].filter(([text]) => text !== member));
      yield { ...world, trusts: new Map([...world.trusts, [trust, rest]]) };
    }
  }
  for (const each of world.users) yield { ...world, users: world.users.filter((other) => other !== each) };
  for (const home of world.homes) yield { ...world, homes: world.homes.filter((other) => other !== home) };
}
