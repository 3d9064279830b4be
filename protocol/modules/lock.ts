/** Reads and writes `dtk.lock.yaml`, the chosen versions. Pure. */
import { z } from 'zod';
import { LOCK_FILE, type LockFile, lockFile, MAX_LOCK_BYTES } from '../definitions/service-file.ts';
import { DtkdError } from '../errors.ts';
import { readYaml } from './yaml.ts';

/** Parses a lock. Errors: TOO_LARGE, INVALID naming the place. */
export async function readLock(data: Uint8Array | string, source = LOCK_FILE): Promise<LockFile> {
  if (data.length > MAX_LOCK_BYTES) {
    throw new DtkdError('TOO_LARGE', `${source} is larger than ${MAX_LOCK_BYTES / 1024} KiB`, {
      next: 'Choose the versions again with --update.',
    });
  }
  let text: string;
  try {
    text = typeof data === 'string' ? data : new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch (cause) {
    throw new DtkdError('INVALID', `${source} is not UTF-8 text`, { cause });
  }
  const parsed = lockFile.safeParse(await readYaml(text, source));
  if (parsed.success) return parsed.data;
  throw new DtkdError('INVALID', `${source} is not a lock: ${z.prettifyError(parsed.error).split('\n').slice(0, 2).join(' ')}`, {
    next: 'Choose the versions again: dtkd module install DIR --update.',
  });
}

/** Formats a lock. The same choice always gives the same text. */
export function lockText({ modules }: LockFile): string {
  const entries = Object.entries(modules).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = entries.flatMap(([name, { version, digest, publisher }]) => [
    `  ${name}:`,
    `    version: ${version}`,
    `    digest: "${digest}"`,
    `    publisher: "${publisher}"`,
  ]);
  return [
    '# The versions that were chosen for the dependencies. Written by "dtkd module install"; --update chooses them again.',
    'dsl_version: "1.0"',
    ...(lines.length === 0 ? ['modules: {}'] : ['modules:', ...lines]),
    '',
  ].join('\n');
}
