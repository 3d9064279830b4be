/** The members of all domains of this node, computed once per change of the mesh. */
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import type { PeerNode } from '../../catalog/federation/peer-api.types.ts';

/** The port to the mesh. */
export interface PeerSource {
  domains(): readonly {
    id: DomainId;
    peers: readonly {
      key: PeerKey;
      displayName: string;
      claimedName: string;
      self: boolean;
      reach: 'connected' | 'idle' | 'away';
      suspended: boolean;
    }[];
  }[];
  onChange(listener: () => void): () => void;
}

interface Known {
  list: readonly PeerNode[];
  byName: ReadonlyMap<string, PeerNode>;
  byKey: ReadonlyMap<string, PeerNode>;
}

export class PeerTable {
  readonly #source: PeerSource;
  readonly #listeners = new Set<() => void>();
  #known: Known | undefined;

  constructor(source: PeerSource) {
    this.#source = source;
    source.onChange(() => {
      this.#known = undefined;
      for (const listener of this.#listeners) listener();
    });
  }

  /** Sorted by namespace. */
  list(): readonly PeerNode[] {
    return this.#table().list;
  }

  named(namespace: string): PeerNode | undefined {
    return this.#table().byName.get(namespace);
  }

  /** The member at the other end of a connection. */
  byKey(domain: DomainId, key: PeerKey): PeerNode | undefined {
    return this.#table().byKey.get(`${domain} ${key}`);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #table(): Known {
    if (this.#known !== undefined) return this.#known;
    const list = this.#source
      .domains()
      .flatMap(({ id, peers }) =>
        peers
          .filter((peer) => !peer.self)
          .map(({ key, displayName, claimedName, reach, suspended }) => ({
            domain: id,
            key,
            namespace: displayName,
            claimedName,
            reachable: reach !== 'away' && !suspended,
            suspended,
          })),
      )
      .sort((a, b) => (a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0));
    this.#known = {
      list,
      byName: new Map(list.map((peer) => [peer.namespace, peer])),
      byKey: new Map(list.map((peer) => [`${peer.domain} ${peer.key}`, peer])),
    };
    return this.#known;
  }
}
