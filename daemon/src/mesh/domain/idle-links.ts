/**
 * Gives up connections that nothing needs any more, in domains too large for everybody to be connected with everybody. The side that
 * dialled closes: the other one cannot know whether it was chosen as a neighbour. Never cuts what runs on a connection.
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
  /** Milliseconds by the clock of `Link.openedAt`. */
  ticks(): number;
}

export class IdleLinks {
  readonly #ports: IdleLinksPorts;
  readonly #used = new WeakMap<Link, number>();

  constructor(ports: IdleLinksPorts) {
    this.#ports = ports;
  }

  /** To be called now and then. */
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
      // Else its loss would be a reason to dial again.
      requests.drop(link.peer);
      void link.close();
    }
  }
}
