/**
 * The names under which members' objects show on this node. Pure. A namespace name is unique over all domains, so the same name in two
 * domains (two different keys, perhaps two different machines) must not become one namespace.
 */
import type { DomainId, PeerKey } from '../../../protocol/ids.ts';

const MAX_LABEL_LENGTH = 63;
/** As in one domain: six digits of the key, and more only if somebody made a key that begins like another. */
const SUFFIX_LENGTHS = [6, 12, 24, 48];

export interface NamedDomain {
  id: DomainId;
  self: PeerKey;
  members: readonly { key: PeerKey; claimedName: string; displayName: string }[];
}

/**
 * Names for all members of all domains, unique over all. This node's own name comes first, then the domains in the order in which they
 * were joined, so that joining another one renames nobody.
 */
export function assignNamespaces(ownName: string, domains: readonly NamedDomain[]): Map<DomainId, Map<PeerKey, string>> {
  const taken = new Set([ownName]);
  const assigned = new Map<DomainId, Map<PeerKey, string>>();
  for (const { id, self, members } of domains) {
    const names = new Map<PeerKey, string>([[self, ownName]]);
    assigned.set(id, names);
    // Two passes: a suffixed name must not take the plain name of another member of this domain.
    const rest: (typeof members)[number][] = [];
    for (const member of members) {
      if (member.key === self) continue;
      if (taken.has(member.displayName)) rest.push(member);
      else {
        taken.add(member.displayName);
        names.set(member.key, member.displayName);
      }
    }
    for (const member of rest) {
      const name = free(member, taken);
      taken.add(name);
      names.set(member.key, name);
    }
  }
  return assigned;
}

function free({ key, claimedName }: { key: PeerKey; claimedName: string }, taken: ReadonlySet<string>): string {
  for (const digits of SUFFIX_LENGTHS) {
    const name = `${claimedName.slice(0, MAX_LABEL_LENGTH - 1 - digits)}-${key.slice(0, digits)}`;
    if (!taken.has(name)) return name;
  }
  return key.slice(0, MAX_LABEL_LENGTH);
}
