/**
 * The admitting side of `/dtkd/join`, open to strangers: rate-limited, with every frame limited in size and time. The host limits how many
 * strangers wait at a time, fairly among their networks; another limit here would be a way to keep others out. The membership judges the
 * request. A joiner that reached the wrong host of this node is told the right port.
 */
import type { Duplex } from 'node:stream';
import { codeOf, DtkdError } from '../../../../protocol/errors.ts';
import { type DomainId, peerIdOf } from '../../../../protocol/ids.ts';
import { MAX_ITEM_BYTES } from '../../../../protocol/limits.ts';
import { decodeJoinMessage, encodeJoinMessage, type JoinMessage, toRefusal } from '../../../../protocol/membership/join.ts';
import { Counters } from '../../counting/counters.ts';
import { networkOf } from '../../counting/crowd.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { Seldom } from '../../logging/seldom.ts';
import { FrameChannel } from '../host/frame-channel.ts';
import type { Link } from '../host/host.types.ts';
import { STRANGER_TIMEOUT_MS } from '../host/limits.ts';
import type { DomainMembership } from '../membership/domain-membership.ts';
import { TokenBuckets } from './token-bucket.ts';

export const JOIN_PROTOCOL = '/dtkd/join/1.0.0';
/** Streams of join on one connection: one, and one just given up. */
export const MAX_JOIN_STREAMS = 2;

/** For each frame: the joiner only needs to sign. */
const JOIN_TIMEOUT_MS = 5_000;
/** For the whole conversation: as long as a stranger may stay. */
const JOIN_TOTAL_MS = STRANGER_TIMEOUT_MS;
/** An offer or an enrolment: an item of at most 4 KiB, and its framing. */
const MAX_REQUEST_BYTES = MAX_ITEM_BYTES + 1_024;
/** Limits per network: many machines behind one NAT may join together. Guessing is hopeless anyway; this bounds the work. */
const PER_ADDRESS = { burst: 64, perSecond: 10, maxCallers: 1_024 };

/** Key in the `details` of a refusal that names the port of the right host. */
export const REDIRECT_PORT = 'port';

export interface JoinServerPorts {
  membership: DomainMembership;
  logger: Logger;
  now(): number;
  /** Port of this node's host for another domain. */
  portOf(domain: DomainId): number | undefined;
  isOwnNonce(nonce: Uint8Array): boolean;
  /** True while this node, restored from a backup, may not know members that it has admitted. */
  isAwaiting(): boolean;
}

export class JoinServer {
  readonly #ports: JoinServerPorts;
  readonly #rate: TokenBuckets;
  readonly #seldom = new Seldom();
  readonly counters = { joinsAdmitted: 0, joinsRefused: 0 };
  /** Refusals by code. */
  readonly refusals = new Counters();

  constructor(ports: JoinServerPorts) {
    this.#ports = ports;
    this.#rate = new TokenBuckets(PER_ADDRESS, ports.now);
  }

  async serve(stream: Duplex, link: Link): Promise<void> {
    const limits = { maxFrameBytes: MAX_REQUEST_BYTES, timeoutMs: JOIN_TIMEOUT_MS, totalMs: JOIN_TOTAL_MS };
    const channel = new FrameChannel(stream, limits);
    // Joiners through a relay count as the relay, which could bring any number of keys.
    const from = link.remote === undefined ? (link.via ?? link.peer) : networkOf(link.remote.host);
    try {
      if (!this.#rate.take(from)) {
        throw new DtkdError('TOO_MANY_REQUESTS', 'too many nodes are joining here at once', { next: 'Try again in a few seconds.' });
      }
      await this.#converse(channel, link);
      this.counters.joinsAdmitted += 1;
    } catch (error) {
      this.counters.joinsRefused += 1;
      this.refusals.add(codeOf(error));
      const { logger } = this.#ports;
      const fields = { err: error, from: link.remote?.host, peer: peerIdOf(link.peer) };
      this.#seldom.say(`${codeOf(error)} ${from}`, (unsaid) => {
        if (error instanceof DtkdError && error.code !== 'INTERNAL') logger.info({ ...fields, ...unsaid }, 'A join was refused');
        else logger.error({ ...fields, ...unsaid }, 'A join failed');
      });
      await channel.sendBytes(encodeJoinMessage(toRefusal(error))).catch(() => {});
    } finally {
      channel.finish();
    }
  }

  async #converse(channel: FrameChannel, link: Link): Promise<void> {
    const { membership, portOf, isOwnNonce, isAwaiting, logger } = this.#ports;
    const offer = await receive(channel, 'offer');
    if (offer.domain !== membership.domain) {
      const port = portOf(offer.domain);
      throw port === undefined
        ? new DtkdError('NOT_A_MEMBER', 'the node at this address is not a member of the domain of the token', {
            next: 'Give the address of a member of that domain.',
          })
        : new DtkdError('TOKEN_WRONG_DOMAIN', 'that domain is served at another port of this node', { details: { [REDIRECT_PORT]: port } });
    }
    if (isAwaiting()) {
      throw new DtkdError(
        'UNAVAILABLE',
        'this node was restored from a backup, and waits to hear from members whom it has admitted since',
        {
          next: 'Join through another member, or try again in a moment.',
        },
      );
    }
    for (const message of membership.answerOffer(offer, link.peer, isOwnNonce)) await channel.sendBytes(encodeJoinMessage(message));
    const enrol = await receive(channel, 'enrol');
    const welcome = await membership.admit(offer, enrol, link.peer);
    logger.info({ peer: peerIdOf(link.peer), from: link.remote?.host }, 'A node joined through this one');
    for (const message of welcome) await channel.sendBytes(encodeJoinMessage(message));
  }
}

async function receive<T extends JoinMessage['type']>(channel: FrameChannel, type: T): Promise<Extract<JoinMessage, { type: T }>> {
  const frame = await channel.read();
  if (frame === undefined) throw new DtkdError('PEER_AWAY', 'the joining node closed the connection');
  const message = decodeJoinMessage(frame);
  if (!isOfType(message, type)) throw new DtkdError('FRAME_INVALID', `a message of type ${message.type} came in place of ${type}`);
  return message;
}

function isOfType<T extends JoinMessage['type']>(message: JoinMessage, type: T): message is Extract<JoinMessage, { type: T }> {
  return message.type === type;
}
