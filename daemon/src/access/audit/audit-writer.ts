/**
 * Writes the audit log: owns the last file, the chain's tip, and the order in which lines reach the disk. Writes the lines of one turn of
 * the event loop together, and signs and syncs them soon after. Before a file grows too large, it begins the next one with an anchor, and
 * removes the oldest. Retries without end while the disk refuses: `record` never throws and never waits, and lines that do not fit into
 * memory meanwhile are counted and reported in a later line. Does not check what was written before: verification does.
 */
import { signAuditHead } from '../../../../protocol/audit/heads.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import type { AuditHead } from '../../../../protocol/kinds/node.ts';
import type { AuditRecord } from '../access.types.ts';
import type { AuditDisk, AuditFile } from './audit-disk.ts';
import { anchorText, boundedRecord, fileName, hashOf, recordText, sealText, type Tip } from './audit-line.ts';
import { BATCH_LINES, MAX_WAITING, RETRY_MS, SIGN_BYTES, SYNC_MS } from './limits.ts';
import type { Opened } from './opening.ts';

export interface WriterOptions {
  disk: AuditDisk;
  key: SigningKey;
  now: () => number;
  fileBytes: number;
  keepFiles: number;
  /** Called once when the disk begins to refuse, and once (with undefined) when it accepts lines again. */
  onCondition: (error: unknown) => void;
  /** Called with records, as text, once they are in the file. */
  onLines: (lines: readonly string[]) => void;
}

/** A batch is at most this fraction of a file, so that all files end up with about the same size. */
const BATCHES_PER_FILE = 4;

interface Waiting {
  time: number;
  record: AuditRecord;
}

/** The end of the log and the sizes of its files; lines beyond these are not written yet. */
export interface Written {
  tip: Tip;
  files: { name: string; bytes: number }[];
}

export class AuditWriter {
  readonly #options: WriterOptions;
  readonly #files: { name: string; first: number; bytes: number }[];
  #file: AuditFile;
  #tip: Tip;
  /** The head that the last seal signs. */
  #head: AuditHead | undefined;
  #queue: Waiting[] = [];
  #lost = 0;
  #lostEver = 0;
  #lines = 0;
  /** When the first unsigned line was written; undefined if all lines are signed. */
  #unsignedSince: number | undefined;
  #unsignedBytes = 0;
  #working = false;
  #timer: NodeJS.Timeout | undefined;
  #failure: unknown;
  #closing = false;
  #wakeUp: (() => void) | undefined;
  #settled: ((done: boolean) => void)[] = [];

  constructor(options: WriterOptions, { file, files, tip, unsigned }: Opened) {
    this.#options = options;
    this.#file = file;
    this.#files = files;
    this.#tip = tip;
    this.#unsignedSince = unsigned ? performance.now() : undefined;
  }

  /** Accepts a record. Never throws. */
  record(record: AuditRecord): void {
    if (this.#queue.length >= MAX_WAITING) {
      this.#lost += 1;
      this.#lostEver += 1;
      return;
    }
    this.#queue.push({ time: this.#options.now(), record: boundedRecord(record) });
    this.#start();
  }

  /** Resolves to true when all records so far are signed and on the disk; to false if the disk refuses, or the log is closed. */
  settle(): Promise<boolean> {
    if (!this.#hasWork()) return Promise.resolve(this.#failure === undefined);
    if (this.#failure !== undefined || this.#closing) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#settled.push(resolve);
      this.#start();
    });
  }

  /** The contents of the files as of the last write. */
  written(): Written {
    return { tip: this.#tip, files: this.#files.map(({ name, bytes }) => ({ name, bytes })) };
  }

  /** The last signature over all lines before it; undefined if there is none yet. */
  head(): AuditHead | undefined {
    return this.#head;
  }

  /** `lost`: lost records that no line reports yet; `lostEver`: all since the log was opened. */
  counters(): { lines: number; lost: number; lostEver: number; waiting: number } {
    return { lines: this.#lines, lost: this.#lost, lostEver: this.#lostEver, waiting: this.#queue.length };
  }

  /** Writes what waits, unless the disk refuses, and closes the file. */
  async close(): Promise<void> {
    if (this.#closing) return;
    const settled = this.settle();
    const done = await settled;
    this.#closing = true;
    clearTimeout(this.#timer);
    this.#wakeUp?.();
    if (!done) this.#answer(false);
    await this.#file.close().catch(() => undefined);
  }

  #hasWork(): boolean {
    return this.#working || this.#queue.length > 0 || this.#unsignedSince !== undefined;
  }

  #start(): void {
    if (this.#working || this.#closing) return;
    this.#working = true;
    clearTimeout(this.#timer);
    // Everything else recorded in this turn of the event loop goes with it.
    setImmediate(() => void this.#work());
  }

  async #work(): Promise<void> {
    try {
      while (!this.#closing) {
        const due = this.#unsignedSince !== undefined && performance.now() - this.#unsignedSince >= SYNC_MS;
        if (due || this.#unsignedBytes >= SIGN_BYTES) await this.#seal();
        else if (this.#queue.length > 0) await this.#writeBatch();
        else if (this.#unsignedSince !== undefined && this.#settled.length > 0) await this.#seal();
        else break;
      }
    } catch {
      // Closed while the disk refused.
      this.#answer(false);
    }
    this.#working = false;
    if (this.#closing) return;
    if (this.#unsignedSince === undefined) this.#answer(true);
    else this.#timer = setTimeout(() => this.#start(), SYNC_MS);
    if (this.#queue.length > 0) this.#start();
  }

  async #writeBatch(): Promise<void> {
    const texts: string[] = [];
    let size = 0;
    let tip = this.#tip;
    const add = (time: number, record: AuditRecord): void => {
      const text = recordText(tip, new Date(time).toISOString(), record);
      tip = { seq: tip.seq + 1, hash: hashOf(text) };
      texts.push(text);
      size += text.length;
    };
    const lost = this.#lost;
    if (lost > 0) add(this.#options.now(), lostRecord(lost));
    let taken = 0;
    const most = Math.min(SIGN_BYTES, this.#options.fileBytes / BATCHES_PER_FILE);
    for (const { time, record } of this.#queue) {
      if (taken >= BATCH_LINES || size >= most) break;
      add(time, record);
      taken += 1;
    }
    const bytes = Buffer.from(`${texts.join('\n')}\n`);
    const last = this.#files.at(-1);
    if (last !== undefined && last.bytes + bytes.length > this.#options.fileBytes && !this.#isFresh(last)) {
      // The lines are built again, to follow the seal and the anchor.
      await this.#rotate();
      return;
    }
    await this.#append(bytes);
    this.#tip = tip;
    this.#queue.splice(0, taken);
    this.#lost -= lost;
    this.#lines += texts.length;
    this.#unsignedSince ??= performance.now();
    this.#unsignedBytes += bytes.length;
    this.#options.onLines(texts);
  }

  /** True if the file contains only its anchor, so that a new one would be no shorter. */
  #isFresh({ first }: { first: number }): boolean {
    return this.#tip.seq === first;
  }

  /** Signs all lines before it, and syncs them to the disk. */
  async #seal(): Promise<void> {
    const { key, now } = this.#options;
    const head = signAuditHead(key, { ...this.#tip, time: new Date(now()).toISOString() });
    const text = sealText(head);
    await this.#append(Buffer.from(`${text}\n`));
    this.#tip = { seq: this.#tip.seq + 1, hash: hashOf(text) };
    await this.#persist(() => this.#file.sync());
    this.#head = head;
    this.#unsignedSince = undefined;
    this.#unsignedBytes = 0;
  }

  async #rotate(): Promise<void> {
    const { disk, key, now, keepFiles } = this.#options;
    if (this.#unsignedSince !== undefined) await this.#seal();
    const first = this.#tip.seq + 1;
    const kept = [...this.#files, { name: fileName(first), first, bytes: 0 }].slice(-keepFiles);
    const text = anchorText(key, this.#tip, new Date(now()).toISOString(), kept[0]?.first ?? first);
    const bytes = Buffer.from(`${text}\n`);
    const next = await this.#persist(() => disk.open(fileName(first)));
    await this.#persist(() => next.write(bytes, 0));
    await this.#persist(() => next.sync());
    await this.#file.close().catch(() => undefined);
    this.#file = next;
    this.#tip = { seq: first, hash: hashOf(text) };
    const removed = this.#files.filter((file) => !kept.some((other) => other.first === file.first));
    this.#files.splice(0, this.#files.length, ...kept.map((file) => (file.first === first ? { ...file, bytes: bytes.length } : file)));
    // What cannot be removed now is removed at the next start.
    for (const { name } of removed) await disk.remove(name).catch(() => undefined);
  }

  /** Retries at the same position after a failure, which overwrites half-written lines. */
  async #append(bytes: Uint8Array): Promise<void> {
    const file = this.#files.at(-1);
    if (file === undefined) return;
    await this.#persist(() => this.#file.write(bytes, file.bytes));
    file.bytes += bytes.length;
  }

  async #persist<T>(act: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const result = await act();
        if (this.#failure !== undefined) {
          this.#failure = undefined;
          this.#options.onCondition(undefined);
        }
        return result;
      } catch (error) {
        if (this.#failure === undefined) this.#options.onCondition(error);
        this.#failure = error;
        this.#answer(false);
        if (!this.#closing) await this.#rest();
        if (this.#closing) throw error;
      }
    }
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS);
      timer.unref();
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Retries at once if the disk refused. */
  retry(): void {
    this.#wakeUp?.();
  }

  #answer(done: boolean): void {
    for (const resolve of this.#settled.splice(0)) resolve(done);
  }
}

function lostRecord(count: number): AuditRecord {
  return {
    who: 'daemon',
    verb: 'lost',
    what: 'audit',
    outcome: 'failed',
    because: `${count} ${count === 1 ? 'line' : 'lines'} could not be kept while the disk refused writes`,
  };
}
