/**
 * Reads untrusted YAML in bounded time and memory. The library compares each key with all others of its mapping, and is slow on much
 * malformed input. So this counts the tokens first, and finds duplicate keys itself.
 */
import type { Document, YAMLParseError } from 'yaml';
import { checkJson } from '../encoding/json.ts';
import { DtkdError } from '../errors.ts';

/** More uses of anchors than this are an attack on memory, not a document. */
const MAX_ALIASES = 100;
/** Maximum number of tokens of a document: some 150 KB without its scripts, and half a second. */
const MAX_LEXEMES = 40_000;
/** Maximum nesting of brackets. */
const MAX_NESTED = 64;

/** A parsed YAML document and its value. */
export interface ReadDocument {
  value: unknown;
  /** For editing: keeps comments and the order of fields. */
  document: Document;
  /** Formats an offset in the text as `SOURCE:LINE:COLUMN`. */
  where(offset: number | undefined): string;
}

/** Parses one YAML document to its value. Errors: INVALID with the place. */
export async function readYaml(text: string, source: string): Promise<unknown> {
  return (await readYamlDocument(text, source)).value;
}

/** Parses one YAML document. Errors: INVALID with the place. */
export async function readYamlDocument(text: string, source: string): Promise<ReadDocument> {
  const { isMap, isScalar, Lexer, LineCounter, parseDocument, visit } = await import('yaml');
  assertModest(new Lexer().lex(text), source);
  const lines = new LineCounter();
  const where = (offset: number | undefined): string => {
    const at = offset === undefined ? undefined : lines.linePos(offset);
    return at === undefined ? source : `${source}:${at.line}:${at.col}`;
  };
  try {
    const document = parseDocument(text, { uniqueKeys: false, lineCounter: lines, logLevel: 'error' });
    const [error] = document.errors;
    if (error !== undefined) {
      throw unreadable(where(error.pos[0]), reasonOf(error));
    }
    const anchors = new Set<string>();
    const meet = (_key: unknown, { anchor }: { anchor?: string }): void => {
      if (anchor !== undefined) anchors.add(anchor);
    };
    visit(document, {
      Map(key, map) {
        meet(key, map);
        const keys = new Set<string>();
        for (const { key } of isMap(map) ? map.items : []) {
          const name = String(isScalar(key) ? key.value : key);
          if (keys.has(name)) throw unreadable(where(isScalar(key) ? key.range?.[0] : undefined), `"${name.slice(0, 80)}" is there twice`);
          keys.add(name);
        }
      },
      Scalar: meet,
      Seq: meet,
      Alias(_key, { source: name, range }) {
        if (!anchors.has(name)) throw unreadable(where(range?.[0]), 'it refers to an anchor (*) that is not defined before it');
      },
    });
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    checkJson(value);
    return { value, document, where };
  } catch (error) {
    if (error instanceof DtkdError && error.code === 'INVALID') throw error;
    throw unreadable(
      source,
      error instanceof RangeError ? 'it is nested too deeply' : error instanceof Error ? error.message : 'it',
      error,
    );
  }
}

/**
 * Returns the library's message without excerpts of the text, which may be a secret that somebody wrote there. The place is reported
 * separately.
 */
function reasonOf({ code, message }: YAMLParseError): string {
  if (code === 'TAG_RESOLVE_FAILED') return 'it has an unknown tag (!)';
  const [line = ''] = message.split('\n');
  return line
    .replace(/ at line \d+, column \d+:?$/, '')
    .replace(/^(Block scalar header includes extra characters|Invalid escape sequence).*$/, '$1');
}

function assertModest(lexemes: Iterable<string>, source: string): void {
  let count = 0;
  let nested = 0;
  for (const lexeme of lexemes) {
    count += 1;
    if (lexeme === '[' || lexeme === '{') nested += 1;
    else if (lexeme === ']' || lexeme === '}') nested -= 1;
    if (nested > MAX_NESTED) throw unreadable(source, 'it is nested too deeply');
    if (count > MAX_LEXEMES) throw unreadable(source, 'it is too large; put long texts into files of the module');
  }
}

function unreadable(where: string, why: string, cause?: unknown): DtkdError {
  return new DtkdError('INVALID', `${where}: it cannot be read as YAML: ${why.slice(0, 300)}`, cause === undefined ? {} : { cause });
}
