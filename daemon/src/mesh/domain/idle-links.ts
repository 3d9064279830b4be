/**
 * Closes connections that nothing needs any more, in domains too large for a full mesh. The dialling side closes: the other one cannot
 * know whether it was chosen as a neighbour. Never interrupts what runs on a connection.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Link } from '../host/host.types.ts';
import { chooseIdle } from './connection-choice.ts';
import type { Requests } from './requests.ts';

export interface IdleLinksPorts {
  links(): readonly Link[];
  /** Members that this node chose; their connections stay. */
  isNeighbour(peer: PeerKey): boolean;
  requests: Requests;
  /** Milliseconds on the clock of `Link.openedAt`. */
  ticks(): number;
}

export class IdleLinks {
  readonly #ports: IdleLinksPorts;
  readonly #used = new WeakMap<Link, number>();

  constructor(ports: IdleLinksPorts) {
    this.#ports = ports;
  }

  /** Closes what is idle. Call it now and then. */
  sweep(): void {
    const { links, isNeighbour, requests } = this.#ports;
    const now = this.#ports.ticks();
    const onDemand = links()
      .filter((link) => !link.inbound && link.admitted && !link.closed && !isNeighbour(link.peer))
      .map((link) => {
        const inUse = link.busy || requests.isHeld(link.peer);
        if (inUse) this.#used.set(link, now);
        const lastUsed = Math.max(this.#used.get(link) ?? link.openedAt, requests.lastAsked(link.peer) ?? 0);
        return { link, lastUsed, inUse };
      });
    for (const link of chooseIdle(onDemand, now)) {
      // Otherwise its loss would cause a new dial.
      requests.drop(link.peer);
      void link.close();
    }
  }
}
