/** Resolves `USER@NODE` and `TRUST@NODE`, with nodes as they are named here, to the keys and uids that grants and trusts record. */
import { DtkdError } from '../../../protocol/errors.ts';
import { DTKD_GROUP } from '../../../protocol/kinds/model.ts';
import { trustKind } from '../../../protocol/kinds/trust.ts';
import { userKind } from '../../../protocol/kinds/user.ts';
import { ambiguousNode } from '../../../protocol/peers/ambiguous-node.ts';
import {
  AUTHOR_ANNOTATION,
  type Grantor,
  OPERATOR,
  type Principal,
  parseNameAtNode,
  SELF,
  type Subject,
  type UserPrincipal,
} from '../../../protocol/rights/principal.ts';
import type { ObjectStore } from '../store/object-store.types.ts';
import type { AccessMesh } from './ports.ts';

/** Limit on names of nodes, users or trusts in a refusal. */
const MAX_NAMED = 20;
/** The advice for users of other nodes, who may not learn of this node's other domains. */
const ASK = 'Ask the operator of the node that owns it.';

export interface Resolved extends Subject {
  display: string;
  /** The dtDomain through which the home node is known; absent for this node. */
  domain?: string;
}

export interface DirectoryOptions {
  store: ObjectStore;
  node: { name: string };
  mesh: AccessMesh;
}

export class Directory {
  readonly #options: DirectoryOptions;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** `asker` is who wants to know. Users of other nodes are not told which nodes, users and trusts exist. */
  user(text: string, field: string, asker?: Principal): Promise<Resolved> {
    return this.#resolve(text, userKind, field, asker);
  }

  trust(text: string, field: string, asker?: Principal): Promise<Resolved> {
    return this.#resolve(text, trustKind, field, asker);
  }

  /** Resolves `operator` or `USER@NODE`; `asker` as for `user`. */
  async principal(text: string, asker: Principal): Promise<Principal> {
    if (text === OPERATOR) return { type: 'operator', name: OPERATOR };
    const { home, name, uid, display } = await this.user(text, 'who', asker);
    return { type: 'user', home, name, uid, display };
  }

  /** A user in the form that objects record. */
  grantor({ home, name, uid, display }: UserPrincipal): Grantor {
    const domain = home === SELF ? undefined : this.#domainOf(home);
    return { home, name, uid, display, ...(domain === undefined ? {} : { domain }) };
  }

  /** The namespace of a node's objects; undefined if it is no longer a member. */
  namespaceOf(home: string): string | undefined {
    if (home === SELF) return this.#options.node.name;
    for (const { peers } of this.#options.mesh.domains()) {
      for (const { key, displayName } of peers) if (key === home) return displayName;
    }
    return undefined;
  }

  #domainOf(home: string): string | undefined {
    return this.#options.mesh.domains().find(({ peers }) => peers.some(({ key }) => key === home))?.name;
  }

  async #resolve(text: string, kind: { singular: string; plural: string }, field: string, asker: Principal | undefined): Promise<Resolved> {
    const example = `${kind.singular.toUpperCase()}@NODE`;
    const parsed = parseNameAtNode(text);
    if (parsed === undefined) {
      throw refuse(
        field,
        `"${text.slice(0, 80)}" is not written as ${example}`,
        `Write it like ${kind.singular === 'trust' ? 'research' : 'ops'}@${this.#options.node.name}.`,
      );
    }
    const { name } = parsed;
    const node = parsed.node === 'default' ? this.#options.node.name : parsed.node;
    const isFromElsewhere = asker?.type === 'user' && asker.home !== SELF;
    const home = this.#homeOf(node, field, isFromElsewhere);
    const ref = { group: DTKD_GROUP, plural: kind.plural, namespace: node, name };
    const { store } = this.#options;
    const object = await store.get(ref);
    const author = object?.metadata.annotations?.[AUTHOR_ANNOTATION];
    const isTheirs = (await store.originOf(ref)) === (home === SELF ? 'own' : 'replica') && (home === SELF || author === home);
    if (object === undefined || !isTheirs) {
      throw refuse(
        field,
        `there is no ${kind.singular} "${name}" on node "${node}"`,
        isFromElsewhere ? ASK : await this.#known(kind, node, name),
      );
    }
    const display = `${name}@${node}`;
    const domain = home === SELF ? undefined : this.#domainOf(home);
    return { home, name, uid: object.metadata.uid, display, ...(domain === undefined ? {} : { domain }) };
  }

  #homeOf(node: string, field: string, isFromElsewhere: boolean): string {
    if (node === this.#options.node.name) return SELF;
    const member = this.#options.mesh.memberNamed(node);
    if (member !== undefined) return member.peer;
    if (isFromElsewhere) throw refuse(field, `no node "${node}" is known here`, ASK);
    const peers = this.#options.mesh.domains().flatMap((domain) => domain.peers.filter(({ self }) => !self));
    const claimed = ambiguousNode(
      node,
      peers.map((peer) => ({ shown: peer.displayName, claimed: peer.claimedName })),
    );
    if (claimed !== undefined) throw claimed;
    const nodes = [this.#options.node.name, ...peers.map(({ displayName }) => displayName).sort()];
    throw refuse(field, `no node "${node}" is known here`, `Known are ${someOf(nodes)}.`);
  }

  async #known({ plural, singular }: { plural: string; singular: string }, node: string, name: string): Promise<string> {
    const { items } = await this.#options.store.list({ group: DTKD_GROUP, plural, namespace: node, limit: MAX_NAMED + 1 });
    if (items.length === 0)
      return `No ${plural} of ${node} are known here. Create it on ${node}: dtkd ${singular} ${singular === 'user' ? 'add' : 'create'} ${name}.`;
    return `Its ${plural} are ${someOf(items.map(({ metadata }) => metadata.name))}.`;
  }
}

function someOf(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).join(', ');
  return names.length > MAX_NAMED ? `${shown}, …` : shown;
}

function refuse(field: string, message: string, next: string): DtkdError {
  return new DtkdError('INVALID', message, { next, details: { causes: [{ reason: 'FieldValueNotFound', message, field }] } });
}
