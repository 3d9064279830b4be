/**
 * The gate: a stranger may negotiate hello and join and nothing else, and does not learn what else there is. Every protocol registered
 * with libp2p, by us or by its services, now or later, goes through `guard`; what a connection may negotiate is narrowed besides, so
 * that strangers are told nothing. It does not decide who is a member: `Link.admit` does.
 */
import type { Connection, StreamHandler } from '@libp2p/interface';
import type { Components, Registrar } from './libp2p-components.ts';
import type { LibLink } from './libp2p-link.ts';
import { MAX_STRANGER_STREAMS } from './limits.ts';

/** Milliseconds for which it stays noted that a peer speaks a protocol. */
const NOTED_MS = 60_000;

export class Gate {
  readonly #open = new Set<string>();
  readonly #linkOf: (connection: Connection) => LibLink | undefined;
  /** Streams refused because their connection was not admitted. */
  refused = 0;

  constructor(linkOf: (connection: Connection) => LibLink | undefined) {
    this.#linkOf = linkOf;
  }

  /** Lets strangers use a protocol. To be called before it is registered. */
  openToStrangers(protocol: string): void {
    this.#open.add(protocol);
  }

  /**
   * Makes every registration from now on pass through the gate. Its end cannot fail: once the handler is gone libp2p only notes our
   * protocols anew for identify, which is not spoken, and a service that stops would leave its timers and streams behind over it.
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
   * Narrows what a connection may negotiate while it is a stranger's (without it the guard still holds; only the names would show), and
   * keeps what it negotiates out of libp2p's store of peers, which forgets nobody. Of a member each stream would have it written there anew, under a lock: once in a
   * while is enough.
   */
  narrow(connection: Connection, components: Components): void {
    if (!('components' in connection)) return;
    const { registrar, peerStore } = components;
    const isAdmitted = (): boolean => this.#linkOf(connection)?.admitted === true;
    /** When it was noted last that the peer speaks a protocol. */
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

/** The object with another method in place of one of its own. */
function instead(object: object, method: string, replacement: unknown): object {
  return new Proxy(object, {
    get: (target, property) => {
      if (property === method) return replacement;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
