/**
 * Finds where an audit log goes on, or begins a new one. Cuts off what an abrupt end tore at the very end; changes nothing else, even if it
 * is wrong. Removes files that a rotation should have removed but did not.
 */
import { NO_LINE } from '../../../../protocol/audit/heads.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import type { AuditDisk, AuditFile } from './audit-disk.ts';
import { anchorText, fileName, hashOf, type RecordLine, seqOfFile, type Tip } from './audit-line.ts';
import { SIGN_BYTES } from './limits.ts';
import { beyond, judgeTail } from './tail.ts';

/** Room for a signature, the lines after it up to the next one, and a batch of the longest lines. */
const TAIL_BYTES = 4 * SIGN_BYTES;

export interface Opened {
  file: AuditFile;
  files: { name: string; first: number; bytes: number }[];
  tip: Tip;
  /** True if the last lines are not signed yet. */
  unsigned: boolean;
  /** The last record of the previous process; undefined if there was none. */
  before: RecordLine | undefined;
  /** Repairs that were needed to go on, as sentences to record. */
  repairs: string[];
}

export interface OpeningOptions {
  disk: AuditDisk;
  key: SigningKey;
  now: () => number;
  keepFiles: number;
}

export async function openLog(options: OpeningOptions): Promise<Opened> {
  const { disk, keepFiles } = options;
  const repairs: string[] = [];
  const files = await Promise.all(
    (await disk.list()).map(async (name) => ({ name, first: seqOfFile(name) ?? 0, bytes: await sizeOf(disk, name) })),
  );
  // a file whose first line was not written completely contains nothing
  for (let last = files.at(-1); last !== undefined; last = files.at(-1)) {
    const file = await disk.open(last.name);
    const bytes = await file.read(0, Math.min(last.bytes, TAIL_BYTES));
    if (bytes.includes(0x0a)) {
      const opened = await goOn(options, file, files, repairs);
      const { files: all } = opened;
      for (const { name } of all.splice(0, Math.max(0, all.length - keepFiles))) await disk.remove(name).catch(() => undefined);
      return opened;
    }
    await file.close();
    await disk.remove(last.name);
    repairs.push(`the file ${last.name}, which had no whole line, was removed`);
    files.pop();
  }
  return begin(options, files, { seq: 0, hash: NO_LINE }, repairs);
}

async function goOn(options: OpeningOptions, file: AuditFile, files: Opened['files'], repairs: string[]): Promise<Opened> {
  const last = files.at(-1);
  if (last === undefined) return begin(options, files, { seq: 0, hash: NO_LINE }, repairs);
  const from = Math.max(0, last.bytes - TAIL_BYTES);
  const bytes = await file.read(from, last.bytes - from);
  const tail = judgeTail(bytes, from === 0);
  if (tail === undefined) {
    await file.close();
    repairs.push(`the end of ${last.name} cannot be read; a new file goes on`);
    return begin(options, files, beyond(bytes, last.first), repairs);
  }
  const size = from + tail.keep;
  if (size < last.bytes) {
    await file.truncate(size);
    await file.sync();
    repairs.push(`${last.bytes - size} bytes after line ${tail.tip.seq}, torn by an abrupt end, were cut off`);
    last.bytes = size;
  }
  return { file, files, tip: tail.tip, unsigned: tail.unsigned, before: tail.record, repairs };
}

/** Begins a new file after `tip`. */
async function begin({ disk, key, now, keepFiles }: OpeningOptions, files: Opened['files'], tip: Tip, repairs: string[]): Promise<Opened> {
  const first = tip.seq + 1;
  const kept = [...files, { first }].slice(-keepFiles);
  const text = anchorText(key, tip, new Date(now()).toISOString(), kept[0]?.first ?? first);
  const bytes = Buffer.from(`${text}\n`);
  const file = await disk.open(fileName(first));
  await file.write(bytes, 0);
  await file.sync();
  const made = { name: fileName(first), first, bytes: bytes.length };
  return { file, files: [...files, made], tip: { seq: first, hash: hashOf(text) }, unsigned: false, before: undefined, repairs };
}

async function sizeOf(disk: AuditDisk, name: string): Promise<number> {
  const file = await disk.openToRead(name);
  try {
    return await file.size();
  } finally {
    await file.close();
  }
}
