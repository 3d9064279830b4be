/** Nodes whose APIs ask one another over pairs of streams in memory. */
import type { Duplex } from 'node:stream';
import type { Audit, AuditRecord } from '../../../daemon/src/access/access.types.ts';
import { createPeerApi } from '../../../daemon/src/api/remote/asking.ts';
import { type PeerSource, PeerTable } from '../../../daemon/src/api/remote/peer-table.ts';
import { createRemoteApiServer, type RemoteApiServer } from '../../../daemon/src/api/remote/serving.ts';
import type { PeerApi } from '../../../daemon/src/catalog/federation/peer-api.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { type DomainId, type PeerKey, parseDomainId, parsePeerKey } from '../../../protocol/ids.ts';
import { streamPair } from '../../apps/memory-mesh.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { FakeAccess } from '../fake-access.ts';
import { startTestApi, type TestApi, type TestApiOptions, TOKEN } from '../fixtures.ts';

export const DOMAIN: DomainId = parseDomainId('d'.repeat(64));

export function keyOf(name: string): PeerKey {
  return parsePeerKey(Buffer.from(name).toString('hex').padEnd(64, '0'));
}

export type Handler = (stream: Duplex, from: { domain: DomainId; peer: PeerKey }) => void;

/** Who can be reached, and who answers there. */
export class Wires {
  readonly handlers = new Map<string, Handler>();
  readonly away = new Set<string>();
  readonly wanted: string[] = [];
  /** Of nodes that show under another name than the one in their certificate. */
  readonly claims = new Map<string, string>();
  /** Streams opened so far, as their opener has them. */
  readonly streams: Duplex[] = [];
  #names: readonly string[];
  readonly #listeners = new Set<() => void>();

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** Other members, which are away. */
  setClaimants(shown: readonly string[], claimed: string): void {
    this.#names = [...this.#names.filter((name) => !this.claims.has(name)), ...shown];
    this.claims.clear();
    for (const name of shown) this.claims.set(name, claimed);
    for (const name of shown) this.away.add(name);
    for (const listener of this.#listeners) listener();
  }

  cut(name: string): void {
    this.away.add(name);
    for (const stream of this.streams.splice(0)) stream.destroy(new Error('cut'));
    for (const listener of this.#listeners) listener();
  }

  source(self: string): PeerSource {
    return {
      domains: () => [
        {
          id: DOMAIN,
          peers: this.#names.map((name) => ({
            key: keyOf(name),
            displayName: name,
            claimedName: this.claims.get(name) ?? name,
            self: name === self,
            reach: this.away.has(name) ? 'away' : 'connected',
            suspended: false,
          })),
        },
      ],
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }

  peerApi(self: string): PeerApi {
    return createPeerApi({
      peers: new PeerTable(this.source(self)),
      mesh: {
        openStream: async (_domain, peer) => {
          const name = this.#names.find((each) => keyOf(each) === peer) ?? '';
          const handler = this.handlers.get(name);
          if (handler === undefined || this.away.has(name)) throw new DtkdError('PEER_AWAY', 'it is away');
          const [here, there] = streamPair();
          this.streams.push(here);
          handler(there, { domain: DOMAIN, peer: keyOf(self) });
          return here;
        },
        want: (_domain, peer) => void this.wanted.push(peer),
      },
    });
  }
}

export interface TestNode {
  name: string;
  api: TestApi;
  access: FakeAccess;
  peers: PeerApi;
  served: RemoteApiServer;
  audited: AuditRecord[];
}

/** Starts the API of one node on the wires. */
export async function startNode(wires: Wires, name: string, options: TestApiOptions = {}): Promise<TestNode> {
  const access = new FakeAccess(TOKEN, name);
  const audited: AuditRecord[] = [];
  const audit: Audit = { record: (line) => void audited.push(line) };
  const peers = wires.peerApi(name);
  const store = await openObjectStore({ kv: memoryKv(), node: name });
  const api = await startTestApi({ node: { name }, store, access, audit, peers, ...options });
  const table = new PeerTable(wires.source(name));
  const served = createRemoteApiServer({
    fetch: (request, from) => api.server.answer(request, from),
    access,
    namespaceOf: (domain, key) => table.byKey(domain, key)?.namespace,
    logger: silentLogger,
  });
  wires.handlers.set(name, (stream, from) => served.serve(stream, from));
  return { name, api, access, peers, served, audited };
}
