import { createHash } from 'node:crypto';
import { DtkdError } from './errors.ts';

/** A DNS label that names a node. For display only, never an identity. */
export type NodeName = string & { readonly brand: 'NodeName' };
/** 64 hex digits: SHA-256 of the domain's genesis. */
export type DomainId = string & { readonly brand: 'DomainId' };
/** 64 hex digits: the raw ed25519 public key of a member in one domain. This is the identity. */
export type PeerKey = string & { readonly brand: 'PeerKey' };
/** 32 hex digits: `dtPeer.id`, a hash of a PeerKey. */
export type PeerId = string & { readonly brand: 'PeerId' };

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const HEX_16_BYTES = /^[0-9a-f]{32}$/;
const HEX_32_BYTES = /^[0-9a-f]{64}$/;

/** RFC 1123 label, at most 63 characters. */
export function isDnsLabel(text: string): boolean {
  return DNS_LABEL.test(text);
}

/** Parses a node name. `default` is refused: the API uses it to mean "this node". */
export function parseNodeName(text: string): NodeName {
  if (!isDnsLabel(text) || text === 'default') {
    throw new DtkdError('NAME_INVALID', `"${text.slice(0, 80)}" cannot be a node name`, {
      next: 'Use 1 to 63 lower-case letters, digits and hyphens, not beginning or ending with a hyphen, and not "default".',
    });
  }
  return text as NodeName;
}

/** Derives a valid node name from a host name: `Web.Example.org` gives `web`. */
export function nodeNameFromHost(host: string): NodeName {
  const label = (host.split('.')[0] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  return (isDnsLabel(label) && label !== 'default' ? label : 'node') as NodeName;
}

/** Parses a public key from another node. Throws FRAME_INVALID. */
export function parsePeerKey(text: string): PeerKey {
  if (!HEX_32_BYTES.test(text)) {
    throw new DtkdError('FRAME_INVALID', 'a peer key is 64 hexadecimal digits');
  }
  return text as PeerKey;
}

/** Parses a domain id from another node. Throws FRAME_INVALID. */
export function parseDomainId(text: string): DomainId {
  if (!HEX_32_BYTES.test(text)) {
    throw new DtkdError('FRAME_INVALID', 'a domain id is 64 hexadecimal digits');
  }
  return text as DomainId;
}

/** Parses a member's id from a user. Throws BAD_REQUEST. */
export function parsePeerId(text: string): PeerId {
  if (!HEX_16_BYTES.test(text)) {
    throw new DtkdError('BAD_REQUEST', `"${text.slice(0, 80)}" is not the id of a member`, {
      next: 'It has 32 hexadecimal digits; see "dtkd get dtpeers".',
    });
  }
  return text as PeerId;
}

/** Returns the text form of a raw public key. */
export function peerKeyOf(publicKey: Uint8Array): PeerKey {
  return parsePeerKey(Buffer.from(publicKey).toString('hex'));
}

/** Returns the raw public key. */
export function peerKeyBytes(key: PeerKey): Uint8Array {
  return Uint8Array.from(Buffer.from(key, 'hex'));
}

/** Returns the 32 hex digits shown as `dtPeer.id`: the first half of SHA-256 over a label and the key. */
export function peerIdOf(key: PeerKey): PeerId {
  return createHash('sha256').update('dtkd/peer-id\n').update(peerKeyBytes(key)).digest('hex').slice(0, 32) as PeerId;
}
