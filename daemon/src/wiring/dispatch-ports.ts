/** Adapts the mesh and Node objects to the ports of dispatch. */
import { type DomainId, type PeerId, parseDomainId, parsePeerKey, peerIdOf } from '../../../protocol/ids.ts';
import { executionKind } from '../../../protocol/kinds/execution.ts';
import { nodeKind, nodeStatus } from '../../../protocol/kinds/node.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { AUTHOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import type { Member, Members, Nodes } from '../dispatch/dispatch.types.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import { objectKey, refOfKey } from '../store/keys.ts';
import type { Kv } from '../store/kv.ts';
import type { ObjectStore } from '../store/object-store.types.ts';

interface Table {
  list: Member[];
  byKey: ReadonlyMap<string, Member>;
  byNode: ReadonlyMap<string, Member>;
}

/** Members of all domains, except suspended ones. Read once per change of the mesh. */
export function dispatchMembers(mesh: Mesh): Members {
  let known: Table | undefined;
  mesh.onChange(() => {
    known = undefined;
  });
  const table = (): Table => {
    known ??= readMembers(mesh);
    return known;
  };
  const byKey = (domain: string, key: string) => table().byKey.get(`${domain} ${key}`);
  return {
    list: () => table().list,
    byKey,
    byNode: (node) => table().byNode.get(node),
    open: ({ domain, key }, protocol, signal) => mesh.openStream(parseDomainId(domain), parsePeerKey(key), protocol, signal),
    handle: (protocol, serve) =>
      mesh.handle(protocol, (stream, { domain, peer }) => {
        const from = byKey(domain, peer);
        if (from === undefined) stream.destroy();
        else serve(stream, from);
      }),
    onChange: (listener) => mesh.onChange(listener),
    sign: (domain, context, bytes) => mesh.sign(parseDomainId(domain), context, bytes),
    unseal: (domain, sealed) => mesh.unseal(parseDomainId(domain), sealed),
    restoredAt: () => mesh.restoredAt(),
  };
}

function readMembers(mesh: Pick<Mesh, 'domains'>): Table {
  const list = mesh
    .domains()
    .flatMap(({ id, self, peers }) =>
      peers
        .filter((peer) => !peer.self && !peer.suspended)
        .map(({ key, displayName, reach }): Member => ({ node: displayName, domain: id, key, selfKey: self, reach })),
    );
  return {
    list,
    byKey: new Map(list.map((member) => [keyText(member.domain, member.key), member])),
    byNode: new Map(list.map((member) => [member.node, member])),
  };
}

/** Whether a key belonged to another member that was removed from, or has left, a domain of this node. Read once per change of the mesh. */
export function goneMembers(mesh: Pick<Mesh, 'domains' | 'onChange'>): (member: string) => boolean {
  let known: ReadonlySet<PeerId> | undefined;
  mesh.onChange(() => {
    known = undefined;
  });
  return (member) => {
    known ??= new Set(mesh.domains().flatMap(({ self, removed }) => removed.map(({ id }) => id).filter((id) => id !== peerIdOf(self))));
    return known.has(peerIdOf(parsePeerKey(member)));
  };
}

const keyText = (domain: string | DomainId, key: string): string => `${domain} ${key}`;

interface KnownNode {
  object: ApiObject;
  author: string | undefined;
  signingKey: string | undefined;
}

/**
 * Nodes, each with its member. Leaves out replicas of nodes that are no longer members. Reads the objects once per change of a Node, since
 * every planned command needs them.
 */
export function dispatchNodes(store: Pick<ObjectStore, 'list' | 'subscribe'>, node: string, members: Pick<Members, 'list'>): Nodes {
  const { group, plural } = nodeKind;
  let known: Promise<readonly KnownNode[]> | undefined;
  store.subscribe((changes) => {
    if (changes.some(({ ref }) => ref.group === group && ref.plural === plural)) known = undefined;
  });
  const read = (): Promise<readonly KnownNode[]> => {
    const reading = store.list({ group, plural }).then(({ items }) =>
      items.map((object) => ({
        object,
        author: object.metadata.annotations?.[AUTHOR_ANNOTATION],
        signingKey: signingKeyOf(object),
      })),
    );
    reading.catch(() => {
      if (known === reading) known = undefined;
    });
    return reading;
  };
  return {
    async list() {
      known ??= read();
      const objects = await known;
      const byKey = new Map(members.list().map((member) => [member.key, member]));
      return objects.flatMap(({ object, author, signingKey }) => {
        const self = author === undefined && object.metadata.name === node;
        const member = author === undefined ? undefined : byKey.get(author);
        return self || member !== undefined ? [{ node: member?.node ?? node, self, object, signingKey, member }] : [];
      });
    },
  };
}

/** The signing key in a Node's status. */
export function signingKeyOf(object: ApiObject): string | undefined {
  return nodeStatus.safeParse(object['status']).data?.signingKey;
}

/** Names of this node's stored executions with a given beginning. */
export function executionNames(kv: Kv, node: string): (beginning: string, limit: number) => Promise<string[]> {
  const { group, plural } = executionKind;
  return async (beginning, limit) => {
    const gte = objectKey({ group, plural, namespace: node, name: beginning });
    // sorts after every character of a name
    const rows = await kv.page({ gte, lt: `${gte}~`, limit, keysOnly: true });
    return rows.map(([key]) => refOfKey(key).name);
  };
}
