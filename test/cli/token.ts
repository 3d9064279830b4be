import { parseDomainId } from '../../protocol/ids.ts';
import { generateSigningKey, hashHex } from '../../protocol/keys/signing.ts';
import { signRootFact } from '../../protocol/membership/facts.ts';
import { formatToken } from '../../protocol/membership/token.ts';

const DAY_MS = 86_400_000;

/** A well-formed invite token of a domain that nobody founded. */
export function someToken(domainName: string): string {
  const root = generateSigningKey();
  const invite = generateSigningKey();
  const domain = parseDomainId(hashHex(Buffer.from(domainName)));
  const time = Date.now();
  const grant = signRootFact(root, { type: 'grant', by: domain, time, key: invite.publicKey, uses: 1, expires: time + DAY_MS });
  return formatToken({ domain, domainName, root: root.publicKey, hints: ['192.0.2.1:7701'], invite, grant });
}
