/**
 * The gate: a stranger can negotiate only hello and join, and does not learn what else there is. Every protocol registered with libp2p, by
 * us or by its services, now or later, goes through `guard`. In addition, `narrow` limits what a connection may negotiate, so that
 * strangers see no other names. The gate does not decide who is a member: `Link.admit` does.
 */
import type { Connection, StreamHandler } from '@libp2p/interface';
import type { Components, Registrar } from './libp2p-components.ts';
import type { LibLink } from './libp2p-link.ts';
import { MAX_STRANGER_STREAMS } from './limits.ts';

/** How long a note that a peer speaks a protocol is taken as fresh. Milliseconds. */
const NOTED_MS = 60_000;

export class Gate {
  readonly #open = new Set<string>();
  readonly #linkOf: (connection: Connection) => LibLink | undefined;
  /** Streams refused because their connection was not admitted. */
  refused = 0;

  constructor(linkOf: (connection: Connection) => LibLink | undefined) {
    this.#linkOf = linkOf;
  }

  /** Opens a protocol to strangers. Call it before the protocol is registered. */
  openToStrangers(protocol: string): void {
    this.#open.add(protocol);
  }

  /**
   * Makes every registration from now on pass through the gate. Ending one never fails: after removing the handler, libp2p only records
   * our protocols again for identify, which is not used here, and a service that stops would leave its timers and streams behind on an
   * error.
   */
  guard(registrar: Registrar, onFailure: (error: unknown) => void): void {
    const handle = registrar.handle.bind(registrar);
    const unhandle = registrar.unhandle.bind(registrar);
    registrar.handle = (protocol, handler, options) => handle(protocol, this.#guarded(protocol, handler), options);
    registrar.unhandle = async (protocols, options) => {
      try {
        await unhandle(protocols, options);
      } catch (error) {
        onFailure(error);
      }
    };
  }

  /**
   * Limits what a connection may negotiate while it is a stranger's (`guard` holds anyway; this hides the names), and keeps what it
   * negotiates out of libp2p's peer store, which never forgets a peer. For a member libp2p would write there for each stream, under a
   * lock; here it does so only once in a while.
   */
  narrow(connection: Connection, components: Components): void {
    if (!('components' in connection)) return;
    const { registrar, peerStore } = components;
    const isAdmitted = (): boolean => this.#linkOf(connection)?.admitted === true;
    /** When it was last recorded that the peer speaks a protocol. */
    const noted = new Map<string, number>();
    const narrowed = {
      registrar: instead(registrar, 'getProtocols', () => this.#protocolsFor(connection, registrar)),
      peerStore: instead(peerStore, 'merge', async (...merged: Parameters<typeof peerStore.merge>): Promise<void> => {
        if (!isAdmitted()) return;
        const [, { protocols = [], ...more }] = merged;
        const now = performance.now();
        const isKnown = (protocol: string): boolean => now - (noted.get(protocol) ?? Number.NEGATIVE_INFINITY) < NOTED_MS;
        if (protocols.length > 0 && protocols.every(isKnown) && Object.keys(more).length === 0) return;
        await peerStore.merge(...merged);
        for (const protocol of protocols) noted.set(protocol, now);
      }),
    };
    const all: object = new Proxy(components, {
      get: (target, property) => Reflect.get(Object.hasOwn(narrowed, property) ? narrowed : target, property),
    });
    Reflect.set(connection, 'components', all);
  }

  #protocolsFor(connection: Connection, registrar: Registrar): string[] {
    const link = this.#linkOf(connection);
    if (link?.admitted === true) return registrar.getProtocols();
    if (connection.streams.length > MAX_STRANGER_STREAMS) {
      this.refused += 1;
      connection.abort(new Error('too many streams for a stranger'));
    }
    return [...this.#open];
  }

  #guarded(protocol: string, handler: StreamHandler): StreamHandler {
    if (this.#open.has(protocol)) return handler;
    return (stream, connection) => {
      if (this.#linkOf(connection)?.admitted !== true) {
        this.refused += 1;
        stream.abort(new Error('members only'));
        return;
      }
      return handler(stream, connection);
    };
  }
}

/** The object with one of its methods replaced. */
function instead(object: object, method: string, replacement: unknown): object {
  return new Proxy(object, {
    get: (target, property) => {
      if (property === method) return replacement;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
