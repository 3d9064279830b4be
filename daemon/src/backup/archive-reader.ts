/**
 * Reads the archive of a backup, which it does not trust: checks names, kinds, sizes and order before handing anything on, and once
 * everything has been read, that no byte was altered. A taker must put nothing in place before `readArchive` resolves. Holds one part of
 * rows and some chunks in memory.
 */
import { createHash } from 'node:crypto';
import { extract } from 'tar-stream';
import { DtkdError } from '../../../protocol/errors.ts';
import { endOfArchive } from './archive-writer.ts';
import { belongsInBackup } from './contents.ts';
import {
  altered,
  type BackupHeader,
  type BackupManifest,
  comparePaths,
  decodeHeader,
  decodeManifest,
  encodeHeader,
  encodeManifest,
  FILES_PREFIX,
  HEADER_NAME,
  invalid,
  MANIFEST_NAME,
  MAX_ENTRIES,
  MAX_FILE_BYTES,
  MAX_ROWS_PART_BYTES,
  MAX_TOLD_BYTES,
  nameFault,
  partName,
  ROWS_PREFIX,
} from './format.ts';
import { decodeRows, type Row } from './rows.ts';

/** Bytes kept from the end, to be checked as a whole: the manifest, and the end of the archive. */
const END_BYTES = 64 * 1024;

/** Receives the contents of a backup. */
export interface BackupTaker {
  header(header: BackupHeader): Promise<void>;
  rows(rows: Row[]): Promise<void>;
  directory(path: string, mode: number): Promise<void>;
  /** `bytes` must be read to its end. */
  file(path: string, mode: number, bytes: AsyncIterable<Uint8Array>): Promise<void>;
}

interface TarEntry extends AsyncIterable<unknown> {
  header: { name: string; size: number; mode: number; type: string; linkname: string | null };
  offset: number;
}

/**
 * Hands on the whole backup, and resolves once it is known to be complete and unaltered. Errors: BACKUP_INVALID, BACKUP_ALTERED,
 * FORMAT_TOO_NEW, and those of the taker and the source.
 */
export async function readArchive(
  source: AsyncIterable<Uint8Array>,
  taker: BackupTaker,
): Promise<{ header: BackupHeader; manifest: BackupManifest }> {
  const end = new End();
  const archive = extract();
  const fed = feed(archive, source, end);
  fed.catch(() => undefined);
  const reading = new Reading(taker);
  try {
    for await (const entry of archive as AsyncIterable<TarEntry>) await reading.entry(entry);
    await fed;
  } catch (error) {
    archive.destroy();
    // an error of the source says more than that the archive ended
    await fed.catch((cause: unknown) => {
      if (cause instanceof DtkdError) throw cause;
    });
    throw error instanceof DtkdError || isSystemError(error) ? error : reading.broken();
  }
  const { header, manifest, offset, entries, rows } = reading.finish();
  if (manifest.id !== header.id || manifest.entries !== entries || manifest.rows !== rows)
    throw altered('its manifest belongs to another backup');
  const rest = end.from(offset);
  const expected = await endOfArchive(header, encodeManifest(manifest));
  if (rest === undefined || !expected.equals(rest)) throw altered('its end is not as it was written');
  if (manifest.bytes !== offset || manifest.sha256 !== end.digest(offset)) throw altered('its content is not what its manifest says');
  return { header, manifest };
}

async function feed(archive: ReturnType<typeof extract>, source: AsyncIterable<Uint8Array>, end: End): Promise<void> {
  const closed = new Promise<void>((resolve) => archive.once('close', () => resolve()));
  // reported by the loop that reads the entries
  archive.on('error', () => undefined);
  try {
    for await (const chunk of source) {
      end.add(chunk);
      if (archive.destroyed) return;
      if (archive.write(chunk)) continue;
      await Promise.race([closed, new Promise<void>((resolve) => archive.once('drain', () => resolve()))]);
    }
    archive.end(undefined);
  } catch (error) {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

/** Checks the entries, which must come in one fixed order. */
class Reading {
  readonly #taker: BackupTaker;
  #header: BackupHeader | undefined;
  #manifest: BackupManifest | undefined;
  #manifestAt = 0;
  #entries = 0;
  #parts = 0;
  #rows = 0;
  #lastKey = '';
  #lastPath = '';
  /** The directories that contain the current entry. */
  #above: string[] = [];

  constructor(taker: BackupTaker) {
    this.#taker = taker;
  }

  async entry(entry: TarEntry): Promise<void> {
    const { name, type, size, linkname } = entry.header;
    if (this.#manifest !== undefined) throw invalid('something follows its manifest');
    if ((type !== 'file' && type !== 'directory') || (linkname ?? '') !== '')
      throw invalid('it has links, or other things that are not files');
    if (!Number.isSafeInteger(size) || size < 0 || size > MAX_FILE_BYTES || (type === 'directory' && size > 0))
      throw invalid('it has a file that is too large');
    if (this.#header === undefined) {
      if (name !== HEADER_NAME || type !== 'file') throw invalid('it does not begin like a backup');
      const bytes = await this.#all(entry, MAX_TOLD_BYTES);
      this.#header = decodeHeader(bytes);
      if (!encodeHeader(this.#header).equals(bytes)) throw invalid('its header is not valid');
      await this.#taker.header(this.#header);
    } else if (name === MANIFEST_NAME && type === 'file') {
      this.#manifest = decodeManifest(await this.#all(entry, MAX_TOLD_BYTES));
      this.#manifestAt = entry.offset;
      return;
    } else if (name.startsWith(ROWS_PREFIX)) await this.#part(entry);
    else if (name.startsWith(FILES_PREFIX)) await this.#file(entry);
    else throw invalid('it has something that does not belong in a backup');
    this.#entries += 1;
    if (this.#entries > MAX_ENTRIES) throw invalid(`it has more than ${MAX_ENTRIES} files`);
  }

  finish(): { header: BackupHeader; manifest: BackupManifest; offset: number; entries: number; rows: number } {
    if (this.#header === undefined) throw invalid('there is nothing in it');
    if (this.#manifest === undefined) throw altered('its end is missing');
    return { header: this.#header, manifest: this.#manifest, offset: this.#manifestAt, entries: this.#entries, rows: this.#rows };
  }

  /** The error for an archive that cannot be read any further. */
  broken(): DtkdError {
    return this.#header === undefined ? invalid('it is not an archive of dtkd') : altered('the archive breaks off, or cannot be read');
  }

  async #part(entry: TarEntry): Promise<void> {
    if (entry.header.name !== partName(this.#parts) || entry.header.type !== 'file' || this.#lastPath !== '')
      throw invalid('its rows are not in order');
    this.#parts += 1;
    const rows = decodeRows(await this.#all(entry, MAX_ROWS_PART_BYTES), this.#lastKey);
    this.#lastKey = rows.at(-1)?.[0] ?? this.#lastKey;
    this.#rows += rows.length;
    await this.#taker.rows(rows);
  }

  async #file(entry: TarEntry): Promise<void> {
    const { name, type, mode } = entry.header;
    const path = name.slice(FILES_PREFIX.length).replace(type === 'directory' ? /\/$/ : /(?!)/, '');
    const fault = nameFault(path);
    if (fault !== undefined) throw invalid(`the name of a file ${fault}`);
    if (!belongsInBackup(path)) throw invalid(`${path.slice(0, 200)} does not belong in a backup`);
    if (this.#lastPath !== '' && comparePaths(this.#lastPath, path) >= 0)
      throw invalid('its files are not in order, or one is there twice');
    this.#lastPath = path;
    while (this.#above.length > 0 && !path.startsWith(`${this.#above.at(-1)}/`)) this.#above.pop();
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : undefined;
    if (parent !== this.#above.at(-1)) throw invalid(`the directory of ${path.slice(0, 200)} is not in it`);
    if (type === 'directory') {
      this.#above.push(path);
      await this.#taker.directory(path, mode & 0o777);
      await this.#all(entry, 0);
    } else await this.#taker.file(path, mode & 0o777, chunksOf(entry));
  }

  async #all(entry: TarEntry, limit: number): Promise<Buffer> {
    if (entry.header.size > limit) throw invalid(`${entry.header.name.slice(0, 200)} is too large`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of chunksOf(entry)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
}

async function* chunksOf(entry: TarEntry): AsyncGenerator<Uint8Array> {
  for await (const chunk of entry) if (chunk instanceof Uint8Array) yield chunk;
}

/** Hashes the stream, except for its last bytes: where the manifest begins is not known yet. */
class End {
  readonly #hash = createHash('sha256');
  #kept: Buffer = Buffer.alloc(0);
  #hashed = 0;

  add(chunk: Uint8Array): void {
    const all = Buffer.concat([this.#kept, chunk]);
    const over = Math.max(0, all.length - END_BYTES);
    this.#hash.update(all.subarray(0, over));
    this.#hashed += over;
    this.#kept = all.subarray(over);
  }

  /** The bytes from an offset to the end; undefined if they are longer than END_BYTES. */
  from(offset: number): Buffer | undefined {
    return offset < this.#hashed ? undefined : this.#kept.subarray(offset - this.#hashed);
  }

  /** The SHA-256 of everything before an offset. */
  digest(offset: number): string {
    return this.#hash
      .copy()
      .update(this.#kept.subarray(0, offset - this.#hashed))
      .digest('hex');
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
