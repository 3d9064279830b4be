/**
 * This node's operator token: a bearer secret in a file that only its owner (or an operator group) may read. Created at the first start,
 * compared in constant time, replaced as a whole by `rotate`. Memory holds only its hash.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, chown, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DtkdError } from '../../../protocol/errors.ts';
import { OPERATOR } from '../../../protocol/rights/principal.ts';
import { syncDirectory } from '../disk/sync-directory.ts';
import { isFull, isMissing } from '../disk/system-error.ts';
import type { OperatorToken, OperatorTokenOptions } from './operator-token.types.ts';

/** 256 bits: it cannot be guessed, so wrong attempts need no lock-out. */
const TOKEN_BYTES = 32;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

export async function openOperatorToken(options: OperatorTokenOptions): Promise<OperatorToken> {
  const stored = await readToken(options);
  let digest = digestOf(stored ?? (await writeToken(options)));
  // the group may have been configured after the token was created
  if (stored !== undefined) await protect(options.file, options.gid);
  let turn: Promise<unknown> = Promise.resolve();
  return {
    authenticate(bearerToken) {
      return timingSafeEqual(digestOf(bearerToken), digest) ? { type: 'operator', name: OPERATOR } : undefined;
    },
    rotate() {
      const next = turn.then(async () => {
        const token = await writeToken(options);
        digest = digestOf(token);
        return token;
      });
      turn = next.catch(() => {});
      return next;
    },
  };
}

/** Hashes have a fixed length, so comparing them reveals nothing, not even the token's length. */
function digestOf(token: string): Buffer {
  // as text first: hashing into a buffer costs several times as much for each request
  return Buffer.from(hash('sha256', `dtkd/operator-token\n${token}`, 'hex'), 'latin1');
}

async function readToken({ file }: OperatorTokenOptions): Promise<string | undefined> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unusable(file, 'cannot be read', error);
  }
  if (text === '') return undefined;
  if (!TOKEN.test(text)) throw unusable(file, 'does not hold a token');
  return text;
}

/** Writes a new token beside the old one and renames it into place, so that nobody reads half of one. */
async function writeToken({ file, gid }: OperatorTokenOptions): Promise<string> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const fresh = `${file}.new`;
  try {
    await rm(fresh, { force: true });
    const handle = await open(fresh, 'wx', 0o600);
    try {
      await handle.writeFile(`${token}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await protect(fresh, gid);
    await rename(fresh, file);
    await syncDirectory(dirname(file));
  } catch (error) {
    throw unusable(file, 'cannot be written', error);
  }
  return token;
}

async function protect(file: string, gid: number | undefined): Promise<void> {
  if (gid !== undefined) await chown(file, process.getuid?.() ?? -1, gid);
  await chmod(file, gid === undefined ? 0o600 : 0o640);
}

function unusable(file: string, what: string, cause?: unknown): DtkdError {
  if (isFull(cause)) {
    return new DtkdError('DISK_FULL', `there is no room to write the operator token file ${file}; the token stays as it was`, {
      next: 'Free some space and do it again.',
      cause,
    });
  }
  return new DtkdError('DATA_UNWRITABLE', `the operator token file ${file} ${what}`, {
    next: 'Check its owner and mode, or delete it to have a new token made.',
    ...(cause === undefined ? {} : { cause }),
  });
}
