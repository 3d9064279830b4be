/**
 * Runs hello on new connections, from either end. Guarantees that a connection is closed if hello fails on it, and that nothing is
 * reported of one before both sides have proved to be members.
 */
import type { Duplex } from 'node:stream';
import { codeOf } from '../../../../protocol/errors.ts';
import { peerIdOf } from '../../../../protocol/ids.ts';
import { HELLO_PROTOCOL, type HelloAbout } from '../../../../protocol/peers/hello.ts';
import { Counters } from '../../counting/counters.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Link } from '../host/host.types.ts';
import { isUnserved, otherVersion } from '../host/other-version.ts';
import { patiently } from '../host/patience.ts';
import type { Membership } from '../membership/membership.types.ts';
import { answerHello, greet } from './hello.ts';
import type { Timers } from './timers.ts';

const HELLO_OPEN_TIMEOUT_MS = 5_000;

export interface AdmissionPorts {
  membership: Membership;
  logger: Logger;
  timers: Timers;
  about(to: Link): Promise<HelloAbout>;
  /** Called once both sides have proved membership. Rejects if the connection is of no use after all. */
  admitted(link: Link, about: HelloAbout): Promise<void>;
}

export class Admission {
  readonly counters = { hellosRefused: 0 };
  /** Refused hellos by code. */
  readonly refusals = new Counters();
  readonly #ports: AdmissionPorts;
  readonly #greeting = new WeakSet<Link>();

  constructor(ports: AdmissionPorts) {
    this.#ports = ports;
  }

  /** Greets on a new outbound connection if nobody has done so after a second: libp2p's routing table dials too, and does not greet. */
  opened(link: Link): void {
    if (link.inbound) return;
    this.#ports.timers.later(() => {
      if (!link.closed && !link.admitted && !this.#greeting.has(link)) this.greet(link).catch(() => {});
    }, HELLO_OPEN_TIMEOUT_MS / 5);
  }

  /** Runs hello on a link that we dialled. Rejects, and cuts the link, if it was not admitted. */
  async greet(link: Link): Promise<void> {
    const { membership, about, admitted } = this.#ports;
    this.#greeting.add(link);
    try {
      const stream = await link.open(HELLO_PROTOCOL, AbortSignal.timeout(patiently(HELLO_OPEN_TIMEOUT_MS))).catch((error: unknown) => {
        throw isUnserved(error) ? otherVersion(HELLO_PROTOCOL, error) : error;
      });
      await admitted(link, await greet(stream, link, { membership, about }));
    } catch (error) {
      this.#refused(error);
      link.abort('hello failed');
      throw error;
    }
  }

  /** Answers hello on a link that the other side dialled. */
  async answer(stream: Duplex, link: Link): Promise<void> {
    if (link.admitted) {
      stream.destroy();
      return;
    }
    const { membership, about, admitted, logger } = this.#ports;
    try {
      await admitted(link, await answerHello(stream, link, { membership, about }));
    } catch (error) {
      this.#refused(error);
      logger.debug({ err: error, from: link.remote?.host, peer: peerIdOf(link.peer) }, 'A hello was refused');
      // The refusal must arrive before the connection is closed.
      if (link.admitted) link.abort('hello failed');
      else stream.once('close', () => void link.close());
    }
  }

  #refused(error: unknown): void {
    this.counters.hellosRefused += 1;
    this.refusals.add(codeOf(error));
  }
}
