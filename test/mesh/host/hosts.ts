/** Real hosts on loopback, for tests. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Host, HostOptions, Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { createHost } from '../../../daemon/src/mesh/host/libp2p-host.ts';
import { findFreePort } from '../../../daemon/src/mesh/host/port.ts';
import { type PeerKey, parseDomainId } from '../../../protocol/ids.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { silentLogger } from '../../silent-logger.ts';
import { waitFor } from '../../wait.ts';

export const LOCAL = '127.0.0.1';
/** Far more than loopback needs, far less than a test's own limit. */
export const LIMIT_MS = 60_000;

export interface TestHost {
  host: Host;
  port: number;
  gossip: { from: PeerKey; text: string }[];
  tls: number;
}

export class Hosts {
  readonly domain = parseDomainId(randomBytes(32).toString('hex'));
  readonly members = new Set<PeerKey>();
  readonly all: TestHost[] = [];

  async create(options: Partial<HostOptions> = {}): Promise<TestHost> {
    const key = generateSigningKey();
    const port = await findFreePort([LOCAL], 0, new Set());
    const gossip: TestHost['gossip'] = [];
    const host = await createHost({
      domain: this.domain,
      key,
      logger: silentLogger,
      isMember: (peer) => this.members.has(peer),
      onTls: (socket) => {
        made.tls += 1;
        socket.destroy();
      },
      validate: async (from, data) => {
        gossip.push({ from, text: Buffer.from(data).toString() });
        return 'accept';
      },
      ...options,
    });
    const made: TestHost = { host, port, gossip, tls: 0 };
    this.members.add(key.publicKey);
    await host.listen([LOCAL], port);
    this.all.push(made);
    return made;
  }

  /** Connects and admits on both sides, as hello does. */
  async connect(from: TestHost, to: TestHost): Promise<Link> {
    const link = await from.host.dial({ host: LOCAL, port: to.port }, to.host.key, AbortSignal.timeout(LIMIT_MS));
    await this.admit(from, to, link);
    return link;
  }

  async admit(from: TestHost, to: TestHost, link: Link): Promise<void> {
    const other = await waitFor(
      () => to.host.links().find(({ peer, inbound, admitted }) => peer === from.host.key && inbound && !admitted),
      {
        what: 'the connection to be there on the other side',
      },
    );
    link.admit();
    other.admit();
    await Promise.all([link.announce(to.host.protocols(), []), other.announce(from.host.protocols(), [])]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.splice(0).map(({ host }) => host.stop()));
  }
}

export async function collect(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
