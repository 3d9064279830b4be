/** Chooses a domain's port: the configured one for the first, the next free one for others. */
import type { DomainId } from '../../../protocol/ids.ts';
import { findFreePort, usableHosts } from './host/port.ts';

export class PortChoice {
  readonly #hosts: readonly string[];
  readonly #configured: number;
  readonly #inUse: () => number[];
  /** Ports chosen for domains that are not open yet. */
  readonly #reserved = new Map<DomainId, number>();
  #turn: Promise<unknown> = Promise.resolve();

  /** With a configured port of 0, each domain gets any free port. */
  constructor(hosts: readonly string[], configured: number, inUse: () => number[]) {
    this.#hosts = hosts;
    this.#configured = configured;
    this.#inUse = inUse;
  }

  /** Chooses a port, which no other domain gets until it is released. Errors: PORT_IN_USE. */
  reserve(domain: DomainId): Promise<number> {
    const chosen = this.#turn.then(async () => {
      const port = await this.#choose(domain);
      this.#reserved.set(domain, port);
      return port;
    });
    this.#turn = chosen.catch(() => {});
    return chosen;
  }

  /** Call it once the domain's host is open, or will not be. */
  release(domain: DomainId): void {
    this.#reserved.delete(domain);
  }

  async #choose(domain: DomainId): Promise<number> {
    const taken = new Set(this.#inUse());
    for (const [other, port] of this.#reserved) if (other !== domain) taken.add(port);
    if (this.#configured !== 0 && !taken.has(this.#configured)) {
      await usableHosts(this.#hosts, this.#configured);
      return this.#configured;
    }
    return findFreePort(this.#hosts, this.#configured === 0 ? 0 : this.#configured + 1, taken);
  }
}
