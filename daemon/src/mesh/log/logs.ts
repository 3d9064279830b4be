/**
 * The replication logs of all domains of this node, and their part in the store's transactions: a change of an own object of a shared
 * kind becomes one signed entry in the log of each domain that the object names (or named), in the batch that stores the change.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId } from '../../../../protocol/ids.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Change, ObjectStore, Participant, Transaction } from '../../store/object-store.types.ts';
import type { WorkLimits } from './allowances.ts';
import { DocCache } from './doc-cache.ts';
import type { StoredDomainLog } from './domain-log.ts';
import { DOC_CACHE_BYTES, PUBLISH_RETRY_MS } from './limits.ts';
import type { Authors, DomainLog, Logs, Restored } from './log.types.ts';
import type { OwnLog, Pending } from './own-log.ts';

export interface LogsOptions {
  store: ObjectStore;
  /** Version of dtkd. */
  version: string;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Work that one author may cause. Default: see `Allowances`. */
  work?: WorkLimits | undefined;
  /** Absent if this node was never restored from a backup. */
  restored?: Restored | undefined;
}

/** Row with the time at which this node's disk was last found behind what it had published: decimal milliseconds since the epoch. */
const RESTORED_ROW = 'l-restored';

interface Appended {
  own: OwnLog;
  pending: Pending;
}

/** Creates the logs of a store. Add their `participant` to it. */
export function createLogs(options: LogsOptions): Logs {
  return new StoredLogs(options);
}

class StoredLogs implements Logs {
  readonly participant: Participant = {
    prepare: async (changes, tx, { dryRun }) => this.#prepare(changes, tx, dryRun),
    committed: (changes) => this.#settle(changes, true),
    aborted: (changes) => this.#settle(changes, false),
  };
  readonly #options: LogsOptions;
  readonly #cache = new DocCache(DOC_CACHE_BYTES);
  /** Names of the domains that are open or being opened. */
  readonly #names = new Map<string, DomainId>();
  readonly #logs = new Map<string, StoredDomainLog>();
  /** By a transaction's first change: the store passes the same objects to `prepare` and to `committed`. */
  readonly #appended = new WeakMap<Change, Appended[]>();
  #restoredAt: number | undefined;

  constructor(options: LogsOptions) {
    this.#options = options;
    this.#restoredAt = options.restored?.at;
  }

  async open(domain: DomainId, name: string, self: SigningKey, authors: Authors): Promise<DomainLog> {
    if (this.#names.has(name) || [...this.#names.values()].includes(domain)) {
      throw new DtkdError('ALREADY_EXISTS', `the logs of the domain "${name}" are open`);
    }
    this.#names.set(name, domain);
    const { logger, store, now } = this.#options;
    const restored = await store.kv.get(RESTORED_ROW);
    if (restored !== undefined) this.#restoredAt = Math.max(this.#restoredAt ?? 0, Number(Buffer.from(restored).toString('utf8')));
    // Yjs is loaded with the first domain, so that a node in none starts sooner.
    const { StoredDomainLog } = await import('./domain-log.ts');
    const log = new StoredDomainLog({
      ...this.#options,
      logger: logger.child({ domain: name }),
      cache: this.#cache,
      domain,
      name,
      self,
      authors,
      awaiting: this.#options.restored?.awaits(domain) === true,
      onReunited: async () => {
        await this.#publish(log, name);
        await this.#options.restored?.heard(domain);
      },
      onClosed: () => {
        this.#logs.delete(name);
        this.#names.delete(name);
      },
      onRestored: (tx) => {
        // Set even if the transaction fails: the disk is behind either way.
        this.#restoredAt = now();
        tx.putRow(RESTORED_ROW, Buffer.from(String(this.#restoredAt)));
      },
    });
    try {
      await log.load();
      await log.settleAuthors();
    } catch (error) {
      await log.close();
      throw error;
    }
    // From here on the log hears of every change, so that comparing it with the store misses none.
    this.#logs.set(name, log);
    await this.#publish(log, name);
    return log;
  }

  /** Retries on failure: a store that cannot be written must not keep the domain closed. */
  async #publish(log: StoredDomainLog, name: string): Promise<void> {
    if (this.#logs.get(name) !== log) return;
    try {
      await log.publishPresent();
    } catch (error) {
      this.#options.logger.warn({ err: error, domain: name }, 'Objects of this node could not be published into the domain yet');
      setTimeout(() => void this.#publish(log, name), PUBLISH_RETRY_MS).unref();
    }
  }

  #prepare(changes: readonly Change[], tx: Transaction, dryRun: boolean): void {
    const [first] = changes;
    if (first === undefined) return;
    // Everything is judged before anything is written, so that a refusal leaves no log ahead of its rows.
    const plans = [...this.#logs.values()].map((log) => ({ own: log.own, difference: log.plan(changes) }));
    // Signing an entry and undoing it would cost a new epoch, in which everything this node shares is published again.
    if (dryRun) return;
    const appended: Appended[] = [];
    try {
      for (const { own, difference } of plans) if (difference.size > 0) appended.push({ own, pending: own.append(tx, difference) });
    } catch (error) {
      for (const { own, pending } of appended) own.settle(pending, false);
      throw error;
    }
    if (appended.length > 0) this.#appended.set(first, appended);
  }

  #settle(changes: readonly Change[], durable: boolean): void {
    const [first] = changes;
    const appended = first === undefined ? undefined : this.#appended.get(first);
    for (const { own, pending } of appended ?? []) own.settle(pending, durable);
  }

  restoredAt(): number | undefined {
    return this.#restoredAt;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.close()));
  }
}
