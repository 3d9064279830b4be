/**
 * Records in a process's room why it is ended early, before it gets the signal. A daemon that finds the process, still ending or ended,
 * continues and gives the same reason. The record beside it says how the process ended, and not why.
 */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const NOTE = 'why';
/** Characters of a message that are kept: as many as the reason of a part has. */
const MAX_MESSAGE = 1_024;
/** The most bytes of a note, however its message is escaped. */
const MAX_NOTE_BYTES = 8_192;

const note = z.object({ code: z.string().max(64), message: z.string().max(MAX_MESSAGE) });

export interface KillNote {
  code: string;
  message: string;
  /** By the clock that also dates the record, which may be some milliseconds behind. */
  at: number;
}

/** Writes the note and returns it; undefined if the disk fails. Never rejects. */
export async function noteKill(room: string, { code, message }: Omit<KillNote, 'at'>): Promise<KillNote | undefined> {
  const path = join(room, NOTE);
  try {
    await writeFile(path, JSON.stringify({ code, message: message.slice(0, MAX_MESSAGE) }), { mode: 0o600, flag: 'wx' });
    return { code, message, at: await timeOf(path) };
  } catch {
    return undefined;
  }
}

/** The note of an earlier daemon, if any. Never rejects. */
export async function readKillNote(room: string): Promise<KillNote | undefined> {
  const path = join(room, NOTE);
  try {
    if ((await stat(path)).size > MAX_NOTE_BYTES) return undefined;
    return { ...note.parse(JSON.parse(await readFile(path, 'utf8'))), at: await timeOf(path) };
  } catch {
    return undefined;
  }
}

/** The modification time, rounded like that of a record. */
async function timeOf(path: string): Promise<number> {
  return Math.round((await stat(path)).mtimeMs);
}
