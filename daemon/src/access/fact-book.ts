/**
 * The facts in memory, indexed for decisions: grants by recipient, kind and name; members of those trusts that a grant names, and those
 * users of other nodes that made one (nothing is kept of other trusts and users, whatever members publish). Changed one fact at a time;
 * does not know the store. `version` grows with each change that affects decisions.
 */
import { SELF, type Subject, subjectText } from '../../../protocol/rights/principal.ts';
import type { Facts, Grant, GrantBuckets } from './facts.types.ts';
import type { TrustFact, TypeFact } from './grants.ts';

interface Buckets extends GrantBuckets {
  byName: Map<string, Grant[]>;
  byModel: Map<string, Grant[]>;
  rest: Grant[];
}

interface Recipient {
  grants: Map<string, Grant>;
  byKind: Map<string, Buckets>;
}

export class FactBook implements Facts {
  readonly node: string;
  version = 0;
  readonly #users = new Set<string>();
  /** Users of other nodes that made grants of this node, and how many each. */
  readonly #grantors = new Map<string, number>();
  #homes: ReadonlySet<string> = new Set();
  /** By the object's place, `source/name`. */
  readonly #grants = new Map<string, Grant>();
  readonly #capabilities = new Map<string, Grant>();
  readonly #recipients = new Map<string, Recipient>();
  readonly #trusts = new Map<string, ReadonlyMap<string, string>>();
  readonly #trustsOf = new Map<string, Set<string>>();
  readonly #creators = new Map<string, string>();
  readonly #created = new Set<string>();
  /** By object name. */
  readonly #types = new Map<string, TypeFact>();
  #supertypes: ReadonlyMap<string, string> = new Map();

  constructor(node: string) {
    this.node = node;
  }

  hasUser(user: string): boolean {
    return this.#users.has(user);
  }

  hasHome(key: string): boolean {
    return this.#homes.has(key);
  }

  grants(recipient: string, kind: string): GrantBuckets | undefined {
    return this.#recipients.get(recipient)?.byKind.get(kind);
  }

  grantsTo(recipient: string): Iterable<Grant> {
    return this.#recipients.get(recipient)?.grants.values() ?? [];
  }

  /**
   * Grants to other users with the same appearance: former users of that name, and users of a node that had the home's present name, or
   * that joined anew.
   */
  *grantsToNamesakes({ home, name, uid, display }: Subject & { display: string }): Iterable<Grant> {
    const own = subjectText({ home, name, uid });
    for (const [recipient, { grants }] of this.#recipients) {
      if (recipient === own || !recipient.startsWith(`${name}/`)) continue;
      const sameHome = recipient.endsWith(`@${home}`);
      for (const grant of grants.values()) if (!grant.toTrust && (sameHome || grant.shown === display)) yield grant;
    }
  }

  capability(uid: string): Grant | undefined {
    return this.#capabilities.get(uid);
  }

  trustsOf(user: string): Iterable<string> {
    const trusts = this.#trustsOf.get(user);
    return trusts === undefined ? [] : [...trusts].filter((trust) => this.#isKept(trust));
  }

  membership(trust: string, user: string): string | undefined {
    return this.#isKept(trust) ? this.#trusts.get(trust)?.get(user) : undefined;
  }

  /** False for a trust of a node that is no present member, or is suspended. */
  #isKept(trust: string): boolean {
    const home = trust.slice(trust.lastIndexOf('@') + 1);
    return home === SELF || this.#homes.has(home);
  }

  creatorOf(kind: string, name: string): string | undefined {
    return this.#creators.get(`${kind}/${name}`);
  }

  hasCreated(kind: string, user: string): boolean {
    return this.#created.has(`${kind}/${user}`);
  }

  ancestry(type: string): readonly string[] {
    const chain = [type];
    // the model refuses cycles; if there is one, stop where it closes
    for (let next = this.#supertypes.get(type); next !== undefined && !chain.includes(next); next = this.#supertypes.get(next))
      chain.push(next);
    return chain;
  }

  /** True if a grant names the trust, so that its members are kept. */
  isNamed(trust: string): boolean {
    return this.#recipients.has(trust);
  }

  /** Grants passed on from a capability. */
  below(uid: string): Grant[] {
    return [...this.#grants.values()].filter((grant) => grant.parent?.uid === uid);
  }

  /** True if any grant selects by type, so that a change of types affects decisions. */
  #hasTypeScopes(): boolean {
    for (const { scope } of this.#grants.values()) if (scope.type !== undefined) return true;
    return false;
  }

  /** The time at which the next grant ends after `now`; undefined if none does. */
  nextExpiry(now: number): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const { expires } of this.#grants.values()) if (expires > now && expires < next) next = expires;
    return Number.isFinite(next) ? next : undefined;
  }

  /** Grants that end after `from` and not after `upTo`. */
  endingBetween(from: number, upTo: number): Grant[] {
    return [...this.#grants.values()].filter(({ expires }) => expires > from && expires <= upTo);
  }

  /** Sets what a Type object says; undefined: it is gone, or extends nothing. */
  setType(object: string, fact: TypeFact | undefined): void {
    const before = this.#types.get(object);
    if (before?.type === fact?.type && before?.extended === fact?.extended) return;
    if (fact === undefined) this.#types.delete(object);
    else this.#types.set(object, fact);
    this.#supertypes = new Map([...this.#types.values()].map(({ type, extended }) => [type, extended]));
    if (this.#hasTypeScopes()) this.version += 1;
  }

  /** Sets whether a user exists, if it is of this node or made a grant. */
  setUser(user: string, present: boolean): void {
    if (this.#users.has(user) === present || (isOfOther(user) && !this.#grantors.has(user))) return;
    if (present) this.#users.add(user);
    else this.#users.delete(user);
    this.version += 1;
  }

  setHomes(homes: ReadonlySet<string>): void {
    this.#homes = homes;
    this.version += 1;
  }

  /** Sets or replaces the grant of that name; undefined removes it. */
  setGrant(source: Grant['source'], name: string, grant: Grant | undefined): void {
    const place = `${source}/${name}`;
    const before = this.#grants.get(place);
    this.#count(grant?.grantor, 1);
    if (before !== undefined) this.#remove(place, before);
    if (grant !== undefined) this.#add(place, grant);
    this.#count(before?.grantor, -1);
    this.version += 1;
  }

  #count(grantor: string | undefined, grants: 1 | -1): void {
    if (grantor === undefined || !isOfOther(grantor)) return;
    const now = (this.#grantors.get(grantor) ?? 0) + grants;
    if (now > 0) this.#grantors.set(grantor, now);
    else {
      this.#grantors.delete(grantor);
      this.#users.delete(grantor);
    }
  }

  #add(place: string, grant: Grant): void {
    this.#grants.set(place, grant);
    if (grant.source === 'capability') this.#capabilities.set(grant.uid, grant);
    let recipient = this.#recipients.get(grant.recipient);
    if (recipient === undefined) {
      recipient = { grants: new Map(), byKind: new Map() };
      this.#recipients.set(grant.recipient, recipient);
    }
    recipient.grants.set(place, grant);
    let buckets = recipient.byKind.get(grant.scope.kind);
    if (buckets === undefined) {
      buckets = { byName: new Map(), byModel: new Map(), rest: [] };
      recipient.byKind.set(grant.scope.kind, buckets);
    }
    bucketOf(buckets, grant).push(grant);
  }

  #remove(place: string, grant: Grant): void {
    this.#grants.delete(place);
    if (this.#capabilities.get(grant.uid) === grant) this.#capabilities.delete(grant.uid);
    const recipient = this.#recipients.get(grant.recipient);
    const buckets = recipient?.byKind.get(grant.scope.kind);
    if (recipient === undefined || buckets === undefined) return;
    recipient.grants.delete(place);
    const bucket = bucketOf(buckets, grant);
    bucket.splice(bucket.indexOf(grant), 1);
    if (bucket.length === 0) forgetBucket(buckets, grant);
    if (buckets.rest.length + buckets.byName.size + buckets.byModel.size === 0) recipient.byKind.delete(grant.scope.kind);
    if (recipient.grants.size > 0) return;
    this.#recipients.delete(grant.recipient);
    if (grant.toTrust) this.#setMembers(grant.recipient, undefined);
  }

  /** Sets the present members of a trust, if a grant names it. */
  setTrust({ trust, members }: TrustFact): void {
    if (this.isNamed(trust)) this.#setMembers(trust, members);
  }

  removeTrust(trust: string): void {
    this.#setMembers(trust, undefined);
  }

  #setMembers(trust: string, members: ReadonlyMap<string, string> | undefined): void {
    const before = this.#trusts.get(trust);
    if (isSame(before, members)) return;
    for (const user of before?.keys() ?? []) {
      const trusts = this.#trustsOf.get(user);
      trusts?.delete(trust);
      if (trusts?.size === 0) this.#trustsOf.delete(user);
    }
    this.#trusts.delete(trust);
    this.version += 1;
    if (members === undefined) return;
    this.#trusts.set(trust, members);
    for (const user of members.keys()) {
      const trusts = this.#trustsOf.get(user);
      if (trusts === undefined) this.#trustsOf.set(user, new Set([trust]));
      else trusts.add(trust);
    }
  }

  /** Sets who made an object; undefined: it is gone, or the operator made it. True if the user had made none of the kind before. */
  setCreator(kind: string, name: string, user: string | undefined): boolean {
    const place = `${kind}/${name}`;
    if (user === undefined) {
      this.#creators.delete(place);
      return false;
    }
    this.#creators.set(place, user);
    const created = `${kind}/${user}`;
    if (this.#created.has(created)) return false;
    this.#created.add(created);
    this.version += 1;
    return true;
  }
}

function isOfOther(user: string): boolean {
  return !user.endsWith(`@${SELF}`);
}

function isSame(a: ReadonlyMap<string, string> | undefined, b: ReadonlyMap<string, string> | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.size === b.size && [...a].every(([user, membership]) => b.get(user) === membership);
}

function bucketOf(buckets: Buckets, { scope }: Grant): Grant[] {
  if (scope.name !== undefined) return entry(buckets.byName, scope.name);
  return scope.model === undefined ? buckets.rest : entry(buckets.byModel, scope.model);
}

function entry(map: Map<string, Grant[]>, key: string): Grant[] {
  let list = map.get(key);
  if (list === undefined) {
    list = [];
    map.set(key, list);
  }
  return list;
}

function forgetBucket(buckets: Buckets, { scope }: Grant): void {
  if (scope.name !== undefined) buckets.byName.delete(scope.name);
  else if (scope.model !== undefined) buckets.byModel.delete(scope.model);
}
