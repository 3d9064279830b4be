/**
 * A spool: the kept output of a part, in an append-only file of records. Everything up to `offset` has been written to the file: it
 * survives the daemon and, once the spool is closed, a power failure. Records added together are written together; readers at the end are
 * served from memory. Does not decide how long anything is kept.
 */
import {
  close as closeWithCallback,
  constants,
  fdatasync as fdatasyncWithCallback,
  ftruncate as ftruncateWithCallback,
  open as openWithCallback,
  read as readWithCallback,
  write as writeWithCallback,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { MAX_RECORD_BYTES, type OutputRecord } from '../../../../protocol/orders/records.ts';
import { isFull, systemCode } from '../../disk/system-error.ts';
import type { Spool } from './runner.types.ts';
import { createBorders, LENGTH_BYTES, MAX_ENTRY_BYTES, walk, wholeRecords } from './spool-borders.ts';
import { createTail } from './spool-tail.ts';

/** How far dtkd's own lines may exceed the cap: that the cap was reached, and how the part ended. */
export const LOG_BEYOND_CAP_BYTES = 64 * 1024;
/** A reopened spool within this distance of its cap counts as full: its last record was cut to fit. */
const FULL_SLACK_BYTES = 16;
/** Unwritten bytes at which writers have to wait. */
const WAITING_BYTES = 256 * 1024;
/** Bytes per read while an existing spool is scanned. */
const SCAN_BYTES = 1024 * 1024;
/** Ends of recent reads to remember: a reader that continues there needs no walk to check its offset. */
const REMEMBERED_ENDS = 64;
/** Encoding overhead of a record, with the longest names. */
const RECORD_OVERHEAD_BYTES = 1_024;

const open = promisify(openWithCallback);
const close = promisify(closeWithCallback);
const read = promisify(readWithCallback);
const write = promisify(writeWithCallback);
const truncate = promisify(ftruncateWithCallback);
const sync = promisify(fdatasyncWithCallback);

const TAKEN = Promise.resolve();
const NOTHING = new Uint8Array();

interface Waiting {
  bytes: Uint8Array;
  /** Bytes of output in `bytes`. */
  output: number;
}

/** Opens a spool. `changed` is called when it starts having something to write (true), and when it is closed (false). */
export async function openSpool(path: string, capBytes: number, changed: (spool: Spool, writing: boolean) => void): Promise<Spool> {
  const borders = createBorders();
  const tail = createTail();
  const ends = new Set<number>();
  const listeners = new Set<() => void>();
  let offset = await scan(path, borders.add);
  tail.restart(offset);
  /** Where it will end once everything that waits is written. */
  let accepted = offset;
  let dropped = 0;
  let full = offset >= capBytes - FULL_SLACK_BYTES;
  let error: DtkdError | undefined;
  let closed = false;
  let closing: Promise<void> | undefined;
  let file: number | undefined;
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  let flushing: Promise<void> | undefined;
  let room: PromiseWithResolvers<void> | undefined;

  const flush = async (): Promise<void> => {
    // Records added in the same turn go along.
    await TAKEN;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      waitingBytes = 0;
      try {
        file ??= await openToWrite(path);
        await writeAll(file, batch.length === 1 ? (batch[0]?.bytes ?? NOTHING) : Buffer.concat(batch.map(({ bytes }) => bytes)), offset);
        for (const { bytes } of batch) {
          tail.add(bytes);
          offset += bytes.length;
          borders.add(offset);
        }
      } catch (cause) {
        error = toRefusal(cause);
        full = true;
        accepted = offset;
        for (const { output } of [...batch, ...waiting.splice(0)]) dropped += output;
        waitingBytes = 0;
        if (file !== undefined) await truncate(file, offset).catch(() => undefined);
      }
      room?.resolve();
      room = undefined;
      for (const listener of listeners) listener();
    }
    flushing = undefined;
  };

  const put = (bytes: Uint8Array, output: number): Promise<void> => {
    waiting.push({ bytes, output });
    waitingBytes += bytes.length;
    accepted += bytes.length;
    if (file === undefined && flushing === undefined) changed(spool, true);
    flushing ??= flush();
    if (waitingBytes < WAITING_BYTES) return TAKEN;
    room ??= Promise.withResolvers();
    return room.promise;
  };

  /** Adds output, cut to what fits below the cap. What is kept is one piece from the beginning. */
  const putOutput = (record: OutputRecord): Promise<void> => {
    const entry = full ? NOTHING : toEntry(record);
    const over = accepted + entry.length - capBytes;
    if (!full && over <= 0) return put(entry, record.d.length);
    const kept = full ? 0 : Math.max(record.d.length - over, 0);
    full = true;
    dropped += record.d.length - kept;
    return kept === 0 ? TAKEN : put(toEntry({ ...record, d: record.d.subarray(0, kept) }), kept);
  };

  const finish = async (): Promise<void> => {
    closed = true;
    await flushing;
    changed(spool, false);
    if (file === undefined) return;
    await sync(file).catch((cause: unknown) => {
      error ??= toRefusal(cause);
    });
    await close(file).catch(() => undefined);
    file = undefined;
  };

  const spool: Spool = {
    get offset() {
      return offset;
    },
    get dropped() {
      return dropped;
    },
    get error() {
      return error;
    },
    get closed() {
      return closed;
    },

    append(record) {
      if (closed) return Promise.reject(new DtkdError('INTERNAL', 'something was added to a spool that is closed'));
      if (record.d.length + RECORD_OVERHEAD_BYTES > MAX_RECORD_BYTES) {
        return Promise.reject(new DtkdError('TOO_LARGE', `a record of output has ${record.d.length} bytes`));
      }
      if (record.s !== 'log') return putOutput(record);
      const entry = toEntry(record);
      return error !== undefined || accepted + entry.length > capBytes + LOG_BEYOND_CAP_BYTES ? TAKEN : put(entry, 0);
    },

    async read(from, maxBytes) {
      if (from === offset) return NOTHING;
      if (!Number.isSafeInteger(from) || from < 0 || from > offset) throw notABorder(from);
      if (from >= tail.start) return tail.read(from, maxBytes) ?? Promise.reject(notABorder(from));
      const begin = ends.has(from) ? from : borders.before(from);
      const bytes = await readRange(path, begin, Math.min(offset, from + Math.max(maxBytes, MAX_ENTRY_BYTES)));
      const before = walk(bytes, (start) => begin + start < from);
      if (begin + before.end !== from) throw notABorder(from);
      const whole = wholeRecords(bytes.subarray(before.end), maxBytes);
      if (whole.length === 0) throw new DtkdError('CONTENT_ALTERED', `the kept output is damaged at ${from}`);
      ends.add(from + whole.length);
      const oldest = ends.size > REMEMBERED_ENDS ? ends.values().next().value : undefined;
      if (oldest !== undefined) ends.delete(oldest);
      return whole;
    },

    onGrowth(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    async close() {
      closing ??= finish();
      return closing;
    },
  };
  return spool;
}

function toEntry(record: OutputRecord): Uint8Array {
  const encoded = encodeCbor(record);
  const entry = Buffer.allocUnsafe(LENGTH_BYTES + encoded.length);
  entry.writeUInt32BE(encoded.length);
  entry.set(encoded, LENGTH_BYTES);
  return entry;
}

function notABorder(offset: number): DtkdError {
  return new DtkdError('BAD_REQUEST', `${offset} is not an offset between two records of this output`, {
    next: 'Begin again at 0, or at an offset from an earlier answer.',
  });
}

/** Reports each border of an existing file, and cuts off what a crash left half-written. Returns where it ends. */
async function scan(path: string, border: (offset: number) => void): Promise<number> {
  const file = await open(path, constants.O_RDWR).catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw toRefusal(cause);
  });
  if (file === undefined) return 0;
  try {
    const buffer = Buffer.allocUnsafe(SCAN_BYTES);
    let offset = 0;
    for (;;) {
      const { bytesRead } = await read(file, buffer, 0, SCAN_BYTES, offset);
      const { end } = walk(buffer.subarray(0, bytesRead), (_, until) => {
        border(offset + until);
        return true;
      });
      offset += end;
      if (end > 0 && bytesRead === SCAN_BYTES) continue;
      if (end < bytesRead) await truncate(file, offset);
      return offset;
    }
  } catch (cause) {
    throw toRefusal(cause);
  } finally {
    await close(file).catch(() => undefined);
  }
}

async function openToWrite(path: string): Promise<number> {
  const flags = constants.O_WRONLY | constants.O_CREAT;
  try {
    return await open(path, flags, 0o600);
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw cause;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return open(path, flags, 0o600);
  }
}

async function writeAll(file: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await write(file, bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

async function readRange(path: string, from: number, to: number): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY).catch((cause: unknown) => {
    throw toRefusal(cause);
  });
  try {
    const bytes = Buffer.allocUnsafe(to - from);
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await read(file, bytes, done, bytes.length - done, from + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  } finally {
    await close(file).catch(() => undefined);
  }
}

function toRefusal(cause: unknown): DtkdError {
  const code = systemCode(cause);
  if (isFull(cause)) return new DtkdError('DISK_FULL', 'the disk is full: output is not kept', { cause });
  if (code === 'ENOENT') return new DtkdError('NOT_FOUND', 'the output is not kept any more', { cause });
  return new DtkdError('INTERNAL', `the kept output cannot be used${code === undefined ? '' : ` (${code})`}`, { cause });
}
