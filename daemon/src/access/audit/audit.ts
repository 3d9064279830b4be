/**
 * The audit log of this node: who did what, whether it was allowed, and why, in lines that each contain the hash of the line before and are
 * signed soon after, in files of bounded size. Owns the files and the key. Guarantees that `record` never throws and never waits, and that
 * `verify` finds any change to what is kept. Somebody who has both files and key can rewrite the past; only witnesses reveal that.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { generateSigningKey, type SigningKey, signingKeyFromSeed } from '../../../../protocol/keys/signing.ts';
import type { AuditHead } from '../../../../protocol/kinds/node.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Kv } from '../../store/kv.ts';
import type { Audit, AuditRecord } from '../access.types.ts';
import { type AuditDisk, type AuditFile, auditDirectory } from './audit-disk.ts';
import { parseLine, type RecordLine, restoreRecord, seqOfFile } from './audit-line.ts';
import { AuditWriter, type Written } from './audit-writer.ts';
import { ChainVerifier, type Verdict, type Witness } from './chain.ts';
import { FILE_BYTES, KEEP_FILES } from './limits.ts';
import { openLog } from './opening.ts';
import { linesBackwards, linesOf } from './reading.ts';

const KEY_ROW = 'a/audit/key';

/** This node was restored from a backup, and its log does not say so yet. */
export interface AuditRestore {
  /** The backup's id. */
  id: string;
  /** When the backup was made, in milliseconds since the epoch. */
  takenAt: number;
}

export interface AuditOptions {
  /** The directory of the files; created if it does not exist. */
  directory: string;
  kv: Kv;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now: () => number;
  restored?: AuditRestore | undefined;
  fileBytes?: number;
  keepFiles?: number;
  /** Replaces the directory's files, to test faults. */
  disk?: AuditDisk;
}

/** Selects lines by parts of their fields, without regard to case. */
export interface LineFilter {
  who?: string | undefined;
  verb?: string | undefined;
  what?: string | undefined;
}

export interface AuditLog extends Audit {
  /** The signed head of all lines recorded so far; undefined if the disk refuses. */
  head(): Promise<AuditHead | undefined>;
  /** Reads and verifies the whole log, including that it contains the heads that witnesses have seen. */
  verify(witnesses: readonly Witness[]): Promise<Verdict>;
  /** The kept records, newest first. */
  newest(filter: LineFilter): AsyncGenerator<RecordLine>;
  /**
   * Syncs all that was recorded, signed, to the disk; returns the files, oldest first, with the bytes written of each. Errors: UNAVAILABLE
   * if the disk refuses.
   */
  settled(): Promise<{ name: string; bytes: number }[]>;
  /** Called with each record once it is written. Returns a function that unsubscribes. */
  onLine(listener: (line: RecordLine) => void): () => void;
  /** Retries at once if the disk refused. */
  retry(): void;
  /** Sentences for `dtkd status`; empty if all is well. */
  conditions(): string[];
  counters(): Record<string, number>;
  /** Writes what waits and closes the files. May be called more than once. */
  close(): Promise<void>;
}

/** Opens the audit log. Errors: DATA_UNWRITABLE, DISK_FULL. */
export async function createAudit(options: AuditOptions): Promise<AuditLog> {
  const { directory, kv, now, fileBytes = FILE_BYTES, keepFiles = KEEP_FILES, disk = auditDirectory(directory) } = options;
  const key = await keyOf(kv);
  const opening = { disk, key, now, keepFiles };
  const opened = await openLog(opening).catch((cause: unknown) => {
    throw new DtkdError('DATA_UNWRITABLE', `the audit log in ${directory} cannot be opened: ${messageOf(cause)}`, {
      next: 'Check that this user may write there and that the disk is not full.',
      cause,
    });
  });
  const log = new FileAuditLog({ ...options, disk, key, fileBytes, keepFiles }, opened);
  if (options.restored !== undefined) log.record(restoreRecord(options.restored));
  for (const repair of opened.repairs) {
    log.record({ who: 'daemon', verb: 'repair', what: 'audit', outcome: 'failed', because: repair });
    options.logger.warn({}, `The audit log was repaired: ${repair}`);
  }
  log.record({ who: 'daemon', verb: 'start', what: 'daemon', outcome: 'allowed', because: howItEnded(opened.before) });
  return log;
}

function howItEnded(before: RecordLine | undefined): string {
  if (before === undefined) return 'for the first time';
  return before.who === 'daemon' && before.verb === 'stop' ? 'after a clean stop' : 'after an abrupt end';
}

async function keyOf(kv: Kv): Promise<SigningKey> {
  const seed = await kv.get(KEY_ROW);
  if (seed !== undefined) return signingKeyFromSeed(Uint8Array.from(seed));
  const key = generateSigningKey();
  await kv.batch([{ type: 'put', key: KEY_ROW, value: key.seed }], { sync: true });
  return key;
}

type Opened = Awaited<ReturnType<typeof openLog>>;
type LogOptions = AuditOptions & { disk: AuditDisk; key: SigningKey; fileBytes: number; keepFiles: number };

class FileAuditLog implements AuditLog {
  readonly #disk: AuditDisk;
  readonly #key: SigningKey;
  readonly #writer: AuditWriter;
  readonly #listeners = new Set<(line: RecordLine) => void>();
  #failure: string | undefined;
  #closed = false;

  constructor({ disk, key, now, logger, fileBytes, keepFiles }: LogOptions, opened: Opened) {
    this.#disk = disk;
    this.#key = key;
    this.#writer = new AuditWriter(
      {
        disk,
        key,
        now,
        fileBytes,
        keepFiles,
        onCondition: (error) => {
          this.#failure = error === undefined ? undefined : messageOf(error);
          if (error === undefined) logger.info({}, 'The audit log is written again');
          else logger.warn({ err: error }, 'The audit log cannot be written; lines wait in memory');
        },
        onLines: (lines) => this.#tell(lines),
      },
      opened,
    );
  }

  record(line: AuditRecord): void {
    if (!this.#closed) this.#writer.record(line);
  }

  async head(): Promise<AuditHead | undefined> {
    return (await this.#writer.settle()) ? this.#writer.head() : undefined;
  }

  async settled(): Promise<{ name: string; bytes: number }[]> {
    if (await this.#writer.settle()) return this.#writer.written().files;
    throw new DtkdError('UNAVAILABLE', 'the audit log cannot be written', { next: 'See "dtkd status".' });
  }

  async verify(witnesses: readonly Witness[]): Promise<Verdict> {
    await this.#writer.settle();
    const written = this.#writer.written();
    const verifier = new ChainVerifier(this.#key.publicKey, witnesses);
    for await (const { name, file, size } of this.#open(written)) {
      verifier.file(name);
      for await (const part of linesOf(file, size)) {
        if ('line' in part) verifier.line(part.line);
        else verifier.endFile(part.rest);
      }
    }
    return verifier.finish(written.tip);
  }

  async *newest({ who, verb, what }: LineFilter): AsyncGenerator<RecordLine> {
    await this.#writer.settle();
    const written = this.#writer.written();
    for (const { name, bytes } of written.files.reverse()) {
      const file = await this.#disk.openToRead(name).catch(() => undefined);
      // a rotation has removed it meanwhile
      if (file === undefined) return;
      try {
        for await (const text of linesBackwards(file, bytes)) {
          const line = parseLine(text);
          if (line !== undefined && 'who' in line && has(line.who, who) && has(line.verb, verb) && has(line.what, what)) yield line;
        }
      } finally {
        await file.close();
      }
    }
  }

  onLine(listener: (line: RecordLine) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  retry(): void {
    this.#writer.retry();
  }

  conditions(): string[] {
    const { waiting, lost } = this.#writer.counters();
    if (this.#failure === undefined) return [];
    const missing = lost === 0 ? '' : `, ${lost} are lost`;
    return [`the audit log cannot be written (${this.#failure}): ${waiting} lines wait${missing}`];
  }

  counters(): Record<string, number> {
    const { lines, waiting, lostEver } = this.#writer.counters();
    return { auditLines: lines, auditLinesWaiting: waiting, auditLinesLost: lostEver };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writer.close();
  }

  /** The existing files, up to what was written; excludes those of later rotations. */
  async *#open({ files }: Written): AsyncGenerator<{ name: string; file: AuditFile; size: number }> {
    const last = files.at(-1);
    for (const name of await this.#disk.list()) {
      if (last === undefined || (seqOfFile(name) ?? 0) > (seqOfFile(last.name) ?? 0)) return;
      const file = await this.#disk.openToRead(name).catch(() => undefined);
      if (file === undefined) continue;
      try {
        const size = await file.size();
        yield { name, file, size: name === last.name ? Math.min(size, last.bytes) : size };
      } finally {
        await file.close();
      }
    }
  }

  #tell(texts: readonly string[]): void {
    if (this.#listeners.size === 0) return;
    for (const text of texts) {
      const line = parseLine(text);
      if (line === undefined || !('who' in line)) continue;
      for (const listener of this.#listeners) listener(line);
    }
  }
}

/** True if `text` contains `part`, or `part` is undefined. */
export function has(text: string, part: string | undefined): boolean {
  return part === undefined || text.toLowerCase().includes(part.toLowerCase());
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
