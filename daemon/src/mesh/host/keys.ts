/** Converts between dtkd's keys and libp2p's peer ids: both hold the same raw ed25519 public key. */
import { privateKeyFromRaw, publicKeyFromRaw } from '@libp2p/crypto/keys';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type PeerKey, peerKeyBytes, peerKeyOf } from '../../../../protocol/ids.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';

export function toPeerId(key: PeerKey): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(peerKeyBytes(key)));
}

/** Throws NOT_DTKD for a peer id of another key type. */
export function fromPeerId(id: PeerId): PeerKey {
  if (id.publicKey?.type !== 'Ed25519') throw new DtkdError('NOT_DTKD', 'the peer does not use an ed25519 key');
  return peerKeyOf(id.publicKey.raw);
}

export function toPrivateKey(key: SigningKey): PrivateKey {
  return privateKeyFromRaw(Buffer.concat([key.seed, peerKeyBytes(key.publicKey)]));
}
