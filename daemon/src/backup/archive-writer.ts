/**
 * Writes the archive of a backup: the entries as they come, and last a manifest over every byte before it. Goes at the reader's pace, so
 * that only a few chunks are in memory.
 */
import { createHash } from 'node:crypto';
import { type Pack, pack } from 'tar-stream';
import { type BackupHeader, encodeHeader, encodeManifest, HEADER_NAME, MANIFEST_NAME } from './format.ts';

/** Only the owner may read what is extracted from the archive. */
const PRIVATE_FILE = 0o600;

export interface Entry {
  name: string;
  type: 'file' | 'directory';
  mode: number;
  size: number;
  /** Exactly `size` bytes. */
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** The bytes of an archive. `entries` returns the number of rows when it is done. */
export async function* writeArchive(about: BackupHeader, entries: AsyncGenerator<Entry, number>): AsyncGenerator<Uint8Array> {
  const archive = pack();
  const bell = new Bell();
  let ended = false;
  let failure: { error: unknown } | undefined;
  let written: { entries: number; rows: number } | undefined;
  let finished = false;
  archive.on('readable', () => bell.ring());
  archive.on('end', () => {
    ended = true;
    bell.ring();
  });
  archive.on('error', (error: unknown) => {
    failure ??= { error };
    bell.ring();
  });
  fill(archive, about, entries).then(
    (result) => {
      written = result;
      bell.ring();
    },
    (error: unknown) => {
      failure ??= { error };
      bell.ring();
    },
  );
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    while (!ended) {
      if (failure !== undefined) throw failure.error;
      const heard = bell.heard();
      const chunk: unknown = archive.read();
      if (chunk instanceof Uint8Array) {
        if (!finished) hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      } else if (written !== undefined && !finished) {
        finished = true;
        const manifest = encodeManifest({ id: about.id, ...written, bytes, sha256: hash.digest('hex') });
        archive.entry(tarHeader(about, { name: MANIFEST_NAME, type: 'file', mode: PRIVATE_FILE, size: manifest.length }), manifest);
        archive.finalize();
      } else await heard;
    }
  } finally {
    archive.destroy();
    await entries.return(0).catch(() => undefined);
  }
}

/** The manifest's entry and the end of the archive, exactly as `writeArchive` writes them. */
export async function endOfArchive(about: BackupHeader, manifest: Uint8Array): Promise<Buffer> {
  const archive = pack();
  archive.entry(tarHeader(about, { name: MANIFEST_NAME, type: 'file', mode: PRIVATE_FILE, size: manifest.length }), Buffer.from(manifest));
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function fill(
  archive: Pack,
  about: BackupHeader,
  entries: AsyncGenerator<Entry, number>,
): Promise<{ entries: number; rows: number }> {
  const head = encodeHeader(about);
  await add(archive, about, { name: HEADER_NAME, type: 'file', mode: PRIVATE_FILE, size: head.length, bytes: [head] });
  let count = 1;
  for (;;) {
    const next = await entries.next();
    if (next.done === true) return { entries: count, rows: next.value };
    await add(archive, about, next.value);
    count += 1;
  }
}

async function add(archive: Pack, about: BackupHeader, { bytes, ...entry }: Entry): Promise<void> {
  const done = Promise.withResolvers<void>();
  const sink = archive.entry(tarHeader(about, entry), (error) => (error == null ? done.resolve() : done.reject(error)));
  // a failed entry is reported by `done`
  sink.on('error', () => undefined);
  done.promise.catch(() => undefined);
  if (entry.type === 'directory') return done.promise;
  for await (const chunk of bytes) {
    if (sink.write(chunk)) continue;
    const drained = new Promise<void>((resolve) => sink.once('drain', () => resolve()));
    await Promise.race([drained, done.promise]);
  }
  sink.end(undefined);
  return done.promise;
}

function tarHeader({ createdAt }: BackupHeader, { name, type, mode, size }: Omit<Entry, 'bytes'>) {
  return { name, type, mode, size, mtime: new Date(createdAt), uid: 0, gid: 0 };
}

/** Wakes one waiter. A ring is not lost if `heard` was called before it. */
class Bell {
  #next = Promise.withResolvers<void>();

  heard(): Promise<void> {
    return this.#next.promise;
  }

  ring(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}
