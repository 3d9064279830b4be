import { METHODS } from 'node:http';

/**
 * Strict parsers of HTTP/1.1 heads. They take a complete head (up to its empty line) and refuse everything that two readers could interpret
 * differently: bare CR or LF, folded lines, whitespace before a colon, two lengths, unknown transfer codings. They also refuse what llhttp
 * refuses in its strict mode; a test compares them.
 */

export interface Head {
  /** Name, value, name, value, …: names as written, values trimmed. */
  fields: string[];
  /** Names in lower case, one per field. */
  names: string[];
  version: '1.0' | '1.1';
  contentLength: number | undefined;
  chunked: boolean;
  /** Lower-case tokens of Connection. */
  connection: readonly string[];
  /** The protocol asked for, if Connection names Upgrade. */
  upgrade: string | undefined;
}

export interface RequestHead extends Head {
  method: string;
  /** Origin form (`/path?query`) or `*`. */
  target: string;
  /** The one Host, in lower case, without its port. */
  host: string;
  /** Host as it was written. */
  authority: string;
}

export interface ResponseHead extends Head {
  status: number;
  reason: string;
}

/** Why a head was refused, with the status to answer. */
export class HeadError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Fields in one head. Node, nginx and haproxy have similar limits. */
const MAX_FIELDS = 100;

const REQUEST_LINE = /^([A-Z-]{1,32}) ([!-~]{1,8192}) HTTP\/1\.([01])\r\n/;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: ([\t -~\x80-\xff]*))?\r\n/;
// Sticky and unambiguous: matching is linear in the length of the head.
const FIELD = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)\r\n/y;
const AUTHORITY = /^([a-z0-9._~-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5})?)?$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const NO_TOKENS: readonly string[] = [];

// SOURCE belongs to Icecast; llhttp accepts it only with another protocol name.
const KNOWN_METHODS = new Set(METHODS.filter((method) => method !== 'SOURCE'));
/** CONNECT asks for a forward proxy; TRACE would show a page's scripts the cookies and fields that are hidden from them. */
const NOT_SERVED = new Set(['CONNECT', 'TRACE']);

/** Fields that determine framing or routing. Naming one in Connection would make a proxy drop it. */
const UNDROPPABLE = new Set(['content-length', 'transfer-encoding', 'host', 'trailer']);

/** Parses a request head, `text` being Latin-1. Throws HeadError. */
export function parseRequestHead(text: string): RequestHead {
  const line = REQUEST_LINE.exec(text);
  if (line === null) throw requestLineError(text);
  const method = line[1] ?? '';
  if (NOT_SERVED.has(method)) throw new HeadError(405, `${method} is not served here`);
  if (!KNOWN_METHODS.has(method)) throw new HeadError(400, 'the method is not known');
  const head = parseFields(text, line[0].length, line[3] === '1' ? '1.1' : '1.0');
  const authority = onlyHost(head);
  const match = AUTHORITY.exec(authority.toLowerCase());
  if (match === null || Number(match[2] ?? 0) > 65_535) throw new HeadError(400, 'the Host header is not a host');
  if (head.version === '1.0' && head.chunked) throw new HeadError(400, 'HTTP/1.0 has no Transfer-Encoding');
  const target = originForm(line[2] ?? '', method, authority);
  return {
    ...head,
    method,
    target,
    authority,
    host: match[1] ?? '',
  };
}

function requestLineError(text: string): HeadError {
  if (/^[A-Z-]{1,32} [!-~]{8193}/.test(text)) return new HeadError(414, 'the request target is longer than 8,192 characters');
  if (/^[A-Z-]{1,32} [!-~]+ HTTP\/[0-9]\.[0-9]\r\n/.test(text)) return new HeadError(505, 'only HTTP/1.1 and HTTP/1.0 are served');
  return new HeadError(400, 'the request line is not valid');
}

function onlyHost(head: Head): string {
  let host: string | undefined;
  for (let index = 0; index < head.names.length; index += 1) {
    if (head.names[index] !== 'host') continue;
    if (host !== undefined) throw new HeadError(400, 'there are several Host headers');
    host = head.fields[index * 2 + 1] ?? '';
  }
  if (host === undefined || host === '') throw new HeadError(400, 'there is no Host header');
  return host;
}

/**
 * Returns the target in origin form. Accepts absolute form only with the same authority as Host, so that a request cannot be routed by one
 * and served by the other.
 */
function originForm(target: string, method: string, authority: string): string {
  if (target.startsWith('/')) {
    if (target.includes('#')) throw new HeadError(400, 'the request target has a fragment');
    return target;
  }
  if (target === '*') {
    if (method !== 'OPTIONS') throw new HeadError(400, 'only OPTIONS may ask for *');
    return target;
  }
  const absolute = /^http:\/\/([^/?#@]+)(\/[^#]*)?$/i.exec(target);
  if (absolute === null) throw new HeadError(400, 'the request target is not a path');
  if (absolute[1]?.toLowerCase() !== authority.toLowerCase()) throw new HeadError(400, 'the request target and the Host header differ');
  return absolute[2] ?? '/';
}

/** Parses a response head, `text` being Latin-1. Throws HeadError with status 502. */
export function parseResponseHead(text: string): ResponseHead {
  const line = STATUS_LINE.exec(text);
  if (line === null) throw new HeadError(502, 'the status line is not valid');
  try {
    const head = parseFields(text, line[0].length, line[1] === '1' ? '1.1' : '1.0');
    if (head.version === '1.0' && head.chunked) throw new HeadError(502, 'HTTP/1.0 has no Transfer-Encoding');
    return { ...head, status: Number(line[2]), reason: line[3] ?? '' };
  } catch (error) {
    throw new HeadError(502, error instanceof Error ? error.message : 'the head is not valid');
  }
}

function parseFields(text: string, from: number, version: '1.0' | '1.1'): Head {
  const fields: string[] = [];
  const names: string[] = [];
  let contentLength: number | undefined;
  let chunked = false;
  let connection = NO_TOKENS;
  let upgrade: string | undefined;
  const end = text.length - 2;
  FIELD.lastIndex = from;
  let at = from;
  while (at < end) {
    const match = FIELD.exec(text);
    if (match === null) throw new HeadError(400, 'a header line is not valid');
    at = FIELD.lastIndex;
    if (names.length === MAX_FIELDS) throw new HeadError(431, `there are more than ${MAX_FIELDS} header fields`);
    const raw = match[2] ?? '';
    const value = trim(raw);
    const written = match[1] ?? '';
    const name = written.toLowerCase();
    fields.push(written, value);
    names.push(name);
    switch (name) {
      case 'content-length':
        if (raw.includes('\t')) throw new HeadError(400, 'Content-Length holds a tab');
        if (contentLength !== undefined) throw new HeadError(400, 'there are several Content-Length headers');
        if (!/^[0-9]{1,15}$/.test(value)) throw new HeadError(400, 'Content-Length is not a number');
        contentLength = Number(value);
        break;
      case 'transfer-encoding':
        // Spaces around the one allowed word are harmless, but servers disagree about tabs.
        if (raw.includes('\t')) throw new HeadError(400, 'Transfer-Encoding holds a tab');
        if (chunked) throw new HeadError(400, 'there are several Transfer-Encoding headers');
        if (value.toLowerCase() !== 'chunked') throw new HeadError(400, 'the only Transfer-Encoding served is chunked');
        chunked = true;
        break;
      case 'connection':
        connection = tokens(value, connection);
        break;
      case 'upgrade':
        if (upgrade !== undefined) throw new HeadError(400, 'there are several Upgrade headers');
        upgrade = value;
        break;
    }
  }
  if (at !== end || text.charCodeAt(end) !== 13) throw new HeadError(400, 'the head does not end in an empty line');
  if (chunked && contentLength !== undefined) throw new HeadError(400, 'Content-Length and Transfer-Encoding exclude one another');
  return { fields, names, version, contentLength, chunked, connection, upgrade: connection.includes('upgrade') ? upgrade : undefined };
}

function tokens(value: string, before: readonly string[]): readonly string[] {
  const all = [...before];
  for (const part of value.split(',')) {
    const token = trim(part).toLowerCase();
    if (token === '') continue;
    if (!TOKEN.test(token)) throw new HeadError(400, 'the Connection header is not valid');
    if (UNDROPPABLE.has(token)) throw new HeadError(400, `Connection must not name ${token}`);
    all.push(token);
  }
  return all;
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** Removes spaces and tabs at both ends. `String.trim` would remove more. */
function trim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

/** The value of the first field with this name, or undefined. */
export function fieldOf(head: Head, name: string): string | undefined {
  const index = head.names.indexOf(name);
  return index < 0 ? undefined : head.fields[index * 2 + 1];
}

const CR = 13;
const LF = 10;
const END = Buffer.from('\r\n\r\n');

/**
 * Finds the end of the head that begins at `from`: the index after its empty line, or -1 if more bytes are needed. Refuses a line feed
 * without a carriage return at once, since waiting for more would only delay the answer to a broken client.
 */
export function headEnd(bytes: Buffer, from: number): number {
  const at = bytes.indexOf(END, from);
  if (at >= 0) return at + END.length;
  for (let lf = bytes.indexOf(LF, from); lf >= 0; lf = bytes.indexOf(LF, lf + 1)) {
    if (lf === from || bytes[lf - 1] !== CR) throw new HeadError(400, 'a line does not end in CR LF');
  }
  return -1;
}
