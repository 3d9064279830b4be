/** The fold and the set as properties: order, duplicates and the way items spread make no difference. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { adoptMembership, type DomainMembership } from '../../../daemon/src/mesh/membership/domain-membership.ts';
import { type FoldedState, fold, type ProvenFork } from '../../../daemon/src/mesh/membership/fold.ts';
import { type DomainId, parseNodeName } from '../../../protocol/ids.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { verifyForkProof } from '../../../protocol/log/log-entry.ts';
import { signCertificate, signEnrolment } from '../../../protocol/membership/certificate.ts';
import { type ParsedItem, parseItem } from '../../../protocol/membership/facts.ts';
import { parseToken } from '../../../protocol/membership/token.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { epochAt, forkOf } from './forks.ts';
import { exchange, foundSite, join, type Site, token } from './site.ts';

interface Pool {
  domain: DomainId;
  founder: Site;
  genesis: ParsedItem;
  items: ParsedItem[];
}

/** A domain's life with partitions, a surplus, removals, a replacement, a leave, forks and hostile certificates; every item ever made. */
async function live(rotate: boolean): Promise<Pool> {
  const founder = await foundSite();
  const made = new Map<string, ParsedItem>();
  const note = (...sites: Site[]): void => {
    for (const site of sites) for (const { bytes, id } of site.membership.items()) made.set(id, parseItem(bytes));
  };
  const shared = await token(founder, { uses: 2 });
  const node1 = await join('web', founder, shared);
  const node2 = await join('node2', node1, shared);
  const other = await token(founder, { uses: 2 });
  const left = await join('db', founder, other);
  const right = [await join('db', node1, other), await join('right', node1, other)];
  note(founder, node1, node2, left, ...right);
  await exchange(founder, node2);
  await founder.membership.settle();
  const third = await token(founder, { uses: 2 });
  await founder.membership.remove(node1.key.publicKey);
  note(founder);
  const rebuilt = await join('web', founder, await token(founder, { replace: 'web' }), { replace: 'web' });
  note(founder, rebuilt);
  await node2.membership.leave();
  await left.membership.reportFork(forkOf(left.key, founder.membership.domain, epochAt(5)));
  note(node2, left);
  await exchange(founder, left, rebuilt);
  await founder.membership.clear(left.key.publicKey);
  note(founder);
  await left.membership.reportFork(forkOf(left.key, founder.membership.domain, epochAt(9)));
  await founder.membership.settle();
  await founder.membership.revoke(parseToken(other).grant.id);
  note(founder, left);
  // Members that know a token's secret witness more than they may: a removed one, and a current one.
  for (const [text, by] of [
    [other, node1],
    [third, left],
  ] as const) {
    const { invite, grant } = parseToken(text);
    const via = by.membership.state().members.get(by.key.publicKey)?.certificate?.fact.link;
    for (const count of [1, 1, 2, 2]) {
      const signed = signEnrolment(invite, generateSigningKey(), { grant: grant.id, name: parseNodeName(`fake${made.size}`) });
      const item = parseItem(signCertificate(by.key, signed, { clock: 0, count, via }));
      made.set(item.id, item);
    }
  }
  await founder.membership.free('web').catch(() => undefined);
  note(founder);
  if (rotate) {
    await rebuilt.membership.rotate(founder.recoveryKey);
    await founder.membership.rotate(founder.recoveryKey);
    await token(founder);
    await token(rebuilt);
    note(founder, rebuilt);
  }
  const items = [...made.values()];
  const genesis = made.get(founder.membership.domain);
  if (genesis === undefined) throw new Error('no genesis');
  return { domain: founder.membership.domain, founder, genesis, items };
}

function view(state: FoldedState): unknown {
  return {
    kept: state.kept.map(({ id }) => id).sort(),
    members: [...state.members].map(([key, { displayName, ambiguous, admittedBy, bound }]) => [
      key,
      displayName,
      ambiguous,
      admittedBy,
      bound,
    ]),
    removed: [...state.removed].sort(),
    suspended: [...state.suspended].sort(),
    reserved: [...state.reservations].sort(),
    invites: [...state.invites].sort(),
    root: state.root,
  };
}

async function setOf(pool: Pool): Promise<DomainMembership> {
  return adoptMembership({ kv: memoryKv(), domain: pool.domain, self: pool.founder.key, items: [pool.genesis.bytes] });
}

/** Offers items in the given order, in groups, again and again until nothing is new. */
async function offer(set: DomainMembership, items: readonly ParsedItem[], group: number): Promise<void> {
  for (let news = true; news; ) {
    news = false;
    for (let at = 0; at < items.length; at += group) {
      const { added } = await set.add(items.slice(at, at + group).map(({ bytes }) => bytes));
      news ||= added.length > 0;
    }
  }
}

describe.each([
  ['without a rotation', false],
  ['with two rival rotations', true],
])('a domain %s', (_name, rotate) => {
  let pool: Pool;
  let verified: ParsedItem[];
  let forks: Map<string, ProvenFork>;
  let expected: unknown;

  beforeAll(async () => {
    pool = await live(rotate);
    forks = new Map();
    for (const { id, fact } of pool.items) {
      const proven = fact.type === 'fork' ? verifyForkProof(fact.proof) : undefined;
      if (proven !== undefined) forks.set(id, proven);
    }
    verified = pool.items;
    expected = view(foldOf(verified));
  });

  function foldOf(items: readonly ParsedItem[]): FoldedState {
    const state = fold({ domain: pool.domain, items: new Map(items.map((item) => [item.id, item])), forks });
    if (state === undefined) throw new Error('no genesis among the items');
    return state;
  }

  it('has members, removed keys and what else the life left', () => {
    const state = foldOf(verified);
    expect(state.members.size).toBeGreaterThan(2);
    expect(state.removed.size).toBeGreaterThan(1);
    expect(state.rotations).toBe(rotate ? 1 : 0);
    expect(pool.items.length).toBeGreaterThan(state.kept.length);
  });

  it('folds to the same state whatever the order, and what is kept folds to it, too', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(pool.items, { minLength: pool.items.length }), (shuffled) => {
        const state = foldOf(shuffled);
        expect(view(state)).toEqual(expected);
        expect(view(foldOf(state.kept))).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('folds any subset without failing, to members that something says are members', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(pool.items), (subset) => {
        const state = foldOf([...subset, pool.genesis]);
        const kept = new Map(state.kept.map((item) => [item.id, item]));
        for (const member of state.members.values()) {
          expect(member.bound || kept.has(member.certificate?.id ?? '')).toBe(true);
          expect(state.removed.has(member.key)).toBe(false);
        }
        const shown = [...state.members.values()].map(({ displayName }) => displayName);
        expect(new Set(shown).size).toBe(shown.length);
      }),
      { numRuns: 200 },
    );
  });

  it('is kept the same by nodes that hear of it in any order and grouping, with repetitions', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(pool.items, { minLength: pool.items.length }),
        fc.integer({ min: 1, max: 8 }),
        async (shuffled, group) => {
          const set = await setOf(pool);
          await offer(set, [...shuffled, ...shuffled.slice(0, 5)], group);
          expect(view(set.state())).toEqual(expected);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('ends up the same at nodes that begin with different parts of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.shuffledSubarray(pool.items), { minLength: 2, maxLength: 3 }), async (parts) => {
        const sites: Site[] = [];
        for (const part of parts) {
          const membership = await setOf(pool);
          await offer(membership, part, 4);
          sites.push({ ...pool.founder, membership });
        }
        await exchange(...sites);
        for (const site of sites)
          expect(view(site.membership.state())).toEqual(view(sites[0]?.membership.state() ?? site.membership.state()));
      }),
      { numRuns: 10 },
    );
  });
});
