/** The items that prove a key's membership to somebody who knows only the domain's id. */
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { ParsedItem } from '../../../../protocol/membership/facts.ts';
import type { CertificateItem } from './admissions.ts';
import type { FoldedState } from './fold.ts';

/** Genesis, rotations, and the certificates from a key that the root lists or has bound down to `key`. Empty if `key` is not a member. */
export function chainOf(state: FoldedState, key: PeerKey): readonly ParsedItem[] {
  const member = state.members.get(key);
  if (member === undefined) return [];
  const { generations, facts, links } = state;
  const below: ParsedItem[] = [];
  let subject = key;
  let certificate: CertificateItem | undefined = member.certificate;
  while (!generations.listed.has(subject)) {
    const binding = facts.bindings.get(subject);
    if (binding !== undefined) {
      below.push(binding);
      break;
    }
    if (certificate === undefined) return [];
    const { admitter, grant, via } = certificate.fact;
    const granted = facts.grants.get(grant);
    below.push(certificate, ...(granted === undefined ? [] : [granted]));
    subject = admitter;
    certificate = via === undefined ? undefined : links.get(via);
  }
  return [generations.genesis, ...generations.rotations, ...new Set(below.reverse())];
}
