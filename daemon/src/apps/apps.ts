import { AppTable } from './app-table.ts';
import { CopiesController } from './copies.ts';
import { Dialer } from './dialer.ts';
import { appActions, Forwards } from './forward.ts';
import { HttpProxy } from './http/proxy.ts';
import { Ingress } from './ingress.ts';
import { LaneBook } from './lane/lane-book.ts';
import { LaneClient } from './lane/lane-client.ts';
import { LaneServer } from './lane/lane-server.ts';
import { LaneIdentities } from './lane/lane-tls.ts';
import { OwnApps } from './own-apps.ts';
import { PeerDirectory } from './peer-directory.ts';
import type { Apps, AppsOptions } from './ports.ts';
import { tryOwnApps } from './try-own.ts';
import { TunnelClient } from './tunnel/tunnel-client.ts';
import { TunnelServer } from './tunnel/tunnel-server.ts';

/** How long responses under way may take to finish when the daemon stops. */
const GRACE_MS = 1_000;
const GRACE_STEP_MS = 20;

/** Assembles the dtApps part of a daemon. Nothing listens before `start`. */
export function createApps(options: AppsOptions): Apps {
  const { store, mesh, node, logger } = options;
  const identities = new LaneIdentities();
  const peers = new PeerDirectory(mesh);
  const table = new AppTable(store, node.name, options.authorOf);
  // Durations are measured on a monotonic clock.
  const elapsed = () => performance.now();
  const dialer = new Dialer(elapsed);
  const own = new OwnApps({ store, node: node.name, dialer, ownListeners: options.ownListeners, now: elapsed });
  const book = new LaneBook(mesh, peers);
  const lanes = new LaneClient({ mesh, identities, book, now: elapsed });
  const tunnels = new TunnelClient({ mesh, peers, lanes });
  const proxy = new HttpProxy(elapsed, () => [own.sweep(), ingress.sweep()].includes(true), options.most?.connections);
  const { users } = options;
  const ingress = new Ingress({ table, peers, own, tunnels, proxy, users, node, now: elapsed });
  const server = new TunnelServer({ table, peers, own, proxy, users, most: options.most?.tunnels, logger });
  const laneServer = new LaneServer({
    mesh,
    identities,
    book,
    accept: (channel, from) => server.accept(channel, from),
    logger,
    now: elapsed,
  });
  const forwards = new Forwards({ table, own, tunnels, proxy });
  const ingressPort = () => ingress.bound().port;
  const copies = new CopiesController({ store, table, peers, node, ingressPort, targetsOf: (app) => own.targetsOf(app), logger });
  const unsubscribe: (() => void)[] = [];

  const onMeshChange = () => {
    peers.refresh();
    table.refreshAuthors();
    copies.recheck();
    book.recheck();
    server.recheck();
    lanes.forgetReturned(peers);
  };

  return {
    async start() {
      await ingress.listen(options.ingress);
      const stored = await table.load();
      own.start(table);
      server.start(mesh);
      laneServer.start();
      copies.start(stored);
      unsubscribe.push(mesh.onChange(onMeshChange));
      onMeshChange();
    },
    domainsKnown() {
      onMeshChange();
      copies.domainsKnown();
    },
    async stop() {
      for (const stop of unsubscribe) stop();
      ingress.stopListening();
      proxy.drain();
      for (let waited = 0; proxy.size > 0 && waited < GRACE_MS; waited += GRACE_STEP_MS) {
        await new Promise((resolve) => setTimeout(resolve, GRACE_STEP_MS));
      }
      proxy.stop();
      forwards.closeAll();
      server.stop();
      laneServer.stop();
      ingress.close();
      own.stop();
      book.closeAll();
      table.close();
      await copies.stop();
    },
    ingressAddress: () => ingress.bound(),
    createForward: (request) => forwards.create(request),
    actions: appActions(forwards),
    summary: () => copies.summary(),
    tryOwn: (signal) => tryOwnApps(table, own, signal),
    figures: () => ({
      answers: [...proxy.answered],
      served: { ...server.traffic, open: server.size, accepted: server.accepted, refused: server.refused },
      opened: { ...tunnels.traffic, streams: tunnels.streams, lanes: book.size, lanesOpened: lanes.opened, lanesFailed: lanes.failed },
    }),
    counters: () => ({
      httpConnections: proxy.size,
      httpRefused: proxy.refusedConnections,
      httpUnknownHost: ingress.unknown,
      tunnelsServed: server.size,
      tunnelsAccepted: server.accepted,
      tunnelsRefused: server.refused,
      tunnelStreams: tunnels.streams,
      lanes: book.size,
      lanesOpened: lanes.opened,
      lanesFailed: lanes.failed,
      lanesRefused: laneServer.refused,
      forwards: forwards.size,
      endpointFailures: dialer.failureCount,
      authenticationsAsked: own.authenticator.asked,
      authenticationsRefused: own.authenticator.refused,
    }),
  };
}
