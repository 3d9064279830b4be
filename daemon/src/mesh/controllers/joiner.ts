/**
 * Processes dtDomain documents that ask to join (`spec.peer`): tries, with back-off, until the node is a member or a member has refused
 * for a reason that a retry cannot change. One attempt per domain at a time; writes the outcome to `status` and `message`.
 */
import { DtkdError, type ErrorCode } from '../../../../protocol/errors.ts';
import { dtDomainSchema, SIGHTLINE_GROUP } from '../../../../protocol/kinds/dtdomain.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { EventRecorder } from '../../store/event-recorder.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import { Serial } from '../log/serial.ts';
import type { Mesh } from '../mesh.types.ts';
import { withFields } from './domain-view.ts';

/** First wait after a failed attempt, doubled up to LAST_WAIT_MS. Milliseconds. */
const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 30_000;

/**
 * Errors worth a retry: the peer may come up, the clock or address be corrected, the disk get room, or a command that joins the same
 * domain fail.
 */
const TRANSIENT: readonly ErrorCode[] = [
  'ADDRESS_UNREACHABLE',
  'NOT_DTKD',
  'TIMEOUT',
  'UNAVAILABLE',
  'PEER_AWAY',
  'TOO_MANY_REQUESTS',
  'INTERNAL',
  'DISK_FULL',
  'CONFLICT',
];

export interface JoinerOptions {
  store: Pick<ObjectStore, 'get' | 'transact'>;
  mesh: Pick<Mesh, 'domain' | 'join'>;
  node: { name: string };
  events: Pick<EventRecorder, 'record'>;
  logger: Logger;
  onSettled: () => Promise<void>;
}

export class Joiner {
  readonly #options: JoinerOptions;
  readonly #attempts = new Map<string, AbortController>();
  /** A cancelled attempt holds its domain until it has ended, so the next one waits for that. */
  readonly #running = new Serial();

  constructor(options: JoinerOptions) {
    this.#options = options;
  }

  /** Starts a join, or restarts it, if the document asks for one and the node is not a member. */
  consider(object: ApiObject): void {
    const name = object.metadata.name;
    const peer = dtDomainSchema.safeParse(object).data?.spec?.peer;
    if (peer === undefined || object['status'] !== 'Joining' || this.#options.mesh.domain(name) !== undefined) return;
    this.cancel(name);
    const stopped = new AbortController();
    this.#attempts.set(name, stopped);
    void this.#running.run(name, async () => {
      await this.#run(name, peer, stopped.signal);
      if (this.#attempts.get(name) === stopped) this.#attempts.delete(name);
    });
  }

  /** Names of the domains that are being joined, until this node is a member. */
  joining(): string[] {
    return [...this.#attempts.keys()].filter((name) => this.#options.mesh.domain(name) === undefined);
  }

  cancel(name: string): void {
    this.#attempts.get(name)?.abort();
    this.#attempts.delete(name);
  }

  async stop(): Promise<void> {
    for (const name of [...this.#attempts.keys()]) this.cancel(name);
    await this.#running.idle();
  }

  async #run(
    name: string,
    peer: { address: string; inviteToken: string; replace?: string | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    for (let wait = FIRST_WAIT_MS; !signal.aborted; wait = Math.min(wait * 2, LAST_WAIT_MS)) {
      try {
        await this.#options.mesh.join(name, peer.address, peer.inviteToken, {
          signal,
          ...(peer.replace === undefined ? {} : { replace: peer.replace }),
        });
        break;
      } catch (error) {
        if (signal.aborted) return;
        const refusal =
          error instanceof DtkdError ? error : new DtkdError('INTERNAL', 'joining failed unexpectedly; see the log', { cause: error });
        if (refusal.code === 'INTERNAL') this.#options.logger.warn({ err: error, domain: name }, 'Joining failed');
        const again = TRANSIENT.includes(refusal.code);
        const shown = await this.#tell(name, async () => {
          await this.#show(name, again ? 'Joining' : 'Failed', sentence(refusal));
          await this.#report(name, 'Warning', again ? 'JoinDelayed' : 'JoinRefused', sentence(refusal));
        });
        // If a refusal cannot be stored (a full disk), keep trying: otherwise the object would say Joining while nobody tries.
        if (!again && shown) return;
        await pause(wait, signal);
      }
    }
    if (signal.aborted) return;
    await this.#tell(name, async () => {
      await this.#options.onSettled();
      await this.#report(name, 'Normal', 'Joined', `joined the domain through ${peer.address}`);
    });
  }

  /** Returns false if that failed. */
  async #tell(name: string, tell: () => Promise<void>): Promise<boolean> {
    try {
      await tell();
      return true;
    } catch (err) {
      this.#options.logger.warn({ err, domain: name }, 'The result of joining could not be stored');
      return false;
    }
  }

  async #show(name: string, status: string, message: string): Promise<void> {
    const ref = { group: SIGHTLINE_GROUP, plural: 'dtdomains', namespace: this.#options.node.name, name };
    await this.#options.store.transact(async (tx) => {
      const stored = await tx.get(ref);
      // Somebody else has brought this node into a domain of that name meanwhile; the object now describes that one.
      if (this.#options.mesh.domain(name) !== undefined) return;
      if (stored !== undefined && stored['message'] !== message) await tx.put(withFields(stored, { status, message }));
    });
  }

  async #report(name: string, type: 'Normal' | 'Warning', reason: string, message: string): Promise<void> {
    const about = await this.#options.store.get({ group: SIGHTLINE_GROUP, plural: 'dtdomains', namespace: this.#options.node.name, name });
    if (about !== undefined) this.#options.events.record({ about, type, reason, message });
  }
}

function sentence(error: DtkdError): string {
  return error.next === undefined ? error.message : `${error.message}. ${error.next}`;
}

/** Resolves after the time, or at once when aborted. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
