/** Simple stand-ins for the part that decides. */
import type { Access, Asked, Decision, Visibility } from '../../daemon/src/access/access.types.ts';
import type { AccessRules } from '../../protocol/kinds/review.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../protocol/rights/capability.ts';
import { CREATOR_ANNOTATION, type Principal, SELF, subjectText, type UserPrincipal } from '../../protocol/rights/principal.ts';

/** Only the operator, who may do everything. */
export function operatorAccess(token: string): Access {
  return {
    authenticate: (given) => (given === token ? { type: 'operator', name: 'operator' } : undefined),
    decide: (principal) =>
      principal.type === 'operator'
        ? { allowed: true, because: 'the operator of this node' }
        : { allowed: false, reason: `${principal.display} may nothing here` },
    view: (principal) => (principal.type === 'operator' ? 'all' : 'none'),
    rules: () => ({ resourceRules: [] }),
    isPresent: () => true,
    onChange: () => () => {},
    onTokenEnd: () => () => {},
    remoteUser: (from, { name, uid }) => ({ type: 'user', home: from.peerKey, name, uid, display: `${name}@${from.namespace}` }),
  };
}

export interface FakeGrant {
  user: string;
  verbs: readonly CapabilityVerb[];
  /** Plural; `*` for all. */
  plural: string;
  name?: string;
  /** `key=value`. */
  label?: string;
}

export function localUser(name: string, node = 'node0'): UserPrincipal {
  return { type: 'user', home: SELF, name, uid: `uid-of-${name}`, display: `${name}@${node}` };
}

/** Users by token, and grants that can be changed at any time; creators have every right on what they made. */
export class FakeAccess implements Access {
  grants: FakeGrant[] = [];
  readonly users = new Map<string, UserPrincipal>();
  readonly #operator: Access;
  readonly #listeners = new Set<() => void>();

  readonly #node: string;

  constructor(token: string, node = 'node0') {
    this.#operator = operatorAccess(token);
    this.#node = node;
  }

  /** Adds a user whose token is `token-of-NAME`. */
  addUser(name: string): UserPrincipal {
    const user = localUser(name, this.#node);
    this.users.set(`token-of-${name}`, user);
    return user;
  }

  grant(...grants: FakeGrant[]): void {
    this.grants.push(...grants);
    this.changed();
  }

  revoke(match: (grant: FakeGrant) => boolean): void {
    this.grants = this.grants.filter((grant) => !match(grant));
    this.changed();
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  authenticate(token: string): Principal | undefined {
    return this.users.get(token) ?? this.#operator.authenticate(token);
  }

  decide(principal: Principal, asked: Asked): Decision {
    if (principal.type === 'operator') return { allowed: true, because: 'the operator of this node' };
    const because = this.#verbs(principal, asked.plural, asked.name, asked.object).get(asked.verb);
    return because === undefined
      ? { allowed: false, reason: `${principal.display} may not ${asked.verb} ${asked.plural} "${asked.name}"` }
      : { allowed: true, because };
  }

  view(principal: Principal, _group: string, plural: string): ReturnType<Access['view']> {
    if (principal.type === 'operator') return 'all';
    const own = this.grants.some((grant) => grant.user === principal.display && (grant.plural === plural || grant.plural === '*'));
    if (!own && principal.home !== SELF) return 'none';
    return (object): Visibility => {
      const verbs = this.#verbs(principal, plural, object.metadata.name, object);
      return verbs.has('READ') ? 'full' : verbs.has('DISCOVER') ? 'name' : 'hidden';
    };
  }

  rules(principal: Principal): AccessRules {
    if (principal.type === 'operator') return { resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] };
    const own = this.grants.filter((grant) => grant.user === principal.display);
    const resourceRules = own.map(({ plural, name }) => ({
      verbs: ['get'],
      apiGroups: ['*'],
      resources: [plural],
      ...(name === undefined ? {} : { resourceNames: [name] }),
    }));
    return { resourceRules, ...(own.some(({ label }) => label !== undefined) ? { incomplete: 'labels' } : {}) };
  }

  isPresent(user: UserPrincipal): boolean {
    return user.home !== SELF || [...this.users.values()].some(({ uid }) => uid === user.uid);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onTokenEnd(listener: () => void): () => void {
    return this.#operator.onTokenEnd(listener);
  }

  remoteUser(from: { peerKey: string; namespace: string }, user: { name: string; uid: string }): UserPrincipal {
    return this.#operator.remoteUser(from, user);
  }

  #verbs(user: UserPrincipal, plural: string, name: string, object: ApiObject | undefined): Map<CapabilityVerb, string> {
    const verbs = new Map<CapabilityVerb, string>();
    const add = (list: readonly CapabilityVerb[], because: string) => {
      for (const verb of list) if (!verbs.has(verb)) verbs.set(verb, because);
      if (list.some((verb) => verb !== 'CREATE') && !verbs.has('DISCOVER')) verbs.set('DISCOVER', because);
    };
    if (object?.metadata.annotations?.[CREATOR_ANNOTATION] === subjectText(user) && object.metadata.uid !== '') {
      add(['READ', 'UPDATE', 'DELETE', 'MANAGE', 'REQUEST', 'EXECUTE'], 'made it');
    }
    for (const [index, grant] of this.grants.entries()) {
      if (grant.user !== user.display || (grant.plural !== '*' && grant.plural !== plural)) continue;
      if (grant.name !== undefined && grant.name !== name) continue;
      const [key = '', value = ''] = grant.label?.split('=') ?? [];
      if (grant.label !== undefined && object?.metadata.labels?.[key] !== value) continue;
      add(grant.verbs, `grant ${index}`);
    }
    return verbs;
  }
}
