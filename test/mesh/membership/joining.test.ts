import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../protocol/errors.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { signEnrolment } from '../../../protocol/membership/certificate.ts';
import { fromRefusal, toRefusal } from '../../../protocol/membership/join.ts';
import { parseToken } from '../../../protocol/membership/token.ts';
import { exchange, foundSite, type JoinOptions, join, nameOf, reopen, type Site, shownNames, token } from './site.ts';

const HOUR = 3_600_000;

/** The join is refused with this code, and neither the admitter's set nor its disk has changed. */
async function expectRefusal(code: ErrorCode, name: string, admitter: Site, text: string, options: JoinOptions = {}): Promise<unknown> {
  const before = admitter.membership.digest();
  const rows = await admitter.kv.page({ gte: 'd/', lt: 'd0', limit: 10_000 });
  const error: unknown = await join(name, admitter, text, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code });
  expect(admitter.membership.digest()).toBe(before);
  expect(await admitter.kv.page({ gte: 'd/', lt: 'd0', limit: 10_000 })).toEqual(rows);
  // What the joiner is told survives the wire.
  expect(fromRefusal(toRefusal(error))).toMatchObject({ code });
  return error;
}

describe('joining', () => {
  it('makes the joiner a member on both sides, durably', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    expect(shownNames(founder)).toEqual(['node0', 'node1']);
    expect(node1.membership.digest()).toBe(founder.membership.digest());
    expect((await reopen(node1)).digest()).toBe(founder.membership.digest());
    expect((await reopen(founder)).state().members.has(node1.key.publicKey)).toBe(true);
    const member = node1.membership.state().members.get(node1.key.publicKey);
    expect(member).toMatchObject({ claimedName: 'node1', displayName: 'node1', ambiguous: false, admittedBy: founder.key.publicKey });
    expect(node1.membership.holdsRoot()).toBe(false);
  });

  it('works through any member while the founder is away, and counts uses over both', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 2 });
    const node1 = await join('node1', founder, text);
    const node2 = await join('node2', node1, text);
    expect(shownNames(node2)).toEqual(['node0', 'node1', 'node2']);
    const error = await expectRefusal('TOKEN_USED_UP', 'node3', node1, text);
    expect(String(error)).toContain('2');
    await expectRefusal('TOKEN_USED_UP', 'node3', node2, text);
    await exchange(founder, node1, node2);
    await expectRefusal('TOKEN_USED_UP', 'node3', founder, text);
    expect(founder.membership.state().invites.values().next().value).toMatchObject({ surplus: 0, uses: 2 });
  });

  it('never admits more than the uses, however many come at once', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 3 });
    const results = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => join(`n${index}`, founder, text)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'TOKEN_USED_UP' });
    expect(founder.membership.state().members.size).toBe(4);
  });

  it('answers the same to a joiner whose answer got lost, also when the invite has ended since', async () => {
    const founder = await foundSite();
    const text = await token(founder);
    const key = generateSigningKey();
    await expect(join('node1', founder, text, { key, loseAnswer: true })).rejects.toThrow('lost');
    const digest = founder.membership.digest();
    founder.clock.ms += 48 * HOUR;
    const node1 = await join('node1', founder, text, { key });
    expect(node1.membership.digest()).toBe(digest);
    expect(founder.membership.state().members.size).toBe(2);
    await expectRefusal('TOKEN_EXPIRED', 'node2', founder, text);
  });

  it('says by how much a token expired and shows both clocks', async () => {
    const founder = await foundSite();
    const text = await token(founder, { expiresMs: HOUR });
    founder.clock.ms += HOUR + 90_000;
    const joinerClock = { ms: founder.clock.ms - 26 * HOUR };
    const error = await expectRefusal('TOKEN_EXPIRED', 'node1', founder, text, { clock: joinerClock });
    expect(error).toMatchObject({
      message: expect.stringContaining('1 min 30 s ago'),
      next: expect.stringContaining('1 d 2 h'),
      details: { expiredForMs: 90_000, admitterClock: founder.clock.ms, joinerClock: joinerClock.ms },
    });
    expect(String(error)).toContain(new Date(founder.clock.ms).toISOString());
    expect(String(error)).toContain(new Date(joinerClock.ms).toISOString());
  });

  it('refuses a revoked token, at members that have heard', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 3 });
    const node1 = await join('node1', founder, text);
    await founder.membership.revoke(parseToken(text).grant.id.slice(0, 16));
    await expectRefusal('TOKEN_REVOKED', 'node2', founder, text);
    await exchange(founder, node1);
    await expectRefusal('TOKEN_REVOKED', 'node2', node1, text);
    expect(shownNames(node1)).toEqual(['node0', 'node1']);
  });

  it('refuses names that are taken, reserved or no names', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 5 });
    const node1 = await join('node1', founder, text);
    await expectRefusal('NAME_TAKEN', 'node0', founder, text);
    // most often that node itself, on a machine that lost its data
    const taken = await expectRefusal('NAME_TAKEN', 'node1', node1, text);
    expect(taken).toMatchObject({ next: expect.stringContaining('--replace node1') });
    await expectRefusal('NAME_INVALID', 'Not_a_label', founder, text);
    await expectRefusal('NAME_INVALID', 'default', founder, text);
    await founder.membership.remove(node1.key.publicKey);
    const reserved = await expectRefusal('NAME_TAKEN', 'node1', founder, text);
    expect(String(reserved)).toContain('reserved');
    expect(reserved).toMatchObject({ next: expect.stringContaining('dtkd domain free-name ') });
    await founder.membership.free('node1');
    expect(nameOf(founder, (await join('node1', founder, text)).key.publicKey)).toBe('node1');
  });

  it('refuses a removed key, whatever token it has', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    await founder.membership.remove(node1.key.publicKey);
    await expectRefusal('REMOVED', 'node9', founder, await token(founder), { key: node1.key });
  });

  it('refuses to be admitted by a node that was removed, or is of another domain', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 3 });
    const node1 = await join('node1', founder, text);
    await founder.membership.remove(node1.key.publicKey);
    await exchange(founder, node1);
    await expectRefusal('NOT_A_MEMBER', 'node2', node1, text);
    const other = await foundSite('node0', 'other');
    await expectRefusal('TOKEN_WRONG_DOMAIN', 'node2', other, text);
  });

  it('shows an impostor no token and no enrolment', async () => {
    const founder = await foundSite();
    const text = await token(founder);
    const impostor = { ...founder, key: generateSigningKey() };
    // It plays back a true member's proof, over a connection that it secured with its own key.
    await expectRefusal('NOT_A_MEMBER', 'node1', impostor, text);
  });

  it('refuses itself, and versions that it no longer speaks', async () => {
    const founder = await foundSite();
    const parsed = parseToken(await token(founder));
    const offer = {
      type: 'offer',
      version: 1,
      domain: parsed.domain,
      grant: parsed.grant.bytes,
      clock: 1,
      nonce: new Uint8Array(16),
    } as const;
    expect(() => founder.membership.answerOffer(offer, generateSigningKey().publicKey, () => true)).toThrowError(
      expect.objectContaining({ code: 'OURSELVES' }),
    );
    expect(() => founder.membership.answerOffer({ ...offer, version: 0 }, generateSigningKey().publicKey)).toThrowError(
      expect.objectContaining({ code: 'VERSION_TOO_OLD' }),
    );
  });

  it('refuses enrolments that were signed without the token, for another key or another invite', async () => {
    const founder = await foundSite();
    const text = await token(founder);
    const other = parseToken(await token(founder));
    const key = generateSigningKey();
    const { grant, invite } = parseToken(text);
    const enrol = (signed: ReturnType<typeof signEnrolment>): JoinOptions => ({
      key,
      tamper: (message) =>
        message.type === 'enrol'
          ? { type: 'enrol', enrolment: signed.body, signature: signed.signature, consent: signed.consent }
          : message,
    });
    const name = 'node1' as Parameters<typeof signEnrolment>[2]['name'];
    const forged = signEnrolment(generateSigningKey(), key, { grant: grant.id, name });
    await expectRefusal('SIGNATURE_INVALID', 'node1', founder, text, enrol(forged));
    const stolen = signEnrolment(invite, generateSigningKey(), { grant: grant.id, name });
    await expectRefusal('SIGNATURE_INVALID', 'node1', founder, text, enrol(stolen));
    const swapped = signEnrolment(other.invite, key, { grant: other.grant.id, name });
    await expectRefusal('SIGNATURE_INVALID', 'node1', founder, text, enrol(swapped));
  });

  it('lets a rebuilt machine take its old name with a grant that says so, and only with one', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    const node2 = await join('node2', founder, await token(founder));
    await founder.membership.settle();
    await expectRefusal('NAME_TAKEN', 'node1', founder, await token(founder), { replace: 'node1' });
    const replacing = await token(founder, { replace: 'node1' });
    await expectRefusal('NAME_TAKEN', 'node1', founder, replacing);
    await expectRefusal('NAME_TAKEN', 'node2', founder, replacing, { replace: 'node2' });
    const rebuilt = await join('node1', founder, replacing, { replace: 'node1' });
    expect(nameOf(founder, rebuilt.key.publicKey)).toBe('node1');
    expect(nameOf(founder, node1.key.publicKey)).toBe(`node1-${node1.key.publicKey.slice(0, 6)}`);
    await founder.membership.settle();
    expect(founder.membership.state().removed.has(node1.key.publicKey)).toBe(true);
    await exchange(founder, node1, node2, rebuilt);
    expect(shownNames(node2)).toEqual(['node0', 'node1', 'node2']);
    expect(await founder.membership.settle()).toEqual([]);
    // A removed machine's reserved name is taken over the same way.
    await founder.membership.remove(rebuilt.key.publicKey);
    const last = await token(founder, { replace: 'node1' });
    await exchange(founder, node2);
    const again = await join('node1', node2, last, { replace: 'node1' });
    expect(nameOf(node2, again.key.publicKey)).toBe('node1');
  });

  it('reports a surplus that two halves of a domain admitted, and leaves it to the founder', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    await founder.membership.settle();
    const text = await token(founder, { uses: 2 });
    await exchange(founder, node1);
    const left = [await join('left1', founder, text), await join('left2', founder, text)];
    const right = [await join('right1', node1, text), await join('right2', node1, text)];
    await exchange(founder, node1, ...left, ...right);
    const invite = founder.membership.state().invites.get(parseToken(text).grant.id);
    expect(invite).toMatchObject({ uses: 2, surplus: 2 });
    expect(invite?.admitted).toHaveLength(4);
    expect(founder.membership.state().members.size).toBe(6);
    await founder.membership.settle();
    expect([...founder.membership.state().members.values()].filter(({ bound }) => bound)).toHaveLength(2);
    for (const site of right) await founder.membership.remove(site.key.publicKey);
    expect(founder.membership.state().invites.get(parseToken(text).grant.id)?.surplus).toBe(0);
    await founder.membership.settle();
    expect([...founder.membership.state().members.values()].every(({ bound }) => bound)).toBe(true);
  });

  it('refuses invites that make no sense', async () => {
    const founder = await foundSite();
    const invite = (options: object) => founder.membership.invite({ hints: [], ...options });
    await expect(invite({ uses: 0 })).rejects.toMatchObject({ code: 'INVALID' });
    await expect(invite({ uses: 1001 })).rejects.toMatchObject({ code: 'INVALID' });
    await expect(invite({ expiresMs: -1 })).rejects.toMatchObject({ code: 'INVALID' });
    await expect(invite({ uses: 2, replace: 'node1' })).rejects.toMatchObject({ code: 'INVALID' });
    await expect(invite({ replace: 'node0' })).rejects.toMatchObject({ code: 'INVALID' });
    await expect(invite({ replace: 'NO' })).rejects.toMatchObject({ code: 'NAME_INVALID' });
    await expect(founder.membership.revoke('0123456789abcdef')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
