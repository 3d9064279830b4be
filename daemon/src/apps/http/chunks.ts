/**
 * Reads the chunked coding strictly and passes it on. As long as the wire form is canonical, the bytes go out as they came in, in whole
 * slices. Chunk extensions are checked and dropped; a size line split over two buffers is written anew. The last chunk and the trailers are
 * not passed on: the caller writes them.
 */

/** 13 hexadecimal digits stay below 2^53. */
const MAX_SIZE_DIGITS = 13;
const MAX_EXTENSION_BYTES = 1024;
const MAX_TRAILER_BYTES = 8 * 1024;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;

const EXTENSIONS =
  /^(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*$/;

export class ChunkError extends Error {}

type State = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'done';

function hexValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

export class ChunkScanner {
  private state: State = 'size';
  private size = 0;
  private digits = 0;
  private extension = '';
  private trailer = '';
  /** Bytes in the current trailer line. */
  private lineBytes = 0;
  private last = 0;
  /** True while the current size line can be passed on unchanged. */
  private clean = true;
  private readonly framed: boolean;

  /** `framed`: pass on chunks with their framing, otherwise only the data. */
  constructor(framed: boolean) {
    this.framed = framed;
  }

  get done(): boolean {
    return this.state === 'done';
  }

  /** The trailer block as received, lines ending in CR LF. Empty if there was none. Complete once `done`. */
  get trailers(): string {
    return this.trailer;
  }

  /** Reads from `from`, emits the bytes to pass on, and returns how far it read. Throws ChunkError. */
  scan(bytes: Buffer, from: number, emit: (piece: Buffer) => void): number {
    const length = bytes.length;
    let at = from;
    /** Start of the run to be passed on unchanged; -1 outside of one. */
    let run = this.framed && this.state.startsWith('data') ? from : -1;
    let line = from;
    if (this.state === 'size' && this.digits === 0) {
      this.clean = true;
      if (this.framed) run = from;
    }
    while (at < length) {
      switch (this.state) {
        case 'size': {
          const code = bytes[at] ?? 0;
          const value = hexValue(code);
          if (value >= 0) {
            this.digits += 1;
            if (this.digits > MAX_SIZE_DIGITS) throw new ChunkError('a chunk size is too large');
            this.size = this.size * 16 + value;
          } else if (this.digits === 0) {
            throw new ChunkError('a chunk size is not a number');
          } else if (code === CR) {
            this.state = 'size-lf';
          } else if (code === SEMICOLON) {
            this.state = 'extension';
            this.clean = false;
            continue;
          } else {
            throw new ChunkError('a chunk size is not a number');
          }
          at += 1;
          break;
        }
        case 'extension': {
          const code = bytes[at] ?? 0;
          at += 1;
          if (code === CR) {
            if (!EXTENSIONS.test(this.extension)) throw new ChunkError('a chunk extension is not valid');
            this.state = 'size-lf';
            break;
          }
          if (this.extension.length >= MAX_EXTENSION_BYTES) throw new ChunkError('a chunk extension is too long');
          this.extension += String.fromCharCode(code);
          break;
        }
        case 'size-lf': {
          if (bytes[at] !== LF) throw new ChunkError('a chunk size does not end in CR LF');
          at += 1;
          if (this.size === 0 || !this.clean) {
            if (run >= 0 && line > run) emit(bytes.subarray(run, line));
            run = -1;
          }
          if (this.size === 0) {
            this.state = 'trailer';
            break;
          }
          if (this.framed && run < 0) {
            emit(Buffer.from(`${this.size.toString(16)}\r\n`, 'latin1'));
            run = at;
          }
          this.state = 'data';
          break;
        }
        case 'data': {
          const take = Math.min(this.size, length - at);
          if (!this.framed) emit(bytes.subarray(at, at + take));
          at += take;
          this.size -= take;
          if (this.size === 0) this.state = 'data-cr';
          break;
        }
        case 'data-cr':
          if (bytes[at] !== CR) throw new ChunkError('a chunk does not end in CR LF');
          at += 1;
          this.state = 'data-lf';
          break;
        case 'data-lf':
          if (bytes[at] !== LF) throw new ChunkError('a chunk does not end in CR LF');
          at += 1;
          line = at;
          this.state = 'size';
          this.size = 0;
          this.digits = 0;
          this.extension = '';
          this.clean = true;
          break;
        case 'trailer':
          at = this.readTrailer(bytes, at);
          break;
        case 'done':
          return at;
      }
    }
    this.cutAtEdge(bytes, run, line, emit);
    return at;
  }

  /** At the end of the buffer: emits the run, without an incomplete size line, which will be written anew. */
  private cutAtEdge(bytes: Buffer, run: number, line: number, emit: (piece: Buffer) => void): void {
    const inLine = this.state === 'size' || this.state === 'extension' || this.state === 'size-lf';
    const end = inLine ? line : bytes.length;
    if (inLine && this.digits > 0) this.clean = false;
    if (run >= 0 && end > run) emit(bytes.subarray(run, end));
  }

  private readTrailer(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length) {
      const code = bytes[at] ?? 0;
      at += 1;
      // looks at single bytes, since looking into the text would assemble it anew for each byte
      const afterCr = this.last === CR;
      if (code === LF && !afterCr) throw new ChunkError('a trailer line does not end in CR LF');
      if (code !== LF && afterCr) throw new ChunkError('a trailer holds a bare CR');
      if (this.trailer.length >= MAX_TRAILER_BYTES) throw new ChunkError('the trailers are too long');
      this.trailer += String.fromCharCode(code);
      this.last = code;
      this.lineBytes += 1;
      if (code !== LF) continue;
      if (this.lineBytes === 2) {
        this.trailer = this.trailer.slice(0, -2);
        this.state = 'done';
        return at;
      }
      this.lineBytes = 0;
    }
    return at;
  }
}
