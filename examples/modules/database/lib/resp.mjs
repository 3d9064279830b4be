// The protocol of Redis, version 2, as far as it is needed here: arrays of texts one way, answers the other.

const MAX_WORDS = 1_024;
/** A key or value. */
const MAX_WORD_BYTES = 1024 * 1024;
const MAX_LINE_BYTES = 16 * 1024;
/** Bytes of one command that has not come whole. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

export class ProtocolError extends Error {}

/** Takes bytes as they come and gives commands as they become whole: arrays of Buffers. */
export class Commands {
  #pending = Buffer.alloc(0);

  /** Errors: ProtocolError, after which nothing more can be understood. */
  *take(bytes) {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    let at = 0;
    for (;;) {
      const found = commandAt(this.#pending, at);
      if (found === undefined) break;
      at = found.end;
      if (found.words.length > 0) yield found.words;
    }
    this.#pending = this.#pending.subarray(at);
    if (this.#pending.length > MAX_PENDING_BYTES) throw new ProtocolError('too large a command');
  }
}

function commandAt(bytes, at) {
  const head = lineAt(bytes, at);
  if (head === undefined) return undefined;
  if (!head.text.startsWith('*'))
    return {
      words: head.text
        .split(/\s+/)
        .filter(Boolean)
        .map((word) => Buffer.from(word)),
      end: head.end,
    };
  const count = numberIn(head.text, MAX_WORDS);
  const words = [];
  let { end } = head;
  for (let index = 0; index < count; index++) {
    const size = lineAt(bytes, end);
    if (size === undefined) return undefined;
    if (!size.text.startsWith('$')) throw new ProtocolError(`expected '$', got '${size.text.slice(0, 1)}'`);
    const length = numberIn(size.text, MAX_WORD_BYTES);
    if (bytes.length < size.end + length + 2) return undefined;
    words.push(bytes.subarray(size.end, size.end + length));
    end = size.end + length + 2;
  }
  return { words, end };
}

function lineAt(bytes, at) {
  const end = bytes.indexOf('\r\n', at);
  if (end < 0) {
    if (bytes.length - at > MAX_LINE_BYTES) throw new ProtocolError('too long a line');
    return undefined;
  }
  return { text: bytes.toString('latin1', at, end), end: end + 2 };
}

function numberIn(text, most) {
  const number = /^.(\d{1,9})$/.test(text) ? Number(text.slice(1)) : Number.NaN;
  if (!(number <= most)) throw new ProtocolError('invalid length');
  return number;
}

/** A command as it is sent, and kept in the journal. */
export function commandBytes(words) {
  const parts = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = Buffer.from(word);
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

export const answers = {
  ok: Buffer.from('+OK\r\n'),
  nothing: Buffer.from('$-1\r\n'),
  text: (text) => Buffer.from(`+${text}\r\n`),
  error: (text) => Buffer.from(`-${text}\r\n`),
  number: (number) => Buffer.from(`:${number}\r\n`),
  bytes: (bytes) => Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]),
  list: (items) => Buffer.concat([Buffer.from(`*${items.length}\r\n`), ...items.map((item) => answers.bytes(item))]),
};
