/**
 * Publishes the head of this node's audit log, every hour in which it grew and at a clean stop, and takes part in witnessing the logs of
 * others. (At start the head is published with the Node's facts.)
 */
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import type { AuditHead } from '../../../../protocol/kinds/node.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import type { AuditLog } from './audit.ts';
import { PUBLISH_MS } from './limits.ts';
import { Witnesses, type WitnessMember } from './witnesses.ts';

export interface WitnessingPorts {
  audit: Pick<AuditLog, 'record' | 'head' | 'counters'>;
  store: ObjectStore;
  /** As the mesh reports them; this node itself is left out. */
  domains: () => readonly { id: DomainId; peers: readonly { key: PeerKey; displayName: string; self: boolean; suspended: boolean }[] }[];
  requests: {
    ask: (to: WitnessMember, request: Uint8Array) => Promise<Uint8Array>;
    serve: (answer: (from: PeerKey, request: Uint8Array) => Promise<Uint8Array>) => void;
  };
  /** Puts the head into this node's Node object. */
  publish: (head: AuditHead) => Promise<void>;
  now: () => number;
  logger: Logger;
  publishMs?: number;
}

export interface AuditWitnessing {
  /** Call it once the members are known. */
  start(): Promise<void>;
  gather: Witnesses['gather'];
  /** Sentences about members whose audit logs contradict heads that they showed before. */
  conditions(): string[];
  /**
   * When the head was last published (milliseconds since the epoch; undefined: not since the daemon started), lines since then, and number
   * of members whose logs contradict.
   */
  figures(): { publishedAt: number | undefined; unpublished: number; contradictions: number };
  /** Publishes the last head. The domains must still be open. */
  stop(): Promise<void>;
}

/** Serves the protocol at once; domains that open later serve it, too. */
export function createAuditWitnessing(ports: WitnessingPorts): AuditWitnessing {
  const { audit, store, domains, requests, publish, now, logger, publishMs = PUBLISH_MS } = ports;
  const witnesses = new Witnesses({
    store,
    kv: store.kv,
    members: () =>
      domains().flatMap(({ id, peers }) =>
        peers.filter(({ self }) => !self).map(({ key, displayName, suspended }) => ({ domain: id, key, name: displayName, suspended })),
      ),
    ask: requests.ask,
    now,
    logger,
  });
  requests.serve((from, request) => witnesses.answer(from, request));
  let timer: NodeJS.Timeout | undefined;
  let published = -1;
  let publishedAt: number | undefined;

  async function publishHead(): Promise<void> {
    const { auditLines } = audit.counters();
    if (auditLines === published) return;
    const head = await audit.head();
    if (head === undefined) return;
    await witnesses.keepOwn(head);
    await publish(head);
    published = auditLines ?? -1;
    publishedAt = now();
  }

  return {
    async start() {
      await witnesses.start();
      const head = await audit.head();
      if (head !== undefined) await witnesses.keepOwn(head);
      published = audit.counters()['auditLines'] ?? -1;
      // published with the Node's facts
      publishedAt = now();
      timer = setInterval(() => void publishHead(), publishMs);
      timer.unref();
    },
    gather: () => witnesses.gather(),
    conditions: () => witnesses.conditions(),
    figures: () => ({
      publishedAt,
      unpublished: Math.max(0, (audit.counters()['auditLines'] ?? 0) - published),
      contradictions: witnesses.conditions().length,
    }),
    async stop() {
      clearInterval(timer);
      audit.record({ who: 'daemon', verb: 'stop', what: 'daemon', outcome: 'allowed', because: 'asked to stop' });
      await publishHead();
      await witnesses.stop();
    },
  };
}
