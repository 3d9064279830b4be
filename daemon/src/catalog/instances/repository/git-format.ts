/** Git's stored formats as bytes. Pure. Object ids, trees from flat lists of files, commits, tags, and the index. */
import { createHash } from 'node:crypto';
import { byPath } from './paths.ts';
import type { Author, Commit, TreeFile } from './repository.types.ts';

export type ObjectType = 'blob' | 'tree' | 'commit' | 'tag';

export interface GitObject {
  oid: string;
  type: ObjectType;
  body: Uint8Array;
}

/** SHA-1 object id, as git computes it. */
export function oidOf(type: ObjectType, body: Uint8Array): string {
  return createHash('sha1').update(header(type, body)).update(body).digest('hex');
}

/** The header of a loose object before compression. */
export function header(type: ObjectType, body: Uint8Array): Buffer {
  return Buffer.from(`${type} ${body.length}\0`);
}

/** Tree objects for all directories of these files, the root last. */
export function treesOf(files: Iterable<TreeFile>): { root: string; trees: GitObject[] } {
  const top: Directory = new Map();
  for (const file of files) {
    const parts = file.path.split('/');
    const name = parts.pop() ?? '';
    let directory = top;
    for (const part of parts) {
      const below = directory.get(part);
      const next: Directory = below instanceof Map ? below : new Map();
      directory.set(part, next);
      directory = next;
    }
    directory.set(name, file);
  }
  const trees: GitObject[] = [];
  return { root: writeDirectory(top, trees), trees };
}

type Directory = Map<string, Directory | TreeFile>;

function writeDirectory(directory: Directory, trees: GitObject[]): string {
  const entries = [...directory].map(([name, entry]) => {
    const isDirectory = entry instanceof Map;
    const mode = isDirectory ? '40000' : entry.executable ? '100755' : '100644';
    const oid = isDirectory ? writeDirectory(entry, trees) : entry.oid;
    return { path: isDirectory ? `${name}/` : name, bytes: Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')]) };
  });
  const body = Buffer.concat(entries.sort(byPath).map(({ bytes }) => bytes));
  const oid = oidOf('tree', body);
  trees.push({ oid, type: 'tree', body });
  return oid;
}

export interface TreeEntry {
  mode: string;
  name: string;
  oid: string;
}

/** The entries of a tree object. Undefined if it is malformed or has more than `limit`. */
export function readTreeObject(body: Uint8Array, limit: number): TreeEntry[] | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const entries: TreeEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const end = bytes.indexOf(0, space);
    if (space < 0 || end < 0 || end + 21 > bytes.length || entries.length > limit) return undefined;
    const oid = bytes.toString('hex', end + 1, end + 21);
    entries.push({ mode: bytes.toString('latin1', at, space), name: bytes.toString('utf8', space + 1, end), oid });
    at = end + 21;
  }
  return entries;
}

/** A commit object as git writes it. Author and committer time are both `at`, in whole seconds. */
export function commitObject({ tree, parents, author, message, at }: Omit<Commit, 'id'> & { tree: string }): GitObject {
  const who = `${identity(author)} ${Math.floor(at / 1000)} +0000`;
  const lines = [`tree ${tree}`, ...parents.map((parent) => `parent ${parent}`), `author ${who}`, `committer ${who}`];
  const body = Buffer.from(`${lines.join('\n')}\n\n${message.replaceAll('\0', '').trim()}\n`);
  return { oid: oidOf('commit', body), type: 'commit', body };
}

function identity({ name, email }: Author): string {
  const plain = (text: string) => text.replace(/[<>\p{Cc}]/gu, '').trim();
  return `${plain(name) || 'unknown'} <${plain(email)}>`;
}

/** Seconds of the latest time that a Date can hold. A commit may claim any. */
const MAX_SECONDS = 8.64e12;

/** Parses a commit object. Undefined if it is malformed. An unreadable author line gives empty names and time 0. */
export function readCommitObject(id: string, body: Uint8Array): (Commit & { tree: string }) | undefined {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const end = text.indexOf('\n\n');
  const lines = (end < 0 ? text : text.slice(0, end)).split('\n');
  const tree = /^tree ([0-9a-f]{40})$/.exec(lines[0] ?? '')?.[1];
  if (tree === undefined) return undefined;
  const author = /^author ([^<]*?) ?<([^>]*)> (\d+) [+-]\d+$/.exec(lines.find((line) => line.startsWith('author ')) ?? '');
  return {
    id,
    tree,
    parents: lines.flatMap((line) => /^parent ([0-9a-f]{40})$/.exec(line)?.[1] ?? []),
    author: { name: author?.[1] ?? '', email: author?.[2] ?? '' },
    at: Math.min(Number(author?.[3] ?? 0), MAX_SECONDS) * 1000,
    message: end < 0 ? '' : text.slice(end + 2).trimEnd(),
  };
}

/** The object that an annotated tag points to. Undefined if it is malformed. */
export function readTagObject(body: Uint8Array): string | undefined {
  return /^object ([0-9a-f]{40})\n/.exec(Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, 64)).toString('latin1'))?.[1];
}

/** The stat data of a file that git's index keeps. */
export interface FileStat {
  size: bigint;
  mode: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  dev: bigint;
  ino: bigint;
  uid: bigint;
  gid: bigint;
}

/**
 * An index (version 2) for a work tree with exactly these files: git finds nothing staged, and does not have to read the files to
 * find nothing changed.
 */
export function indexOf(files: Iterable<TreeFile & { stat: FileStat }>): Buffer {
  const sorted = [...files].sort(byPath);
  const head = Buffer.alloc(12);
  head.write('DIRC', 0, 'latin1');
  head.writeUInt32BE(2, 4);
  head.writeUInt32BE(sorted.length, 8);
  const body = Buffer.concat([head, ...sorted.map(indexEntry)]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

function indexEntry({ path, executable, oid, stat }: TreeFile & { stat: FileStat }): Buffer {
  const name = Buffer.from(path);
  // padded with 1 to 8 NULs to a multiple of eight bytes
  const entry = Buffer.alloc(Math.ceil((62 + name.length + 1) / 8) * 8);
  const word = (value: bigint) => Number(BigInt.asUintN(32, value));
  const second = 1_000_000_000n;
  const { ctimeNs, mtimeNs, dev, ino, uid, gid, size } = stat;
  const mode = executable ? 0o100755n : 0o100644n;
  const words = [ctimeNs / second, ctimeNs % second, mtimeNs / second, mtimeNs % second, dev, ino, mode, uid, gid, size];
  for (const [at, value] of words.entries()) entry.writeUInt32BE(word(value), at * 4);
  entry.write(oid, 40, 'hex');
  entry.writeUInt16BE(Math.min(name.length, 0xfff), 60);
  name.copy(entry, 62);
  return entry;
}

/**
 * Offsets of the flags and the name in an index entry, and the size of the extended flags that version 3 and later may put
 * between them.
 */
const ENTRY = { flags: 60, name: 62, more: 2 };
const EXTENDED = 0x4000;

/** Paths with conflict stages in an index of version 2 to 4. Empty if it is not an index. */
export function unmergedPaths(index: Buffer): string[] {
  const found = new Set<string>();
  if (index.length < 12 || index.toString('latin1', 0, 4) !== 'DIRC') return [];
  const [version, count] = [index.readUInt32BE(4), index.readUInt32BE(8)];
  let path = Buffer.alloc(0);
  for (let at = 12, left = count; left > 0 && at + ENTRY.name < index.length; left--) {
    const flags = index.readUInt16BE(at + ENTRY.flags);
    let name = at + ENTRY.name + ((flags & EXTENDED) === 0 ? 0 : ENTRY.more);
    let kept = 0;
    if (version === 4) {
      const cut = readOffset(index, name);
      name = cut.end;
      kept = Math.max(0, path.length - cut.value);
    }
    const end = index.indexOf(0, name);
    if (end < 0) break;
    path = Buffer.concat([path.subarray(0, kept), index.subarray(name, end)]);
    if ((flags & 0x3000) !== 0) found.add(path.toString('utf8'));
    // version 4 has no padding
    at = version === 4 ? end + 1 : at + Math.ceil((end - at + 1) / 8) * 8;
  }
  return [...found];
}

/** Decodes git's offset encoding of variable length, as packs use it: each byte but the last has its highest bit set. */
function readOffset(bytes: Buffer, start: number): { value: number; end: number } {
  let [at, value] = [start, 0];
  for (let more = true; more && at < bytes.length; at++) {
    const byte = bytes.readUInt8(at);
    value = (at === start ? 0 : (value + 1) * 128) + (byte & 0x7f);
    more = (byte & 0x80) !== 0;
  }
  return { value, end: at };
}
