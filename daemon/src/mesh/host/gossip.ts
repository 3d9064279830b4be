/**
 * Gossips own entries to all members: gossipsub with strict signing, one topic per domain, everything capped. The domain judges messages
 * before they are forwarded; a forwarder of invalid messages loses its score and is ignored.
 */
import { createHash } from 'node:crypto';
import {
  type GossipSub,
  type GossipSubComponents,
  type GossipsubOpts,
  gossipsub,
  StrictSign,
  TopicValidatorResult,
} from '@libp2p/gossipsub';
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import type { Verdict } from './host.types.ts';
import { fromPeerId } from './keys.ts';
import { MAX_GOSSIP_BACKLOG_BYTES, MAX_GOSSIP_BYTES } from './limits.ts';

/** An RPC carries several messages; this many bytes hold the largest message and the control messages of a heartbeat. */
const MAX_RPC_BYTES = 4 * MAX_GOSSIP_BYTES;

/** Invalid messages cost 20 points times the square of their number; at −80 a neighbour's messages are ignored until that decays. */
const INVALID_WEIGHT = -20;
const INVALID_DECAY = 0.9;

const IDONTWANT_MIN_BYTES = 16 * 1024;

/**
 * Neighbours to which a message is passed on (gossipsub's default is 6 to 12). Its author sends it to all that it is connected with, lists
 * of received messages go round every second, and synchronisation repairs the rest; more copies would only cost each member time.
 */
const DEGREE = { D: 4, Dlo: 3, Dhi: 6, Dout: 1, Dscore: 2 };

/** A topic from which nobody can tell the domain's id, or link two domains. */
function topicOf(domain: DomainId): string {
  return createHash('sha256').update('dtkd/topic\n').update(domain).digest('hex').slice(0, 32);
}

function contentId(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

export interface Gossip {
  service: (components: GossipSubComponents) => GossipSub;
  /** Call it once the host has started. */
  start(): void;
  publish(data: Uint8Array): Promise<void>;
}

export function createGossip(domain: DomainId, validate: (from: PeerKey, data: Uint8Array) => Promise<Verdict>): Gossip {
  const topic = topicOf(domain);
  let gossip: GossipSub | undefined;
  const options: Partial<GossipsubOpts> = {
    globalSignaturePolicy: StrictSign,
    ...DEGREE,
    // By content, so that a message sent by several members passes each node once.
    msgIdFn: (message) => contentId(message.data),
    // Most of what arrives is a copy; this finds copies before their signatures are verified.
    fastMsgIdFn: (message) => contentId(message.data ?? new Uint8Array()).toString('latin1'),
    // Announcing that a message has arrived costs as much as a small message, and nearly all of ours are small.
    idontwantMinDataSize: IDONTWANT_MIN_BYTES,
    allowedTopics: [topic],
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    fallbackToFloodsub: false,
    doPX: false,
    emitSelf: false,
    tagMeshPeers: false,
    runOnLimitedConnection: true,
    // A neighbour's next message waits until its last one is judged, so that a flood fills its own stream, not our memory.
    awaitRpcHandler: true,
    awaitRpcMessageHandler: true,
    maxInboundStreams: 4,
    maxOutboundStreams: 4,
    maxInboundDataLength: MAX_RPC_BYTES,
    maxOutboundBufferSize: MAX_GOSSIP_BACKLOG_BYTES,
    decodeRpcLimits: {
      maxSubscriptions: 8,
      maxMessages: 256,
      maxIhaveMessageIDs: 2_000,
      maxIwantMessageIDs: 2_000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 256,
      maxPeerInfos: 0,
    },
    scoreParams: {
      // Members behind one NAT, or all on one machine, share an address, which says nothing about them.
      IPColocationFactorWeight: 0,
      topics: {
        [topic]: {
          topicWeight: 1,
          timeInMeshWeight: 0,
          timeInMeshQuantum: 1_000,
          timeInMeshCap: 1,
          firstMessageDeliveriesWeight: 0,
          firstMessageDeliveriesDecay: 0.5,
          firstMessageDeliveriesCap: 1,
          meshMessageDeliveriesWeight: 0,
          meshMessageDeliveriesDecay: 0.5,
          meshMessageDeliveriesCap: 1,
          meshMessageDeliveriesThreshold: 1,
          meshMessageDeliveriesWindow: 10,
          meshMessageDeliveriesActivation: 5_000,
          meshFailurePenaltyWeight: 0,
          meshFailurePenaltyDecay: 0.5,
          invalidMessageDeliveriesWeight: INVALID_WEIGHT,
          invalidMessageDeliveriesDecay: INVALID_DECAY,
        },
      },
    },
  };
  return {
    service: (components) => {
      gossip = gossipsub(options)(components);
      return gossip;
    },
    start() {
      if (gossip === undefined) return;
      gossip.topicValidators.set(topic, async (source, message) => {
        if (message.data.length > MAX_GOSSIP_BYTES) return TopicValidatorResult.Reject;
        const verdict = await validate(fromPeerId(source), message.data).catch((): Verdict => 'ignore');
        if (verdict === 'accept') return TopicValidatorResult.Accept;
        return verdict === 'reject' ? TopicValidatorResult.Reject : TopicValidatorResult.Ignore;
      });
      gossip.subscribe(topic);
      decayWithHeartbeats(gossip);
    },
    async publish(data) {
      await gossip?.publish(topic, data);
    },
  };
}

/** Lets scores decay at heartbeats, in place of gossipsub's own timer of that interval: a daemon at rest then wakes once less a second. */
function decayWithHeartbeats(gossip: GossipSub): void {
  const score: unknown = Reflect.get(gossip, 'score');
  if (!isScore(score)) return;
  clearInterval(score._backgroundInterval);
  gossip.addEventListener('gossipsub:heartbeat', () => score.background());
}

interface Score {
  _backgroundInterval: NodeJS.Timeout;
  background(): void;
}

function isScore(value: unknown): value is Score {
  if (typeof value !== 'object' || value === null) return false;
  return typeof Reflect.get(value, '_backgroundInterval') === 'object' && typeof Reflect.get(value, 'background') === 'function';
}
