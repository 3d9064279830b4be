/**
 * Structured logs: one JSON object a line in `logs/dtkd.log` (rotated by size), and the same or readable text on standard error. Owns the
 * files. Guarantees that a full disk or a closed terminal never stops the daemon. Does not decide what is worth logging.
 */
import { closeSync, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Level, multistream, pino, type StreamEntry } from 'pino';
import sonicBoom from 'sonic-boom';
import { DtkdError } from '../../../protocol/errors.ts';
import { LOG_LEVELS, type LogLevel } from '../../../protocol/settings/settings.ts';
import type { Logger } from '../logging/logger.types.ts';
import { makeDirectory } from './directory.ts';

export { LOG_LEVELS, type LogLevel };

export interface LogOptions {
  level: LogLevel;
  /** Text for people or JSON for programs, on standard error. */
  format: 'text' | 'json';
  /** Path of the log file; undefined keeps logs on standard error only. */
  file: string | undefined;
  /** Bytes after which the file is rotated. */
  maxBytes: number;
  /** Rotated files kept beside the current one. */
  keep: number;
}

/** Fields whose values never reach a log. */
const REDACTED = [
  'token',
  'inviteToken',
  'recoveryKey',
  'rootKey',
  'authorization',
  '*.token',
  '*.inviteToken',
  '*.recoveryKey',
  '*.rootKey',
];

export interface LogSink {
  logger: Logger;
  /** Flushes the buffer and closes the file. */
  close(): Promise<void>;
}

export function createLogger(options: LogOptions): LogSink {
  for (const stream of [process.stdout, process.stderr]) outliveReader(stream);
  const level: Level = options.level;
  const streams: StreamEntry[] = [{ level, stream: options.format === 'json' ? process.stderr : { write: writeText } }];
  const file = options.file === undefined ? undefined : openRotating(options.file, options.maxBytes, options.keep);
  if (file !== undefined) streams.push({ level, stream: file });
  const logger = pino(
    {
      level,
      base: null,
      redact: REDACTED,
      serializers: { err: described },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    multistream(streams),
  );
  if (options.file !== undefined && file === undefined) {
    logger.warn({ file: options.file }, 'The log file cannot be written: lines go only to standard error');
  }
  return { logger, close: () => (file === undefined ? Promise.resolve() : file.close()) };
}

/** Serialises an error. An error with a code is not a defect: its message is enough, and a stack for each attempt would hide the rest. */
function described(error: Error): object {
  const whole = pino.stdSerializers.err(error);
  return error instanceof DtkdError && error.code !== 'INTERNAL' ? { code: error.code, message: whole.message } : whole;
}

/** Ignores errors of a stream: its reader may be gone, or its disk full. Each line is tried again. */
function outliveReader(stream: NodeJS.WriteStream): void {
  if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
}

function ignore(): void {}

/** Bytes buffered while the disk does not accept them. Further lines are only counted. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

interface RotatingFile {
  write(line: string): void;
  close(): Promise<void>;
}

/**
 * Opens a rotating file. Undefined if its directory cannot be made or entered: the check of the data directory reports that with a better
 * error.
 */
function openRotating(path: string, maxBytes: number, keep: number): RotatingFile | undefined {
  let bytes: number;
  try {
    makeDirectory(dirname(path), 0o700);
    bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return undefined;
  }
  let lost = 0;
  let failed = false;
  // A file can only be moved away once it has been opened.
  let opening = true;
  const out = new sonicBoom.SonicBoom({ dest: path, sync: false, mode: 0o600, append: true, maxLength: MAX_WAITING_BYTES });
  // A full disk must not stop the daemon; standard error still gets the line. What could not be written stays buffered, and is tried again
  // with the next line.
  out.on('error', (error: NodeJS.ErrnoException) => {
    if (error.syscall === 'open') failed = true;
  });
  out.on('drop', () => {
    lost += 1;
  });
  out.on('ready', () => {
    opening = false;
  });
  out.on('write', (written: number) => {
    bytes += written;
    if (bytes >= maxBytes && !opening) {
      bytes = 0;
      opening = rotate(path, keep);
      if (opening) out.reopen();
    }
    if (lost === 0) return;
    const line = {
      level: 'warn',
      time: new Date().toISOString(),
      lines: lost,
      msg: 'Lines of this log were lost: they could not be written to the disk',
    };
    lost = 0;
    out.write(`${JSON.stringify(line)}\n`);
  });
  return {
    write(line) {
      if (!failed) out.write(line);
    },
    close: () =>
      new Promise((resolve) => {
        if (failed) return resolve();
        out.once('close', () => resolve());
        out.once('error', () => resolve());
        // Ending it during a rotation would never finish.
        if (opening) out.once('ready', () => out.end());
        else out.end();
      }),
  };
}

/**
 * Rotates the files. False if no new file can be made, as when no descriptors are left: the old one then keeps growing, since losing a
 * rotation is better than losing the log.
 */
function rotate(path: string, keep: number): boolean {
  const next = `${path}.next`;
  try {
    closeSync(openSync(next, 'a', 0o600));
    // also removes those from a time when more were kept
    for (let index = Math.max(keep, 1); existsSync(`${path}.${index}`); index += 1) rmSync(`${path}.${index}`);
    for (let index = keep - 1; index >= 1; index -= 1) {
      if (existsSync(`${path}.${index}`)) renameSync(`${path}.${index}`, `${path}.${index + 1}`);
    }
    if (keep > 0) renameSync(path, `${path}.1`);
    renameSync(next, path);
    return true;
  } catch {
    return false;
  }
}

/** Turns one JSON line into `time LEVEL message key=value …`. */
export function textLine(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as { level: string; time: string; msg?: string } & Record<string, unknown>;
  const rest = Object.entries(fields)
    .map(([key, value]) => ` ${key}=${typeof value === 'object' && value !== null ? describe(value) : String(value)}`)
    .join('');
  return `${printable(`${time} ${level.toUpperCase().padEnd(5)} ${msg ?? ''}${rest}`)}\n`;
}

/** Escapes control characters: peers influence what is logged, and must not be able to start a new line or control the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function describe(value: object): string {
  return 'message' in value && ('stack' in value || 'code' in value) ? JSON.stringify(value.message) : JSON.stringify(value);
}

function writeText(line: string): void {
  process.stderr.write(textLine(line));
}
