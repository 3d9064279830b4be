/**
 * The names under which members show on this node, and the member behind a name, over all domains, as `namespaces.ts` assigns them.
 * Reports members that got another name, so that what is kept of them can move.
 */
import { type DomainId, type NodeName, type PeerKey, peerIdOf } from '../../../protocol/ids.ts';
import { assignNamespaces, type NamedDomain } from './namespaces.ts';

/** Digits of the id that stand for a member without a name (yet). */
const UNNAMED_DIGITS = 12;

export class MemberNames {
  readonly #own: NodeName;
  #names = new Map<DomainId, Map<PeerKey, string>>();
  /** Members by name, without this node itself. */
  #members = new Map<string, { domain: DomainId; peer: PeerKey }>();

  constructor(own: NodeName) {
    this.#own = own;
  }

  of(domain: DomainId, key: PeerKey): string {
    return this.#names.get(domain)?.get(key) ?? peerIdOf(key).slice(0, UNNAMED_DIGITS);
  }

  /** Undefined for this node's own name. */
  memberNamed(name: string): { domain: DomainId; peer: PeerKey } | undefined {
    return this.#members.get(name);
  }

  /** Assigns all names anew; calls `renamed` for each member that had another name before. */
  assign(domains: readonly NamedDomain[], renamed: (domain: DomainId, key: PeerKey) => void): void {
    const before = this.#names;
    this.#names = assignNamespaces(this.#own, domains);
    this.#members = new Map();
    for (const [domain, names] of this.#names) {
      for (const [peer, name] of names) if (name !== this.#own) this.#members.set(name, { domain, peer });
    }
    for (const [domain, names] of this.#names) {
      for (const [key, name] of names) {
        const previous = before.get(domain)?.get(key);
        if (previous !== undefined && previous !== name) renamed(domain, key);
      }
    }
  }
}
