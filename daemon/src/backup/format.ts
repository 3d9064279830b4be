/**
 * The format of a backup file: a tar archive of a header, the rows of the database in parts, the other files of the data directory, and as
 * the last entry a manifest with the SHA-256 of every byte before it. Names, schemas and limits; pure.
 */
import { z } from 'zod';
import { nodeName } from '../../../protocol/encoding/fields.ts';
import { DtkdError } from '../../../protocol/errors.ts';

/** The format version. A newer one is refused. */
export const BACKUP_FORMAT = 1;
export const HEADER_NAME = 'dtkd-backup.json';
export const MANIFEST_NAME = 'manifest.json';
export const ROWS_PREFIX = 'db/';
export const FILES_PREFIX = 'files/';

/** The most bytes of the header, and of the manifest. */
export const MAX_TOLD_BYTES = 16 * 1024;
/** A part of rows ends with the row that reaches this many bytes. */
export const ROWS_PART_BYTES = 1024 * 1024;
/** The most bytes of a part of rows. No row is nearly that long. */
export const MAX_ROWS_PART_BYTES = 64 * 1024 * 1024;
/** The most bytes of one file: the limit of ustar. */
export const MAX_FILE_BYTES = 8 * 1024 ** 3 - 1;
/** The most files and directories. */
export const MAX_ENTRIES = 4_000_000;
/** The most bytes of a name, and path components in it. */
const MAX_NAME_BYTES = 2_048;
const MAX_NAME_PARTS = 48;

const milliseconds = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const id = z.string().regex(/^[0-9a-f]{32}$/);

/** The first entry: identifies the backup before anything else is read. */
export const header = z.strictObject({
  format: z.number().int().min(1),
  /** The id of this backup. */
  id,
  /** Version of dtkd that made it. */
  program: z.string().max(64),
  node: nodeName,
  /** Milliseconds since the epoch. Everything acknowledged before is in the backup. */
  createdAt: milliseconds,
});
export type BackupHeader = z.infer<typeof header>;

/** The last entry. */
export const manifest = z.strictObject({
  id,
  /** Entries before this one. */
  entries: z.number().int().min(0),
  rows: z.number().int().min(0),
  /** Bytes of the archive before this entry, and their SHA-256. */
  bytes: z.number().int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BackupManifest = z.infer<typeof manifest>;

/** The bytes of the header in the archive. There is only one encoding, so that every byte is checked. */
export function encodeHeader({ format, id, program, node, createdAt }: BackupHeader): Buffer {
  return Buffer.from(`${JSON.stringify({ format, id, program, node, createdAt })}\n`);
}

export function encodeManifest({ id, entries, rows, bytes, sha256 }: BackupManifest): Buffer {
  return Buffer.from(`${JSON.stringify({ id, entries, rows, bytes, sha256 })}\n`);
}

/** Reads a header. Errors: BACKUP_INVALID, FORMAT_TOO_NEW. */
export function decodeHeader(bytes: Uint8Array): BackupHeader {
  const value = json(bytes);
  const { data: told } = z.object({ format: z.number().int().min(1) }).safeParse(value);
  if (told !== undefined && told.format > BACKUP_FORMAT) {
    throw new DtkdError('FORMAT_TOO_NEW', `the backup has format ${told.format}; this dtkd knows formats up to ${BACKUP_FORMAT}`, {
      next: 'Restore it with the newer dtkd that made it.',
    });
  }
  const { data } = header.safeParse(value);
  if (data === undefined) throw invalid('its header does not say what it is');
  return data;
}

/** Errors: BACKUP_INVALID. */
export function decodeManifest(bytes: Uint8Array): BackupManifest {
  const { data } = manifest.safeParse(json(bytes));
  if (data === undefined) throw invalid('its manifest cannot be read');
  return data;
}

export function partName(number: number): string {
  return `${ROWS_PREFIX}${String(number).padStart(8, '0')}`;
}

/** What is wrong with the name of a file in the data directory; undefined if nothing. */
export function nameFault(name: string): string | undefined {
  const parts = name.split('/');
  if (name === '' || Buffer.byteLength(name) > MAX_NAME_BYTES || parts.length > MAX_NAME_PARTS) return 'is too long, or empty';
  if (name.includes('\0') || name.includes('\\') || name.includes('\uFFFD')) return 'has characters that are not allowed';
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return 'leads outside of the directory';
  return undefined;
}

/**
 * The order of files: each directory comes before its contents, and those before whatever follows the directory. Negative if `a` comes
 * first.
 */
export function comparePaths(a: string, b: string): number {
  const [x, y] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')];
  return x < y ? -1 : x > y ? 1 : 0;
}

export function invalid(why: string, cause?: unknown): DtkdError {
  return new DtkdError('BACKUP_INVALID', `this is not a backup that can be restored: ${why}`, {
    next: 'Choose another backup. Nothing was put in place.',
    cause,
  });
}

export function altered(why: string): DtkdError {
  return new DtkdError('BACKUP_ALTERED', `the backup is damaged: ${why}`, {
    next: 'Copy it again from where it was made, or choose another one. Nothing was put in place.',
  });
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
