/**
 * Why a process is ended before its time, noted in its room before it is told to: a daemon that finds it, still ending or ended, goes on with that and tells
 * the same. The record beside it says how it ended, and not why.
 */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const NOTE = 'why';
/** Characters of a message that are noted: as many as the reason of a part has. */
const MAX_MESSAGE = 1_024;
/** No note is larger, however its message is escaped. */
const MAX_NOTE_BYTES = 8_192;

const note = z.object({ code: z.string().max(64), message: z.string().max(MAX_MESSAGE) });

export interface KillNote {
  code: string;
  message: string;
  /** By the clock that gives the record its time, which may be some milliseconds behind. */
  at: number;
}

/** Notes it, and returns it as noted; undefined if the disk does not take it. Never rejects. */
export async function noteKill(room: string, { code, message }: Omit<KillNote, 'at'>): Promise<KillNote | undefined> {
  const path = join(room, NOTE);
  try {
    await writeFile(path, JSON.stringify({ code, message: message.slice(0, MAX_MESSAGE) }), { mode: 0o600, flag: 'wx' });
    return { code, message, at: await timeOf(path) };
  } catch {
    return undefined;
  }
}

/** What an earlier daemon has noted. Never rejects. */
export async function readKillNote(room: string): Promise<KillNote | undefined> {
  const path = join(room, NOTE);
  try {
    if ((await stat(path)).size > MAX_NOTE_BYTES) return undefined;
    return { ...note.parse(JSON.parse(await readFile(path, 'utf8'))), at: await timeOf(path) };
  } catch {
    return undefined;
  }
}

/** Rounded as the time of a record is. */
async function timeOf(path: string): Promise<number> {
  return Math.round((await stat(path)).mtimeMs);
}
