/** The data directory of a node: creates and protects it, settles the node's name, and tells the CLI where the daemon is. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { chmod, chown, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DtkdError } from '../../../protocol/errors.ts';
import { type NodeName, parseNodeName } from '../../../protocol/ids.ts';
import { defaultNodeName } from '../config.ts';
import { systemCode } from '../disk/system-error.ts';
import type { Kv } from '../store/kv.ts';
import { makeDirectory } from './directory.ts';

const NAME_KEY = 'a/node-name';
/** Name of the API's socket in the data directory. */
export const API_SOCKET = 'api.sock';
const ENDPOINT_FILE = 'endpoint.json';

/** Makes the data directory if it is missing, and checks that it is writable. Errors: DATA_UNWRITABLE. */
export function prepareDirectory(directory: string): void {
  try {
    makeDirectory(directory, 0o700);
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    if (isFile(directory)) {
      throw new DtkdError('DATA_UNWRITABLE', `the data directory ${directory} is a file`, {
        next: 'Name a directory with --data, or move the file away.',
        cause,
      });
    }
    throw unwritable(directory, cause);
  }
}

/**
 * Restricts the data directory to its owner, or to its owner and the operator group. To be called only by the holder of the database lock:
 * a second daemon with other settings is refused, and must not shut out users whom the first one admits. Errors: CONFIG_INVALID,
 * DATA_UNWRITABLE.
 */
export async function protectDirectory(directory: string, gid: number | undefined): Promise<void> {
  try {
    if (gid !== undefined) await chown(directory, process.getuid?.() ?? 0, gid);
    await chmod(directory, gid === undefined ? 0o700 : 0o750);
  } catch (cause) {
    if (gid === undefined || systemCode(cause) !== 'EPERM') throw unwritable(directory, cause);
    throw new DtkdError('CONFIG_INVALID', `operatorGroup: ${directory} cannot be given to the group ${gid}`, {
      next: 'The user that runs dtkd has to own the directory and be in that group: usermod --append --groups GROUP USER.',
      cause,
    });
  }
}

/** True if the path is not a directory. False also if it cannot be examined. */
function isFile(path: string): boolean {
  try {
    return !statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function unwritable(directory: string, cause: unknown): DtkdError {
  return new DtkdError('DATA_UNWRITABLE', `the data directory ${directory} cannot be created or written`, {
    next: 'Give a directory that this user may write with --data.',
    cause,
  });
}

/**
 * Refuses a directory whose database is gone: the daemon would start as another node, in no domain. Recognises that by the audit log, which
 * is created only once there is a database. Errors: DATA_CORRUPT.
 */
export async function refuseLostDatabase(directory: string): Promise<void> {
  const audit = join(directory, 'audit');
  const lines = await readdir(audit).catch(() => []);
  if (lines.length === 0 || existsSync(join(directory, 'db', 'CURRENT'))) return;
  throw new DtkdError(
    'DATA_CORRUPT',
    `the database ${join(directory, 'db')}, which says who this node is, is gone or has no file CURRENT, but its audit log is still there`,
    {
      next: `Put the database back, or restore a backup (dtkd restore) into an empty directory. For a new node: move ${audit} away.`,
    },
  );
}

/** Returns the node's name. It is fixed at the first start, since it is the namespace of everything stored. */
export async function settleName(kv: Kv, asked: NodeName | undefined): Promise<NodeName> {
  const stored = await kv.get(NAME_KEY);
  if (stored !== undefined) {
    const name = parseNodeName(Buffer.from(stored).toString('utf8'));
    if (asked === undefined || asked === name) return name;
    throw new DtkdError('CONFIG_INVALID', `this data directory belongs to the node ${name}, not ${asked}`, {
      next: `Start it as ${name}, or give --data another directory.`,
    });
  }
  const name = asked ?? defaultNodeName();
  await kv.batch([{ type: 'put', key: NAME_KEY, value: Buffer.from(name) }], { sync: true });
  return name;
}

/** Adds the id of the process that holds the database, if it is known. Always throws. */
export async function explainLock(error: unknown, directory: string): Promise<never> {
  if (!(error instanceof DtkdError) || error.code !== 'DATA_LOCKED') throw error;
  const endpoint = await readFile(join(directory, ENDPOINT_FILE), 'utf8').catch(() => '');
  const pid = /"pid":\s*(\d+)/.exec(endpoint)?.[1];
  if (pid === undefined) throw error;
  throw new DtkdError('DATA_LOCKED', `${error.message} (process ${pid})`, {
    ...(error.next === undefined ? {} : { next: error.next }),
    cause: error,
  });
}

/** Lets the operator group read a file that its commands need, regardless of the umask: that of the systemd units would prevent it. */
export async function openToGroup(file: string, gid: number): Promise<void> {
  await chown(file, process.getuid?.() ?? -1, gid);
  await chmod(file, 0o640);
}

/**
 * Tells the CLI where the daemon is. Written atomically, so that nobody reads half of it. `gid`: of the operator group. Returns a function
 * that removes the file.
 */
export async function writeEndpoint(directory: string, endpoint: object, gid: number | undefined): Promise<() => Promise<void>> {
  const file = join(directory, ENDPOINT_FILE);
  await writeFile(`${file}.new`, `${JSON.stringify(endpoint)}\n`, { mode: 0o644 });
  if (gid !== undefined) await openToGroup(`${file}.new`, gid);
  await rename(`${file}.new`, file);
  return () => rm(file, { force: true });
}
