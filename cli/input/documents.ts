import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { checkJson } from '../../protocol/encoding/json.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../json.ts';
import { cannotRead, readCapped } from './read-capped.ts';

/** Larger files are refused. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** More uses of YAML anchors than this are taken for an attack on memory. */
const MAX_ALIASES = 100;
const DOCUMENT_FILE = /\.(ya?ml|json)$/i;

/** A document and where it was read, for messages. */
export interface SourceDocument {
  source: string;
  /** The line where it begins; items of a List have the line of the List. */
  line: number | undefined;
  document: JsonRecord;
}

/** The place of a document, for messages. */
export function placeOf({ source, line }: Pick<SourceDocument, 'source' | 'line'>): string {
  return line === undefined ? source : `${source}:${line}`;
}

/** Reads what `-f` names: files, directories (their .yaml, .yml and .json files, in order of name), and `-` for standard input. */
export async function readDocuments(paths: readonly string[], stdin: Readable = process.stdin): Promise<SourceDocument[]> {
  const all: SourceDocument[] = [];
  for (const path of paths) {
    for (const file of await filesOf(path)) {
      const text = await textOf(file === '-' ? stdin : createReadStream(file), file);
      all.push(...(await parseDocuments(text, file === '-' ? 'standard input' : file)));
    }
  }
  if (all.length === 0) {
    const where = paths.map((path) => (path === '-' ? 'standard input' : path)).join(', ');
    throw new DtkdError('BAD_REQUEST', `there is no document in ${where}`, {
      next: 'Write one in YAML or JSON; of a directory, only its own .yaml, .yml and .json files are read.',
    });
  }
  return all;
}

/** The text of one file, or of standard input for `-`. */
export function readFileText(path: string): Promise<string> {
  return textOf(path === '-' ? process.stdin : createReadStream(path), path === '-' ? 'standard input' : path);
}

/** Parses YAML documents (JSON is YAML); Lists are replaced by their items. */
export async function parseDocuments(text: string, source: string): Promise<SourceDocument[]> {
  const { LineCounter, parseAllDocuments } = await import('yaml');
  const lineCounter = new LineCounter();
  const parsed = parseAllDocuments(text, { uniqueKeys: true, lineCounter });
  const found: SourceDocument[] = [];
  for (const document of Array.isArray(parsed) ? parsed : []) {
    const [error] = document.errors;
    if (error !== undefined) throw new DtkdError('BAD_REQUEST', `${source}: ${error.message.trimEnd()}`);
    const start = document.contents?.range?.[0];
    const line = start === undefined ? undefined : lineCounter.linePos(start).line;
    const where = placeOf({ source, line });
    const value = plainValue(document, where);
    if (value === null || value === undefined) continue;
    if (!isRecord(value)) {
      throw new DtkdError('BAD_REQUEST', `${where}: a document must be an object with apiVersion and kind`, {
        next: 'Files of Ansible, Rundeck or ControlTier are imported with: dtkd model import FILE.',
      });
    }
    const isList = textAt(value, 'kind') === 'List' && Array.isArray(value['items']);
    for (const item of isList ? listAt(value, 'items') : [value]) {
      if (!isRecord(item)) throw new DtkdError('BAD_REQUEST', `${where}: an item of the List is not an object`);
      found.push({ source, line, document: item });
    }
  }
  return found;
}

/** Converts a document to plain values. The number of aliases is limited, since a few can expand to more than fits into memory. */
function plainValue(document: { toJS(options: { maxAliasCount: number }): unknown }, where: string): unknown {
  try {
    const value = document.toJS({ maxAliasCount: MAX_ALIASES });
    checkJson(value);
    return value;
  } catch (cause) {
    throw new DtkdError('BAD_REQUEST', `${where}: ${cause instanceof Error ? cause.message : 'the aliases in it cannot be followed'}`, {
      cause,
    });
  }
}

async function filesOf(path: string): Promise<string[]> {
  if (path === '-') return ['-'];
  if (/^https?:\/\//i.test(path)) {
    throw new DtkdError('BAD_REQUEST', 'documents are read from files, not from the network', {
      next: `Pipe it: curl -fsS ${path} | dtkd apply -f -`,
    });
  }
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    return (await readdir(path))
      .filter((name) => DOCUMENT_FILE.test(name))
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    throw cannotRead(path, error);
  }
}

async function textOf(stream: Readable, what: string): Promise<string> {
  const bytes = await readCapped(stream, what, MAX_FILE_BYTES, `${what} is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`);
  return bytes.toString('utf8');
}
