import { describe, expect, it } from 'vitest';
import { PendingJoin } from '../../../daemon/src/mesh/joining/pending-join.ts';
import { KeyStore } from '../../../daemon/src/mesh/membership/key-store.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { parseToken } from '../../../protocol/membership/token.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { foundSite, join, token } from '../membership/site.ts';

const AWAY = new DtkdError('PEER_AWAY', 'gone');
const TAKEN = new DtkdError('NAME_TAKEN', 'taken');

async function begin() {
  const founder = await foundSite();
  const text = await token(founder);
  const kv = memoryKv();
  const keys = new KeyStore(kv);
  const open = (other = text) => PendingJoin.open(kv, keys, parseToken(other));
  return { founder, text, kv, keys, open };
}

describe('a join under way', () => {
  it('keeps its key while an answer may have been lost, and joins with it the next time', async () => {
    const { founder, text, kv, keys, open } = await begin();
    const first = await open();
    await first.asking();
    await expect(join('node1', founder, text, { key: first.self, loseAnswer: true })).rejects.toThrow('lost');
    await first.failed(AWAY);
    const second = await open();
    expect(second.self.publicKey).toBe(first.self.publicKey);
    // Not even asked: the lost answer is still lost.
    await second.failed(new DtkdError('ADDRESS_UNREACHABLE', 'nobody there'));
    const third = await open();
    await join('node1', founder, text, { key: third.self });
    expect(founder.membership.state().members.size).toBe(2);
    expect(await keys.list()).toEqual([]);
    await kv.batch(keys.forgetOps(founder.membership.domain), { sync: true });
    expect((await open()).self.publicKey).not.toBe(first.self.publicKey);
  });

  it('leaves nothing behind when it was refused, or was never asked for', async () => {
    const { kv, open } = await begin();
    const refused = await open();
    await refused.asking();
    refused.refused();
    await refused.failed(TAKEN);
    expect(await kv.page({ gte: '', lt: '~' })).toEqual([]);
    await (await open()).failed(AWAY);
    expect(await kv.page({ gte: '', lt: '~' })).toEqual([]);
  });

  it('keeps its key when one of two members did not answer, and drops it once it was removed', async () => {
    const { open } = await begin();
    const first = await open();
    await first.asking();
    await first.asking();
    first.refused();
    await first.failed(TAKEN);
    const second = await open();
    expect(second.self.publicKey).toBe(first.self.publicKey);
    await second.failed(new DtkdError('REMOVED', 'removed'));
    expect((await open()).self.publicKey).not.toBe(first.self.publicKey);
  });

  it('uses a key for one invite only', async () => {
    const { founder, kv, keys, open } = await begin();
    const first = await open();
    await first.asking();
    const other = await open(await token(founder));
    expect(other.self.publicKey).not.toBe(first.self.publicKey);
    await kv.batch(keys.pendingOps(founder.membership.domain, 'ab'.repeat(32), generateSigningKey()), { sync: true });
    expect((await open()).self.publicKey).not.toBe(first.self.publicKey);
  });
});
