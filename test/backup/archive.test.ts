import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { readArchive } from '../../daemon/src/backup/archive-reader.ts';
import { type Entry, writeArchive } from '../../daemon/src/backup/archive-writer.ts';
import { type BackupHeader, encodeHeader, encodeManifest, partName } from '../../daemon/src/backup/format.ts';
import { encodeRow, type Row } from '../../daemon/src/backup/rows.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { parseNodeName } from '../../protocol/ids.ts';

const ABOUT: BackupHeader = {
  format: 1,
  id: 'ab'.repeat(16),
  program: '1.2.3',
  node: parseNodeName('node1'),
  createdAt: 1_700_000_000_000,
};
const ROWS: Row[] = [
  ['a/node-name', Buffer.from('node1')],
  ['o/x', Buffer.from('one')],
  ['o/y', new Uint8Array(0)],
];
const LONG = `instances/shop/${'deep-directory/'.repeat(20)}file`;

interface Thing {
  name: string;
  type?: 'file' | 'directory' | 'symlink' | 'link' | 'fifo';
  body?: Uint8Array | string;
  linkname?: string;
}

const FILES: Thing[] = [
  { name: 'files/admin.token', body: 'secret' },
  { name: 'files/content', type: 'directory' },
  { name: 'files/content/ab', type: 'directory' },
  { name: 'files/content/ab/cd', body: Buffer.alloc(200_000, 7) },
  { name: 'files/empty', body: '' },
  { name: 'files/instances', type: 'directory' },
  { name: 'files/instances/shop', type: 'directory' },
  ...LONG.split('/')
    .slice(2, -1)
    .map((_, index) => ({
      name: `files/${LONG.split('/')
        .slice(0, 3 + index)
        .join('/')}`,
      type: 'directory' as const,
    })),
  { name: `files/${LONG}`, body: 'far below' },
];

async function* entriesOf(rows: readonly Row[], things: readonly Thing[]): AsyncGenerator<Entry, number> {
  const part = Buffer.concat(rows.flatMap((row) => encodeRow(row)));
  yield { name: partName(0), type: 'file', mode: 0o600, size: part.length, bytes: [part] };
  for (const { name, type = 'file', body = '' } of things) {
    const bytes = Buffer.from(body);
    yield { name, type: type === 'directory' ? type : 'file', mode: 0o640, size: bytes.length, bytes: [bytes] };
  }
  return rows.length;
}

async function whole(rows: readonly Row[] = ROWS, things: readonly Thing[] = FILES): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeArchive(ABOUT, entriesOf(rows, things))) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** As somebody would make it who wants something else to be put in place, with a manifest that fits. */
async function forged(things: readonly Thing[], header: Uint8Array = encodeHeader(ABOUT)): Promise<Buffer> {
  const rows = Buffer.concat(ROWS.flatMap((row) => encodeRow(row)));
  const before = [{ name: 'dtkd-backup.json', body: header }, { name: partName(0), body: rows }, ...things];
  const body = await tar(before);
  const bytes = body.subarray(0, body.length - 1_024);
  const manifest = encodeManifest({
    id: ABOUT.id,
    entries: before.length,
    rows: ROWS.length,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });
  return Buffer.concat([bytes, await tar([{ name: 'manifest.json', body: manifest }])]);
}

async function tar(things: readonly Thing[]): Promise<Buffer> {
  const archive = pack();
  for (const { name, type = 'file', body = '', linkname } of things) {
    const header = {
      name,
      type,
      mode: 0o600,
      uid: 0,
      gid: 0,
      mtime: new Date(ABOUT.createdAt),
      ...(linkname === undefined ? {} : { linkname }),
    };
    if (type === 'file') archive.entry({ ...header, size: Buffer.from(body).length }, Buffer.from(body));
    else archive.entry(header);
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}

interface Taken {
  rows: Row[];
  files: Map<string, string>;
  directories: string[];
}

async function read(bytes: Uint8Array, size = 10_007): Promise<Taken> {
  const taken: Taken = { rows: [], files: new Map(), directories: [] };
  await readArchive(inChunks(bytes, size), {
    header: async () => undefined,
    rows: async (rows) => void taken.rows.push(...rows),
    directory: async (path) => void taken.directories.push(path),
    file: async (path, _mode, body) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      taken.files.set(path, Buffer.concat(chunks).toString('latin1'));
    },
  });
  return taken;
}

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function codeOf(bytes: Uint8Array, size?: number): Promise<string> {
  try {
    await read(bytes, size);
    return 'whole';
  } catch (error) {
    if (error instanceof DtkdError) return error.code;
    throw error;
  }
}

const REFUSED = ['BACKUP_INVALID', 'BACKUP_ALTERED', 'FORMAT_TOO_NEW'];

describe('the archive of a backup', () => {
  it('gives back what was put into it, however its bytes come', async () => {
    const bytes = await whole();
    for (const size of [512, 999, 70_001, bytes.length]) {
      const { rows, files, directories } = await read(bytes, size);
      expect(rows.map(([key, value]) => [key, Buffer.from(value).toString()])).toEqual(
        ROWS.map(([key, value]) => [key, Buffer.from(value).toString()]),
      );
      expect(files.get('admin.token')).toBe('secret');
      expect(files.get('content/ab/cd')?.length).toBe(200_000);
      expect(files.get('empty')).toBe('');
      expect(files.get(LONG)).toBe('far below');
      expect(directories).toContain('content/ab');
    }
  });

  it('can be looked into with tar', async () => {
    expect((await whole()).subarray(0, 16).toString()).toBe('dtkd-backup.json');
  });

  it('refuses it when any byte was altered', async () => {
    const bytes = await whole(ROWS, [{ name: 'files/admin.token', body: 'secret' }]);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const other = Buffer.from(bytes);
        other[at] = (other[at] ?? 0) ^ change;
        expect(REFUSED).toContain(await codeOf(other));
      }),
      { numRuns: 300 },
    );
  });

  it('refuses it wherever it is cut off, and with something behind it', async () => {
    const bytes = await whole();
    for (let at = 0; at < bytes.length; at += 4_999) expect(REFUSED, `cut at ${at}`).toContain(await codeOf(bytes.subarray(0, at)));
    for (const at of [bytes.length - 1, bytes.length - 1_024, bytes.length - 1_025, bytes.length - 2_048]) {
      expect(REFUSED, `cut at ${at}`).toContain(await codeOf(bytes.subarray(0, at)));
    }
    for (const more of [1, 512, 1_024, 100_000]) expect(REFUSED).toContain(await codeOf(Buffer.concat([bytes, Buffer.alloc(more)])));
    expect(REFUSED).toContain(await codeOf(Buffer.concat([bytes, bytes])));
  });

  it('takes a forged one that is as it should be, so that the refusals below mean something', async () => {
    expect(await codeOf(await forged([{ name: 'files/x', body: 'x' }]))).toBe('whole');
  });

  const HOSTILE: [what: string, things: Thing[]][] = [
    ['a symbolic link', [{ name: 'files/x', type: 'symlink', linkname: '/etc/passwd' }]],
    ['a hard link', [{ name: 'files/x', type: 'link', linkname: 'files/y' }]],
    ['a pipe', [{ name: 'files/x', type: 'fifo' }]],
    ['a name that leads up', [{ name: 'files/../../x', body: 'x' }]],
    [
      'a name that leads up within',
      [
        { name: 'files/content', type: 'directory' },
        { name: 'files/content/../x', body: 'x' },
      ],
    ],
    ['an absolute name', [{ name: 'files//etc/passwd', body: 'x' }]],
    ['an absolute name outside of files', [{ name: '/etc/passwd', body: 'x' }]],
    ['a name with a dot', [{ name: 'files/./x', body: 'x' }]],
    ['something outside of files', [{ name: 'x', body: 'x' }]],
    [
      'a file twice',
      [
        { name: 'files/x', body: 'x' },
        { name: 'files/x', body: 'y' },
      ],
    ],
    [
      'files out of order',
      [
        { name: 'files/y', body: 'x' },
        { name: 'files/x', body: 'y' },
      ],
    ],
    [
      'a file below a file',
      [
        { name: 'files/x', body: 'x' },
        { name: 'files/x/y', body: 'y' },
      ],
    ],
    ['a file whose directory is not there', [{ name: 'files/x/y', body: 'y' }]],
    [
      'a database of files',
      [
        { name: 'files/db', type: 'directory' },
        { name: 'files/db/CURRENT', body: 'y' },
      ],
    ],
    ['where a daemon is', [{ name: 'files/endpoint.json', body: '{}' }]],
    ['a part of rows twice', [{ name: partName(0), body: Buffer.concat(encodeRow(['z', Buffer.from('z')])) }]],
    [
      'rows behind files',
      [
        { name: 'files/x', body: 'x' },
        { name: partName(1), body: Buffer.concat(encodeRow(['z', Buffer.from('z')])) },
      ],
    ],
    ['rows that go back', [{ name: partName(1), body: Buffer.concat(encodeRow(['a', Buffer.from('z')])) }]],
    ['rows that are cut', [{ name: partName(1), body: Buffer.from([0, 0, 0, 9, 0, 0, 0, 1, 65]) }]],
    ['a row as long as four gigabytes', [{ name: partName(1), body: Buffer.from([0, 0, 0, 1, 255, 255, 255, 255, 65]) }]],
    ['a name of many directories', [{ name: `files/${'a/'.repeat(100)}x`, body: 'x' }]],
    ['a second header', [{ name: 'dtkd-backup.json', body: encodeHeader(ABOUT) }]],
  ];
  it.each(HOSTILE)('refuses %s', async (_what, things) => {
    expect(REFUSED).toContain(await codeOf(await forged(things)));
  });

  it('refuses a header of a newer format, and says so', async () => {
    expect(await codeOf(await forged([], Buffer.from('{"format":2,"new":true}\n')))).toBe('FORMAT_TOO_NEW');
  });

  it('refuses a header that is too long, or none', async () => {
    expect(await codeOf(await forged([], Buffer.alloc(1024 * 1024, 32)))).toBe('BACKUP_INVALID');
    expect(await codeOf(await tar([{ name: 'holiday.jpg', body: 'x' }]))).toBe('BACKUP_INVALID');
    expect(await codeOf(Buffer.alloc(0))).toBe('BACKUP_INVALID');
    expect(await codeOf(Buffer.alloc(4_096))).toBe('BACKUP_INVALID');
    expect(await codeOf(Buffer.from('no archive at all'.repeat(100)))).toBe('BACKUP_INVALID');
  });

  it('ends with the error of what cannot be read on', async () => {
    const failing = (async function* () {
      yield (await whole()).subarray(0, 3_000);
      throw new DtkdError('UNAVAILABLE', 'gone');
    })();
    const nothing = {
      header: async () => undefined,
      rows: async () => undefined,
      directory: async () => undefined,
      file: async () => undefined,
    };
    await expect(readArchive(failing, nothing)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('ends its source when nobody takes its bytes any more', async () => {
    let ended = false;
    async function* endless(): AsyncGenerator<Entry, number> {
      try {
        for (let number = 0; ; number++)
          yield { name: partName(number), type: 'file', mode: 0o600, size: 1_000_000, bytes: [Buffer.alloc(1_000_000)] };
      } finally {
        ended = true;
      }
    }
    let bytes = 0;
    for await (const chunk of writeArchive(ABOUT, endless())) {
      bytes += chunk.length;
      if (bytes > 3_000_000) break;
    }
    await expect.poll(() => ended).toBe(true);
  });

  it('tells the error of its source', async () => {
    async function* failing(): AsyncGenerator<Entry, number> {
      yield { name: partName(0), type: 'file', mode: 0o600, size: 1, bytes: [Buffer.alloc(1)] };
      throw new DtkdError('DISK_FULL', 'no room');
    }
    const reading = (async () => {
      for await (const _chunk of writeArchive(ABOUT, failing()));
    })();
    await expect(reading).rejects.toMatchObject({ code: 'DISK_FULL' });
  });
});
