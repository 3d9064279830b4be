import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openMembership } from '../../../daemon/src/mesh/membership/domain-membership.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeEnvelope, openEnvelope } from '../../../protocol/encoding/envelope.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseNodeName, parsePeerKey } from '../../../protocol/ids.ts';
import { parseKey } from '../../../protocol/keys/key-text.ts';
import { generateSigningKey, type SigningKey } from '../../../protocol/keys/signing.ts';
import { MAX_MEMBERS, MAX_ROTATION_BYTES } from '../../../protocol/limits.ts';
import { signCertificate, signEnrolment } from '../../../protocol/membership/certificate.ts';
import { encodeFork, type RootFact, signGenesis, signRootFact, signRotation } from '../../../protocol/membership/facts.ts';
import { parseToken, type Token } from '../../../protocol/membership/token.ts';
import { epochAt, forkOf } from './forks.ts';
import { exchange, foundSite, join, reopen, type Site, shownNames, token } from './site.ts';

/** Nothing of it is kept, and the codes of the refusals are these. */
async function expectRejected(site: Site, items: readonly Uint8Array[], codes: readonly string[]): Promise<void> {
  const digest = site.membership.digest();
  const rows = await site.kv.page({ gte: 'd/', lt: 'd0', limit: 10_000 });
  const { added, rejected } = await site.membership.add(items);
  expect(added).toEqual([]);
  expect(rejected.map(({ code }) => code)).toEqual(codes);
  expect(site.membership.digest()).toBe(digest);
  expect(await site.kv.page({ gte: 'd/', lt: 'd0', limit: 10_000 })).toEqual(rows);
}

function certify(
  admitter: SigningKey,
  { invite, grant }: Token,
  options: { count?: number; via?: string; joiner?: SigningKey; name?: string } = {},
): Uint8Array {
  const { count = 1, via, joiner = generateSigningKey(), name = 'intruder' } = options;
  return signCertificate(admitter, signEnrolment(invite, joiner, { grant: grant.id, name: parseNodeName(name) }), { clock: 0, count, via });
}

function linkOf(site: Site): string | undefined {
  return site.membership.state().members.get(site.key.publicKey)?.certificate?.fact.link;
}

describe('hostile items', () => {
  it('are refused when somebody else signed them', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    const fact: RootFact = {
      type: 'removal',
      by: founder.membership.domain,
      time: 1,
      key: founder.key.publicKey,
      name: parseNodeName('node0'),
      keeps: [],
    };
    await expectRejected(founder, [signRootFact(node1.key, fact)], ['SIGNATURE_INVALID']);
    await expectRejected(founder, [signRootFact(generateSigningKey(), fact)], ['SIGNATURE_INVALID']);
    const grant = { type: 'grant', by: fact.by, time: 1, key: node1.key.publicKey, uses: 5, expires: 9e15 } as const;
    await expectRejected(founder, [signRootFact(node1.key, grant)], ['SIGNATURE_INVALID']);
  });

  it('do not keep others waiting while they are read, however many there are', async () => {
    const { membership } = await foundSite();
    let turns = 0;
    let others: NodeJS.Immediate | undefined;
    const spin = () => {
      turns += 1;
      others = setImmediate(spin);
    };
    spin();
    const { rejected } = await membership.preview(Array.from({ length: 4_000 }, () => new Uint8Array(1)));
    clearImmediate(others);
    expect(rejected).toHaveLength(4_000);
    expect(turns).toBeGreaterThan(10);
  });

  it('are refused when they are of another domain', async () => {
    const founder = await foundSite();
    const other = await foundSite('node0', 'other');
    const guest = await join('node1', other, await token(other));
    await other.membership.settle();
    await expectRejected(
      founder,
      other.membership.items().map(({ bytes }) => bytes),
      [
        'TOKEN_WRONG_DOMAIN',
        ...other.membership
          .items()
          .filter((_, index) => index > 0)
          .map(() => 'NOT_FOUND'),
      ],
    );
    await expectRejected(
      guest,
      founder.membership.items().map(({ bytes }) => bytes),
      ['TOKEN_WRONG_DOMAIN'],
    );
    // The same root key, another genesis: another domain.
    const twin = signGenesis(founder.root, {
      type: 'genesis',
      version: 1,
      name: 'mydomain',
      root: founder.root.publicKey,
      recovery: '0'.repeat(64),
      founder: { key: guest.key.publicKey, name: parseNodeName('node0') },
      time: 0,
      nonce: new Uint8Array(16),
    });
    await expectRejected(founder, [twin], ['TOKEN_WRONG_DOMAIN']);
  });

  it('are refused when a stranger, or a member without the token, certifies', async () => {
    const founder = await foundSite();
    const text = parseToken(await token(founder, { uses: 9 }));
    const node1 = await join('node1', founder, await token(founder));
    const stranger = generateSigningKey();
    await expectRejected(founder, [certify(stranger, text)], ['NOT_A_MEMBER']);
    await expectRejected(founder, [certify(stranger, text, { via: 'ab'.repeat(32) })], ['NOT_FOUND']);
    await expectRejected(
      founder,
      [certify(stranger, text, linkOf(node1) === undefined ? {} : { via: linkOf(node1) ?? '' })],
      ['NOT_A_MEMBER'],
    );
    const forged = { ...text, invite: generateSigningKey() };
    await expectRejected(founder, [certify(node1.key, forged, { via: linkOf(node1) ?? '' })], ['SIGNATURE_INVALID']);
    await expectRejected(founder, [certify(node1.key, text, { via: linkOf(node1) ?? '', count: 10 })], ['TOKEN_USED_UP']);
    // A key enrolled without its own consent.
    const { body, signature } = signEnrolment(text.invite, founder.key, { grant: text.grant.id, name: parseNodeName('victim') });
    const mine = signEnrolment(text.invite, generateSigningKey(), { grant: text.grant.id, name: parseNodeName('victim') });
    await expectRejected(
      founder,
      [signCertificate(founder.key, { body, signature, consent: mine.consent }, { clock: 0, count: 1, via: undefined })],
      ['SIGNATURE_INVALID'],
    );
  });

  it('do not let one token breed members without end', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 2 });
    const first = await join('first', founder, text);
    const parsed = parseToken(text);
    const own = linkOf(first) ?? '';
    // As the second of two, it may admit one generation more, which may admit nobody.
    await expectRejected(founder, [certify(first.key, parsed, { via: own, count: 1 })], ['TOKEN_USED_UP']);
    const joiners = Array.from({ length: 20 }, () => generateSigningKey());
    const certificates = joiners.map((joiner, index) => certify(first.key, parsed, { via: own, count: 2, joiner, name: `s${index}` }));
    await founder.membership.add(certificates);
    expect(founder.membership.state().members.size).toBe(4);
    const [child] = [...founder.membership.state().links.values()].filter(({ fact }) => fact.admitter === first.key.publicKey);
    const childKey = joiners.find(({ publicKey }) => publicKey === child?.fact.key) ?? generateSigningKey();
    const digest = founder.membership.digest();
    const { rejected } = await founder.membership.add([certify(childKey, parsed, { via: child?.fact.link ?? '', count: 2 })]);
    expect(rejected[0]?.code).toBe('TOKEN_USED_UP');
    expect(founder.membership.digest()).toBe(digest);
  });

  it('do not grow a domain beyond its limit', async () => {
    const founder = await foundSite();
    // A root that lists almost as many as there may be.
    const members = Array.from({ length: MAX_MEMBERS - 6 }, (_, index) => ({
      key: parsePeerKey(index.toString(16).padStart(64, '0')),
      name: parseNodeName(`n${index}`),
    }));
    const rotation = signRotation(parseKey('recovery', founder.recoveryKey), {
      type: 'rotation',
      prev: founder.membership.domain,
      recoveryKey: parseKey('recovery', founder.recoveryKey).publicKey,
      root: founder.root.publicKey,
      recovery: '0'.repeat(64),
      members: [...members, { key: founder.key.publicKey, name: parseNodeName('node0') }],
      removed: [],
      time: 1,
    });
    await founder.membership.add([rotation]);
    const text = parseToken(await token(founder, { uses: 20 }));
    const certificates = Array.from({ length: 20 }, (_, index) => certify(founder.key, text, { count: index + 1, name: `c${index}` }));
    const { added, rejected } = await founder.membership.add(certificates);
    expect([added.length, rejected.length]).toEqual([5, 15]);
    expect(founder.membership.state().members.size).toBe(MAX_MEMBERS);
    await expect(join('late', founder, await token(founder))).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });

  it('are no second item because of a second signature or another encoding around them', async () => {
    const founder = await foundSite();
    const [genesis] = founder.membership.items();
    const { payload } = openEnvelope(genesis?.bytes ?? new Uint8Array(), MAX_ROTATION_BYTES, 'genesis');
    await expectRejected(founder, [encodeEnvelope(payload, new Uint8Array(64))], []);
  });

  it('are refused when oversized, malformed or of no known type', async () => {
    const founder = await foundSite();
    const of = (value: unknown): Uint8Array => encodeEnvelope(encodeCbor(value), new Uint8Array(64));
    await expectRejected(founder, [new Uint8Array(MAX_ROTATION_BYTES + 1)], ['FRAME_TOO_LARGE']);
    await expectRejected(
      founder,
      [of({ type: 'grant' }), of({ type: 'takeover' }), of(1), encodeCbor([1, 2])],
      ['FRAME_INVALID', 'FRAME_INVALID', 'FRAME_INVALID', 'FRAME_INVALID'],
    );
    const padded = of({ type: 'leave', domain: new Uint8Array(32), key: new Uint8Array(32), padding: new Uint8Array(8000) });
    await expectRejected(founder, [padded], ['FRAME_TOO_LARGE']);
  });

  it('stop being looked at after many bad signatures', async () => {
    const founder = await foundSite();
    const text = parseToken(await token(founder, { uses: 100 }));
    const forged = { ...text, invite: generateSigningKey() };
    const { rejected } = await founder.membership.add(
      Array.from({ length: 30 }, (_, count) => certify(founder.key, forged, { count: count + 1 })),
    );
    expect(rejected.filter(({ code }) => code === 'SIGNATURE_INVALID')).toHaveLength(16);
    expect(rejected.filter(({ code }) => code === 'TOO_MANY_REQUESTS')).toHaveLength(14);
  });

  it('cost no signature where they cannot count', async () => {
    const founder = await foundSite();
    const { domain } = founder.membership;
    const strangers = Array.from({ length: 40 }, () => encodeFork(forkOf(generateSigningKey(), domain, epochAt(1))));
    await expectRejected(
      founder,
      strangers,
      strangers.map(() => 'NOT_FOUND'),
    );
    // A removed member that has kept its token, and cannot even be bothered to sign right.
    const text = parseToken(await token(founder, { uses: 3 }));
    const node1 = await join('node1', founder, await token(founder));
    await founder.membership.settle();
    await founder.membership.remove(node1.key.publicKey);
    const forged = { ...text, invite: generateSigningKey() };
    await expectRejected(founder, [certify(node1.key, forged)], ['GONE']);
    // A revoked invite.
    await founder.membership.revoke(text.grant.id);
    await expectRejected(founder, [certify(founder.key, forged)], ['GONE']);
    // A member that forks without end.
    const own = Array.from({ length: 10 }, (_, index) => encodeFork(forkOf(founder.key, domain, epochAt(index))));
    const { added, rejected } = await founder.membership.add(own);
    expect(added).toHaveLength(1);
    expect(rejected.filter(({ code }) => code === 'TOO_MANY_REQUESTS')).toHaveLength(6);
  });

  it('made of random bytes or of changed true ones are refused without a trace', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    await founder.membership.settle();
    const fresh = await foundSite();
    const real = founder.membership.items().map(({ bytes }) => bytes);
    const changed = fc
      .record({ item: fc.constantFrom(...real), at: fc.nat(), xor: fc.integer({ min: 1, max: 255 }) })
      .map(({ item, at, xor }) => item.map((byte, index) => (index === at % item.length ? byte ^ xor : byte)));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.uint8Array({ maxLength: 300 }), changed), { maxLength: 6 }), async (items) => {
        const digests = [founder.membership.digest(), fresh.membership.digest()];
        await founder.membership.add(items);
        await fresh.membership.add(items);
        expect([founder.membership.digest(), fresh.membership.digest()]).toEqual(digests);
      }),
      { numRuns: 150 },
    );
    expect(shownNames(founder)).toEqual(['node0', 'node1']);
    await exchange(founder, node1);
  });
});

describe('a disk that refuses', () => {
  it('leaves all as it was, and the joiner may come again', async () => {
    const founder = await foundSite();
    const text = await token(founder);
    let full = true;
    const kv: Kv = {
      get: (key) => founder.kv.get(key),
      page: (range) => founder.kv.page(range),
      snapshot: () => founder.kv.snapshot(),
      close: () => founder.kv.close(),
      batch: (ops, options) => (full ? Promise.reject(new DtkdError('DISK_FULL', 'the disk is full')) : founder.kv.batch(ops, options)),
    };
    const membership = await openMembership({
      kv,
      domain: founder.membership.domain,
      self: founder.key,
      rootKey: founder.root,
      now: () => founder.clock.ms,
    });
    const site = { ...founder, kv, membership };
    const digest = membership.digest();
    await expect(join('node1', site, text)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(membership.digest()).toBe(digest);
    await expect(membership.rotate(founder.recoveryKey)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(membership.holdsRoot()).toBe(true);
    full = false;
    await join('node1', site, text);
    expect((await reopen(site)).state().members.size).toBe(2);
  });

  it('tells listeners of each change, whatever one of them does', async () => {
    const founder = await foundSite();
    const errors: unknown[] = [];
    const membership = await openMembership({
      kv: founder.kv,
      domain: founder.membership.domain,
      self: founder.key,
      rootKey: founder.root,
      onListenerError: (error) => errors.push(error),
    });
    let told = 0;
    membership.onChange(() => {
      throw new Error('broken');
    });
    const stop = membership.onChange(() => {
      told += 1;
    });
    await membership.invite({ hints: [] });
    expect([told, errors.length]).toEqual([1, 1]);
    stop();
    await membership.invite({ hints: [] });
    expect([told, errors.length]).toEqual([1, 2]);
  });
});
