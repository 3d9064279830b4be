/**
 * Records the secret values that processes of a part get, beside their run directories and before they start, sealed by this node. A
 * daemon that adopts the processes can then keep these values out of their output, even if the Secrets have changed.
 */
import { readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../../protocol/encoding/cbor.ts';
import { systemCode } from '../../../disk/system-error.ts';
import { fileError } from '../../content/file-error.ts';
import type { SecretValues } from '../../dispatch.types.ts';

/** Prefix of the names of notes; no run directory's name starts like this. */
const GIVEN = 'given-';
/** The most bytes of a note: a part gets few secrets, and none is large. */
const MAX_NOTE_BYTES = 16 * 1024 * 1024;

const note = z.array(z.instanceof(Uint8Array));

/** The path of the note about the process in a room, and those before it. */
export function givenBeside(room: string): string {
  return join(dirname(room), `${GIVEN}${basename(room)}`);
}

/** Errors: DISK_FULL and the like. */
export async function noteGiven(secrets: SecretValues, room: string, values: readonly Uint8Array[]): Promise<void> {
  const path = givenBeside(room);
  const sealed = await secrets.seal(aboutOf(path), encodeCbor([...values]));
  try {
    await writeFile(path, sealed, { mode: 0o600 });
  } catch (error) {
    await unlink(path).catch(() => undefined);
    throw fileError(error, path);
  }
}

/**
 * The values noted for the process in a room; none if it got none. Errors: those of the system, and INTERNAL if the note cannot be
 * unsealed.
 */
export async function readGiven(secrets: SecretValues, room: string): Promise<Buffer[]> {
  const path = givenBeside(room);
  try {
    if ((await stat(path)).size > MAX_NOTE_BYTES) throw new Error('it is larger than any note');
    const bytes = await secrets.unseal(aboutOf(path), await readFile(path));
    return decodeCbor(bytes, note, 'a note of secrets').map((value) => Buffer.from(value));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Binds a note to its process and part, so that another one's note is not accepted. */
function aboutOf(path: string): string {
  return `${basename(dirname(path))}/${basename(path)}`;
}
