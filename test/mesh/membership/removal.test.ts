import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decodeCbor } from '../../../protocol/encoding/cbor.ts';
import { parseNodeName } from '../../../protocol/ids.ts';
import { generateSigningKey, signingKeyFromSeed } from '../../../protocol/keys/signing.ts';
import { MAX_ROTATIONS } from '../../../protocol/limits.ts';
import { signCertificate, signEnrolment } from '../../../protocol/membership/certificate.ts';
import { signLeave, signRootFact } from '../../../protocol/membership/facts.ts';
import { parseToken } from '../../../protocol/membership/token.ts';
import { epochAt, forkOf } from './forks.ts';
import { exchange, foundSite, join, nameOf, reopen, type Site, shownNames, token } from './site.ts';

function memberKeys(site: Site): string[] {
  return [...site.membership.state().members.keys()];
}

describe('removal', () => {
  it('is final, keeps those whom the removed member admitted, and survives restarts', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 5 });
    const node1 = await join('node1', founder, text);
    const node2 = await join('node2', node1, text);
    await exchange(founder, node1, node2);
    await founder.membership.remove(node1.key.publicKey);
    // Not heard of by the founder: falls.
    const late = await join('late', node1, text);
    await exchange(founder, node1, node2, late);
    for (const site of [founder, node2, node1]) {
      expect(shownNames(site)).toEqual(['node0', 'node2']);
      expect(site.membership.state().removed.get(node1.key.publicKey)).toMatchObject({ name: 'node1', left: false });
      expect([...site.membership.state().reservedNames]).toEqual(['node1']);
    }
    expect(memberKeys(late)).not.toContain(late.key.publicKey);
    expect((await reopen(node2)).digest()).toBe(founder.membership.digest());
    // Its old certificate presented again changes nothing.
    const before = founder.membership.digest();
    await founder.membership.add(node1.membership.items().map(({ bytes }) => bytes));
    expect(founder.membership.digest()).toBe(before);
  });

  it('takes along what a fallen member admitted', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 5 });
    const node1 = await join('node1', founder, text);
    const node2 = await join('node2', node1, text);
    const node3 = await join('node3', node2, text);
    await founder.membership.remove(node1.key.publicKey);
    const { rejected } = await founder.membership.add(node3.membership.items().map(({ bytes }) => bytes));
    expect(rejected.map(({ code }) => code)).toEqual(['GONE', 'NOT_FOUND']);
    await exchange(founder, node1, node2, node3);
    expect(shownNames(node3)).toEqual(['node0']);
  });

  it('lets a name be used again once the root frees it, for those keys alone', async () => {
    const founder = await foundSite();
    const first = await join('web', founder, await token(founder));
    await founder.membership.remove(first.key.publicKey);
    await founder.membership.free('web');
    await expect(founder.membership.free('web')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const second = await join('web', founder, await token(founder));
    expect(nameOf(founder, second.key.publicKey)).toBe('web');
    await founder.membership.remove(second.key.publicKey);
    expect([...founder.membership.state().reservedNames]).toEqual(['web']);
  });

  it('is for the holder of the root alone', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    const refused = { code: 'NOT_FOUNDER', next: expect.stringContaining('root') };
    await expect(node1.membership.remove(founder.key.publicKey)).rejects.toMatchObject(refused);
    await expect(node1.membership.invite({ hints: [] })).rejects.toMatchObject(refused);
    await expect(node1.membership.free('x')).rejects.toMatchObject(refused);
    expect(() => node1.membership.exportRoot()).toThrowError(expect.objectContaining(refused));
    expect(await node1.membership.settle()).toEqual([]);
    await expect(founder.membership.remove(founder.key.publicKey)).rejects.toMatchObject({ code: 'INVALID' });
    await node1.membership.importRoot(founder.membership.exportRoot());
    expect(node1.membership.holdsRoot()).toBe(true);
    await expect(node1.membership.importRoot(`dtkd-root-1-${'A'.repeat(48)}`)).rejects.toMatchObject({ code: 'KEY_WRONG' });
  });

  it('of an invite keeps whom the root knows', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 5 });
    const known = await join('known', founder, text);
    const unheard = await join('unheard', known, text);
    await founder.membership.revoke(parseToken(text).grant.id);
    await exchange(founder, known, unheard);
    expect(shownNames(known)).toEqual(['known', 'node0']);
    expect(memberKeys(unheard)).not.toContain(unheard.key.publicKey);
  });
});

describe('leaving', () => {
  it('is final for the key, and its name is free', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 5 });
    const node1 = await join('node1', founder, text);
    const node2 = await join('node2', node1, text);
    await node1.membership.leave();
    await exchange(founder, node1, node2);
    expect(shownNames(founder)).toEqual(['node0', 'node2']);
    expect(founder.membership.state().removed.get(node1.key.publicKey)).toMatchObject({ name: 'node1', left: true });
    expect(founder.membership.state().reservedNames.size).toBe(0);
    await expect(join('node1', founder, text, { key: node1.key })).rejects.toMatchObject({ code: 'REMOVED' });
    await join('node1', founder, text);
    expect(shownNames(founder)).toEqual(['node0', 'node1', 'node2']);
  });

  it('can be said by nobody else, and not in another domain', async () => {
    const founder = await foundSite();
    const other = await foundSite('node0', 'other');
    const node1 = await join('node1', founder, await token(founder));
    const elsewhere = await founder.membership.add([signLeave(node1.key, other.membership.domain)]);
    expect(elsewhere.rejected[0]?.code).toBe('TOKEN_WRONG_DOMAIN');
    const stranger = await founder.membership.add([signLeave(generateSigningKey(), founder.membership.domain)]);
    expect(stranger.rejected[0]?.code).toBe('NOT_FOUND');
    expect(shownNames(founder)).toEqual(['node0', 'node1']);
  });
});

describe('names', () => {
  it('are ambiguous while two claim one, until the root settles it on first sight', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    const text = await token(founder, { uses: 2 });
    await exchange(founder, node1);
    const left = await join('web', founder, text);
    const right = await join('web', node1, text);
    await exchange(node1, left, right);
    const suffixed = [left, right].map(({ key }) => `web-${key.publicKey.slice(0, 6)}`).sort();
    expect(shownNames(node1)).toEqual(['node0', 'node1', ...suffixed]);
    expect(node1.membership.state().members.get(left.key.publicKey)?.ambiguous).toBe(true);
    // The founder saw the left one first.
    await founder.membership.settle();
    await exchange(founder, node1, left, right);
    await founder.membership.settle();
    await exchange(founder, node1, left, right);
    expect(nameOf(right, left.key.publicKey)).toBe('web');
    expect(nameOf(right, right.key.publicKey)).toBe(`web-${right.key.publicKey.slice(0, 6)}`);
    expect(right.membership.state().members.get(right.key.publicKey)?.ambiguous).toBe(false);
    expect(await founder.membership.settle()).toEqual([]);
  });

  it('settles two that came at once, one with the bare name', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    const text = await token(founder, { uses: 2 });
    await exchange(founder, node1);
    const [left, right] = [await join('web', founder, text), await join('web', node1, text)];
    await exchange(founder, node1, left, right);
    await founder.membership.settle();
    expect(shownNames(founder).filter((name) => name === 'web')).toHaveLength(1);
    expect(await founder.membership.settle()).toEqual([]);
    await founder.membership.bind(left.key.publicKey, 'west');
    expect(nameOf(founder, left.key.publicKey)).toBe('west');
  });

  it('that are bound make a member independent of who admitted it', async () => {
    const founder = await foundSite();
    const text = await token(founder, { uses: 4 });
    const node1 = await join('node1', founder, text);
    const node2 = await join('node2', node1, text);
    await exchange(founder, node1, node2);
    await founder.membership.settle();
    await exchange(founder, node1, node2);
    // node1 holds the token's secret: with it, it witnesses others as if they had come before node2.
    const { invite, grant } = parseToken(text);
    const forged = [1, 2, 3, 4].map((index) => {
      const joiner = generateSigningKey();
      const signed = signEnrolment(invite, joiner, { grant: grant.id, name: parseNodeName(`fake${index}`) });
      return signCertificate(node1.key, signed, { clock: 0, count: 1, via: undefined });
    });
    await founder.membership.add(forged);
    expect(founder.membership.state().members.has(node2.key.publicKey)).toBe(true);
    expect(founder.membership.chainOf(node2.key.publicKey)).toHaveLength(2);
  });
});

describe('forks', () => {
  it('suspend their author until the root forgives them', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    const { domain } = founder.membership;
    await founder.membership.reportFork(forkOf(node1.key, domain, epochAt(500)));
    expect([...founder.membership.state().suspended.keys()]).toEqual([node1.key.publicKey]);
    expect((await reopen(founder)).state().suspended.size).toBe(1);
    // A suspended node admits nobody.
    await exchange(founder, node1);
    await expect(join('node2', node1, await token(founder))).rejects.toMatchObject({ code: 'SUSPENDED' });
    // Of many proofs about one author one is kept: the highest.
    const count = founder.membership.items().length;
    await founder.membership.reportFork(forkOf(node1.key, domain, epochAt(600)));
    await founder.membership.reportFork(forkOf(node1.key, domain, epochAt(550)));
    expect(founder.membership.items()).toHaveLength(count);
    await founder.membership.clear(node1.key.publicKey);
    await exchange(founder, node1);
    expect(node1.membership.state().suspended.size).toBe(0);
    await node1.membership.reportFork(forkOf(node1.key, domain, epochAt(600)));
    expect(node1.membership.state().suspended.size).toBe(0);
    await node1.membership.reportFork(forkOf(node1.key, domain, epochAt(601)));
    expect(node1.membership.state().suspended.size).toBe(1);
    await expect(founder.membership.clear(node1.key.publicKey)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are proven by nothing else than two entries of a member of this domain', async () => {
    const founder = await foundSite();
    const other = await foundSite('node0', 'other');
    expect(await founder.membership.reportFork(forkOf(founder.key, other.membership.domain, epochAt(1)))).toEqual([]);
    expect(await founder.membership.reportFork(forkOf(generateSigningKey(), founder.membership.domain, epochAt(1)))).toEqual([]);
    expect(await founder.membership.reportFork(Uint8Array.from([1, 2, 3]))).toEqual([]);
    expect(founder.membership.items()).toHaveLength(1);
  });
});

describe('rotation', () => {
  it('makes a new root with the recovery key on another member: members stay, invites are void, removal works again', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    const node2 = await join('node2', founder, await token(founder));
    const gone = await join('gone', founder, await token(founder));
    const old = await token(founder, { uses: 9 });
    await founder.membership.remove(gone.key.publicKey);
    await exchange(founder, node1, node2);
    const { recoveryKey } = await node1.membership.rotate(founder.recoveryKey);
    expect(node1.membership.holdsRoot()).toBe(true);
    await exchange(node1, node2, founder);
    for (const site of [founder, node1, node2]) {
      expect(shownNames(site)).toEqual(['node0', 'node1', 'node2']);
      expect(site.membership.state().rotations).toBe(1);
      expect([...site.membership.state().reservedNames]).toEqual(['gone']);
      expect(site.membership.state().removed.has(gone.key.publicKey)).toBe(true);
      expect(site.membership.state().invites.size).toBe(0);
    }
    expect(founder.membership.holdsRoot()).toBe(false);
    await expect(join('node3', node2, old)).rejects.toMatchObject({ code: 'TOKEN_VOID' });
    await expect(node2.membership.rotate(founder.recoveryKey)).rejects.toMatchObject({ code: 'KEY_WRONG' });
    const node3 = await join('node3', node2, await token(node1));
    expect(shownNames(node3)).toEqual(['node0', 'node1', 'node2', 'node3']);
    await node1.membership.remove(founder.key.publicKey);
    await exchange(node1, node2, founder);
    expect(shownNames(founder)).toEqual(shownNames(node1));
    expect(shownNames(founder)).not.toContain('node0');
    // Once more, with the next recovery key.
    await node2.membership.rotate(recoveryKey);
    await exchange(node1, node2, founder);
    expect(node1.membership.state().rotations).toBe(2);
    expect(founder.membership.state().members.has(founder.key.publicKey)).toBe(false);
    expect((await reopen(node1)).digest()).toBe(node2.membership.digest());
  });

  it('beats whatever the old root signs afterwards, and two at once end as one', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    const node2 = await join('node2', founder, await token(founder));
    await exchange(founder, node1, node2);
    await node1.membership.rotate(founder.recoveryKey);
    await node2.membership.rotate(founder.recoveryKey);
    await founder.membership.remove(node1.key.publicKey);
    const late = await join('late', founder, await token(founder));
    await exchange(founder, node1, node2, late);
    for (const site of [founder, node1, node2, late]) {
      expect(shownNames(site)).toEqual(['node0', 'node1', 'node2']);
      expect(site.membership.digest()).toBe(founder.membership.digest());
    }
    expect([node1, node2].filter(({ membership }) => membership.holdsRoot())).toHaveLength(1);
    const stale = signRootFact(founder.root, {
      type: 'removal',
      by: founder.membership.domain,
      time: 1,
      key: node2.key.publicKey,
      name: parseNodeName('node2'),
      keeps: [],
    });
    expect((await node1.membership.add([stale])).rejected[0]?.code).toBe('GONE');
  });

  it('needs the right key, and the newcomer believes the newest root only', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    const before = node1.membership.digest();
    await expect(node1.membership.rotate('nonsense')).rejects.toMatchObject({ code: 'KEY_WRONG' });
    await expect(node1.membership.rotate(founder.membership.exportRoot())).rejects.toMatchObject({ code: 'KEY_WRONG' });
    const other = await foundSite('node0', 'other');
    await expect(node1.membership.rotate(other.recoveryKey)).rejects.toMatchObject({ code: 'KEY_WRONG' });
    expect(node1.membership.digest()).toBe(before);
    await node1.membership.rotate(founder.recoveryKey);
    // The founder has not heard of the new root: it cannot judge the new root's invites.
    await expect(join('node2', founder, await token(node1))).rejects.toMatchObject({
      code: 'TOKEN_VOID',
      message: expect.stringContaining('knows'),
    });
  });

  it('leaves the root key where it is, on the disk too, if no rotation is possible any more', async () => {
    const founder = await foundSite();
    let { recoveryKey } = founder;
    for (let times = 0; times < MAX_ROTATIONS; times += 1) ({ recoveryKey } = await founder.membership.rotate(recoveryKey));
    const { domain } = founder.membership;
    await expect(founder.membership.rotate(recoveryKey)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(founder.membership.holdsRoot()).toBe(true);
    const stored = await founder.kv.get(`k/${domain}/root`);
    expect(signingKeyFromSeed(decodeCbor(stored ?? new Uint8Array(), z.instanceof(Uint8Array), 'a root key')).publicKey).toBe(
      founder.membership.state().root,
    );
  });

  it('carries what was forgiven', async () => {
    const founder = await foundSite();
    const node1 = await join('node1', founder, await token(founder));
    const proof = forkOf(node1.key, founder.membership.domain, epochAt(500));
    await founder.membership.reportFork(proof);
    await founder.membership.clear(node1.key.publicKey);
    await founder.membership.rotate(founder.recoveryKey);
    await founder.membership.reportFork(proof);
    expect(founder.membership.state().suspended.size).toBe(0);
  });
});
