/**
 * When to compare logs with whom, beside what is pushed: on every new connection, every half minute with one neighbour after the other, and in
 * large domains by offering on what a pull brought. How logs are compared is the sync service's.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { headsDigest } from '../../../../protocol/log/sync.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { DomainLog } from '../log/log.types.ts';
import { FULL_MESH_BELOW } from './connection-choice.ts';
import { Round } from './round.ts';
import type { Timers } from './timers.ts';

/** With one neighbour after the other, whatever comparisons say, besides on every connection: repairs what a lost message left. */
const SYNC_INTERVAL_MS = 30_000;
/**
 * In a domain too large for everybody to be connected with everybody, what a pull brought is offered to so many neighbours, after a
 * while, so that a burst of pulls makes one offer.
 */
const OFFER_DELAY_MS = 200;
const OFFERED_NEIGHBOURS = 6;
/** By then gossip runs on a new connection. */
const LOGS_RECHECK_MS = 2_000;

export interface CatchingUpPorts {
  log: DomainLog;
  logger: Logger;
  timers: Timers;
  members(): ReadonlyMap<PeerKey, unknown>;
  isSuspended(author: PeerKey): boolean;
  connected(): PeerKey[];
  pull(peer: PeerKey): Promise<unknown>;
}

export class CatchingUp {
  readonly #ports: CatchingUpPorts;
  readonly #round = new Round<PeerKey>();
  #offering = false;

  constructor(ports: CatchingUpPorts) {
    this.#ports = ports;
  }

  start(): void {
    // Between half and one and a half times the interval, so that the members do not keep step.
    this.#ports.timers.repeat(
      () => this.#pullFromNext(),
      () => SYNC_INTERVAL_MS * (0.5 + Math.random()),
    );
  }

  /** Digest of the heads of all logs. Of a suspended author everybody keeps what came first: that never becomes equal, and need not. */
  async digest(): Promise<string> {
    const heads = await this.#ports.log.heads();
    return headsDigest(heads.filter(({ author }) => !this.#ports.isSuspended(author)));
  }

  /**
   * A new connection: pulls unless both have the same. Most members that connect have: fifty that start together would else make thousands
   * of pulls that bring nothing. What is written while they greet is not in what they told, so it is looked at once more.
   */
  greeted(peer: PeerKey, theirs: string | undefined): void {
    this.#compare(peer, theirs).catch((err: unknown) => this.#ports.logger.debug({ err }, 'Logs could not be compared'));
  }

  /** A pull brought something: neighbours may lack it, too. */
  gained(from: PeerKey): void {
    if (this.#offering || this.#ports.members().size < FULL_MESH_BELOW) return;
    this.#offering = true;
    this.#ports.timers.later(() => {
      this.#offering = false;
      // A pull tells our heads, and whoever lacks something pulls in turn.
      const others = this.#ports.connected().filter((peer) => peer !== from);
      for (const peer of others.sort(() => Math.random() - 0.5).slice(0, OFFERED_NEIGHBOURS)) void this.#ports.pull(peer);
    }, OFFER_DELAY_MS);
  }

  async #compare(peer: PeerKey, theirs: string | undefined): Promise<void> {
    const ours = await this.digest();
    if (theirs !== ours || this.#ports.log.isAwaiting()) await this.#ports.pull(peer);
    else this.#ports.timers.later(() => void this.#pullIfChanged(peer, ours).catch(() => {}), LOGS_RECHECK_MS);
  }

  async #pullIfChanged(peer: PeerKey, before: string): Promise<void> {
    if ((await this.digest()) !== before) await this.#ports.pull(peer);
  }

  #pullFromNext(): void {
    const peer = this.#round.next(this.#ports.connected());
    if (peer !== undefined) void this.#ports.pull(peer);
  }
}
