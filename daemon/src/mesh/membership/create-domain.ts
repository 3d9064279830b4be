/** Creates a domain: its root key, recovery key and genesis. Writes nothing. */
import { randomBytes } from 'node:crypto';
import { isDomainName } from '../../../../protocol/encoding/fields.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type DomainId, type PeerKey, parseDomainId, parseNodeName } from '../../../../protocol/ids.ts';
import { formatKey } from '../../../../protocol/keys/key-text.ts';
import { generateSigningKey, type SigningKey } from '../../../../protocol/keys/signing.ts';
import { parseItem, recoveryHash, signGenesis } from '../../../../protocol/membership/facts.ts';

export interface Founding {
  domain: DomainId;
  name: string;
  /** The first item of the membership. */
  genesis: Uint8Array;
  root: SigningKey;
  /** To be shown to the operator once, and stored nowhere. */
  recoveryKey: string;
}

/** Throws NAME_INVALID. */
export function createDomain(options: { name: string; nodeName: string; self: PeerKey; now: number }): Founding {
  const { name, self, now } = options;
  if (!isDomainName(name)) {
    throw new DtkdError('NAME_INVALID', `"${name.slice(0, 80)}" cannot be the name of a domain`, {
      next: 'Use 1 to 63 lower-case letters, digits, hyphens and dots, each part beginning and ending with a letter or digit, and not "default".',
    });
  }
  const founder = { key: self, name: parseNodeName(options.nodeName) };
  const root = generateSigningKey();
  const recovery = generateSigningKey();
  const genesis = signGenesis(root, {
    type: 'genesis',
    version: 1,
    name,
    root: root.publicKey,
    recovery: recoveryHash(recovery.publicKey),
    founder,
    time: now,
    nonce: Uint8Array.from(randomBytes(16)),
  });
  return { domain: parseDomainId(parseItem(genesis).id), name, genesis, root, recoveryKey: formatKey('recovery', recovery) };
}
