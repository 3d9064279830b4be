/**
 * What a node must know of itself after its database was restored from a backup: since when, and in which domains it has not yet heard what
 * it did after the backup was made. Owns the row `a/restored`, which a restore writes and the daemon completes at its first start. Draws no
 * conclusions: logs, journal and audit do.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DtkdError } from '../../../protocol/errors.ts';
import { type DomainId, parseDomainId } from '../../../protocol/ids.ts';
import { type Kv, prefixEnd } from '../store/kv.ts';
import { RESTORING } from './contents.ts';
import type { BackupHeader } from './format.ts';

export const RESTORED_ROW = 'a/restored';
/** Each domain has rows `k/DOMAIN/…`. One of them, `/node`, says that this node is in it. */
const DOMAIN_KEYS = 'k/';
const DOMAIN_ROW = '/node';
/** Rows read at a time. */
const PAGE = 1_000;

const row = z.object({
  version: z.literal(1),
  /** The id of the backup. */
  id: z.string(),
  /** Milliseconds since the epoch: when the backup was made. */
  takenAt: z.number().int(),
  /** The operator declared that there is no member to hear from. */
  alone: z.boolean(),
  /** When the daemon was first started on the restored database. */
  at: z.number().int().optional(),
  /** Domains from whose members nothing has been heard since. */
  awaiting: z.array(z.string().transform(parseDomainId)).optional(),
  /** True once the audit log has a line about the restore. */
  audited: z.boolean().optional(),
});
type RestoredRow = z.infer<typeof row>;

export interface Restored {
  /** Milliseconds since the epoch: the first start after the restore. Up to then things may have happened that are not on this disk. */
  readonly at: number;
  readonly takenAt: number;
  readonly id: string;
  /** True until the audit log has a line about the restore. */
  readonly unaudited: boolean;
  audited(): Promise<void>;
  /** True until members of the domain have told this node what it did after the backup was made. */
  awaits(domain: DomainId): boolean;
  heard(domain: DomainId): Promise<void>;
}

/** The row that a restore writes. */
export function restoredRow({ id, createdAt }: Pick<BackupHeader, 'id' | 'createdAt'>, alone: boolean): { key: string; value: Buffer } {
  return { key: RESTORED_ROW, value: encode({ version: 1, id, takenAt: createdAt, alone }) };
}

/** Reads the state of a restored node. Undefined for a node that was never restored. The first call after a restore records the time. */
export async function openRestored(kv: Kv, now: () => number): Promise<Restored | undefined> {
  const bytes = await kv.get(RESTORED_ROW);
  if (bytes === undefined) return undefined;
  const stored = row.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  const awaiting = stored.awaiting ?? (stored.alone ? [] : await domainsOf(kv));
  const state = new RestoredState(kv, { ...stored, at: stored.at ?? now(), awaiting });
  if (stored.at === undefined) await state.write();
  return state;
}

class RestoredState implements Restored {
  readonly at: number;
  readonly #kv: Kv;
  #row: RestoredRow;
  #writing: Promise<void> = Promise.resolve();

  constructor(kv: Kv, stored: RestoredRow & { at: number }) {
    this.#kv = kv;
    this.#row = stored;
    this.at = stored.at;
  }

  get takenAt(): number {
    return this.#row.takenAt;
  }

  get id(): string {
    return this.#row.id;
  }

  get unaudited(): boolean {
    return this.#row.audited !== true;
  }

  audited(): Promise<void> {
    this.#row = { ...this.#row, audited: true };
    return this.write();
  }

  awaits(domain: DomainId): boolean {
    return this.#row.awaiting?.includes(domain) === true;
  }

  heard(domain: DomainId): Promise<void> {
    this.#row = { ...this.#row, awaiting: (this.#row.awaiting ?? []).filter((one) => one !== domain) };
    return this.write();
  }

  write(): Promise<void> {
    const written = this.#writing.then(() =>
      this.#kv.batch([{ type: 'put', key: RESTORED_ROW, value: encode(this.#row) }], { sync: true }),
    );
    this.#writing = written.catch(() => undefined);
    return written;
  }
}

async function domainsOf(kv: Kv): Promise<DomainId[]> {
  const found: DomainId[] = [];
  for (let gte = DOMAIN_KEYS; ; ) {
    const page = await kv.page({ gte, lt: prefixEnd(DOMAIN_KEYS), limit: PAGE, keysOnly: true });
    for (const [key] of page) {
      if (key.endsWith(DOMAIN_ROW)) found.push(parseDomainId(key.slice(DOMAIN_KEYS.length, -DOMAIN_ROW.length)));
    }
    const last = page.at(-1);
    if (last === undefined) return found;
    gte = `${last[0]}\0`;
  }
}

/** Throws DATA_UNWRITABLE for a directory with an interrupted restore: half a node must not start. */
export async function refuseHalfRestored(directory: string): Promise<void> {
  if ((await stat(join(directory, RESTORING)).catch(() => undefined)) === undefined) return;
  throw new DtkdError('DATA_UNWRITABLE', `a restore into ${directory} was cut off`, {
    next: 'Remove everything in that directory, and restore again.',
  });
}

function encode(value: RestoredRow): Buffer {
  return Buffer.from(JSON.stringify(value));
}
