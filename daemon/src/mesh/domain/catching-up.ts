/**
 * Decides when to compare logs with which member, besides pushing: on every new connection, every half minute with one neighbour after
 * another, and in large domains by offering what a pull brought. How logs are compared is up to the sync service.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { headsDigest } from '../../../../protocol/log/sync.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { DomainLog } from '../log/log.types.ts';
import { FULL_MESH_BELOW } from './connection-choice.ts';
import { Round } from './round.ts';
import type { Timers } from './timers.ts';

/** Interval of pulls from one neighbour after another, whatever comparisons say: they repair what a lost message left. */
const SYNC_INTERVAL_MS = 30_000;
/**
 * In a domain too large for a full mesh, what a pull brought is offered to this many neighbours, after a delay that lets a burst of pulls
 * make one offer.
 */
const OFFER_DELAY_MS = 200;
const OFFERED_NEIGHBOURS = 6;
/** Delay after which gossip runs on a new connection. */
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
    // Half to one and a half times the interval, so that the members do not fall into step.
    this.#ports.timers.repeat(
      () => this.#pullFromNext(),
      () => SYNC_INTERVAL_MS * (0.5 + Math.random()),
    );
  }

  /** Digest of the heads of all logs. Leaves out suspended authors: of those everybody keeps what came first, which never becomes equal. */
  async digest(): Promise<string> {
    const heads = await this.#ports.log.heads();
    return headsDigest(heads.filter(({ author }) => !this.#ports.isSuspended(author)));
  }

  /**
   * On a new connection, pulls unless both sides have the same. Most do: otherwise fifty members that start together would make thousands
   * of useless pulls. The digest that the other side sent lacks what is written during the greeting, so this is checked once more later.
   */
  greeted(peer: PeerKey, theirs: string | undefined): void {
    this.#compare(peer, theirs).catch((err: unknown) => this.#ports.logger.debug({ err }, 'Logs could not be compared'));
  }

  /** Reports that a pull brought something, which neighbours may lack too. */
  gained(from: PeerKey): void {
    if (this.#offering || this.#ports.members().size < FULL_MESH_BELOW) return;
    this.#offering = true;
    this.#ports.timers.later(() => {
      this.#offering = false;
      // A pull sends our heads, and a member that lacks something pulls in turn.
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
