/** Reproducible archives: owners, times, order and compression are fixed, so two archives of one tree have the same bytes. */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { type Entry, sorted, type Tree } from './tree.ts';

/** The default level: higher ones take twice as long and save one per cent. */
const COMPRESSION = { level: constants.Z_DEFAULT_COMPRESSION };

export interface ArchiveOptions {
  /** The time of every file, in seconds since 1970. */
  time: number;
  /** Prefix of each path: `./` in a .deb. */
  prefix?: string;
}

/** A gzipped tar of the tree, as a stream. */
export function tarGz(tree: Tree, { time, prefix = '' }: ArchiveOptions): NodeJS.ReadableStream & AsyncIterable<Buffer> {
  const tar = pack();
  const gzip = createGzip(COMPRESSION);
  const common = { mtime: new Date(time * 1000), uid: 0, gid: 0, uname: 'root', gname: 'root' };
  const write = async (path: string, entry: Entry): Promise<void> => {
    const name = `${prefix}${path}`;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const done = (error?: Error | null): void => (error == null ? resolve() : reject(error));
    if (entry.kind === 'directory')
      tar.entry({ ...common, name: name.endsWith('/') ? name : `${name}/`, type: 'directory', mode: 0o755 }, done);
    else if (entry.kind === 'link') tar.entry({ ...common, name, type: 'symlink', linkname: entry.target, mode: 0o777 }, done);
    else {
      const mode = entry.executable ? 0o755 : 0o644;
      if (Buffer.isBuffer(entry.content)) tar.entry({ ...common, name, mode }, entry.content, done);
      else {
        const { from, size } = entry.content;
        const sink = tar.entry({ ...common, name, mode, size }, done);
        createReadStream(from).on('error', done).pipe(sink.on('error', done));
      }
    }
    await promise;
  };
  void (async () => {
    if (prefix !== '') await write('', { kind: 'directory' });
    for (const [path, entry] of sorted(tree)) await write(path, entry);
    tar.finalize();
  })().catch((error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))));
  void pipeline(tar, gzip).catch((error: unknown) => gzip.destroy(error instanceof Error ? error : new Error(String(error))));
  return gzip;
}

export async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Compresses one file, without name and time in the header. */
export function gz(text: string): Buffer {
  return gzipSync(text, { level: constants.Z_BEST_COMPRESSION });
}

/** A member of an `ar` archive, with its header as dpkg reads it. */
export function arMember(name: string, content: Buffer, time: number): Buffer {
  const header = `${name.padEnd(16)}${String(time).padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(content.length).padEnd(10)}\`\n`;
  return Buffer.concat([Buffer.from(header, 'latin1'), content, Buffer.from(content.length % 2 === 0 ? '' : '\n')]);
}

export const AR_BEGIN = Buffer.from('!<arch>\n');
