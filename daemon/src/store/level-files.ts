/**
 * Checks the files of a LevelDB database for damage that LevelDB ignores: it creates a new database where it finds none, and skips a
 * damaged end of its log.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DtkdError } from '../../../protocol/errors.ts';

/** Tables, and logs of rows that are in no table yet. LevelDB writes both only once CURRENT exists. */
const HOLDS_ROWS = /^\d+\.(ldb|sst|log)$/;
const DROPPED = /dropping (\d+) bytes/g;

/** Refuses a database that has rows but no CURRENT: LevelDB would take it for a new one, and remove the rows. Errors: DATA_CORRUPT. */
export async function refuseWithoutCurrent(directory: string): Promise<void> {
  const names = await readdir(directory);
  if (names.includes('CURRENT') || !names.some((name) => HOLDS_ROWS.test(name))) return;
  throw new DtkdError('DATA_CORRUPT', `the database in ${directory} is damaged: its file CURRENT is missing`, {
    next: 'Put the missing files back, or restore a backup (dtkd restore) into an empty directory.',
  });
}

/**
 * Bytes that LevelDB could not read and skipped when it last opened the database: the last ones written before a power loss, or by a
 * failing disk.
 */
export async function droppedBytes(directory: string): Promise<number> {
  const text = await readFile(join(directory, 'LOG'), 'utf8').catch(() => '');
  return [...text.matchAll(DROPPED)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}
