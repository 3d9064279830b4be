import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nodeNameFromHost, parseNodeName, parsePeerId, parsePeerKey, peerIdOf } from '../../protocol/ids.ts';

describe('ids', () => {
  it('of a member are read back, and nothing else is', () => {
    const key = parsePeerKey(
      generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex'),
    );
    const id = peerIdOf(key);
    expect(parsePeerId(id)).toBe(id);
    for (const wrong of ['', 'node1', id.slice(1), id.toUpperCase() + id, `${id}\n`]) {
      expect(() => parsePeerId(wrong)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    }
  });

  it('of a node are DNS labels, and any host name gives one', () => {
    for (const wrong of ['', 'default', 'Node', 'a.b', '-a', 'a-', 'ä', 'a'.repeat(64)]) expect(() => parseNodeName(wrong)).toThrow();
    for (const host of ['Web.Example.org', '-x_y-', '', 'default', 'ä', 'a'.repeat(80)]) {
      expect(parseNodeName(nodeNameFromHost(host))).toBe(nodeNameFromHost(host));
    }
  });
});
