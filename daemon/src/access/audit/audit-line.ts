/**
 * One line of the audit log, as text and as a value. Pure. A line contains the hash of the line before it (`prev`). Besides records there
 * are seals, which sign all lines before them, and anchors: seals at the beginning of a file that also say where the kept part of the log
 * begins. Each line has exactly one valid encoding, so that every byte counts.
 */
import { hash as digest } from 'node:crypto';
import { z } from 'zod';
import { signAuditHead } from '../../../../protocol/audit/heads.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import type { AuditHead } from '../../../../protocol/kinds/node.ts';
import type { AuditRecord } from '../access.types.ts';
import { MAX_FIELD } from './limits.ts';

const link = {
  seq: z.number().int().positive(),
  time: z.string().max(40),
  prev: z.string().regex(/^[0-9a-f]{64}$/),
};
const field = z.string().max(MAX_FIELD);
const recordLine = z.strictObject({
  ...link,
  who: field,
  home: field.exactOptional(),
  verb: field,
  what: field,
  outcome: z.enum(['allowed', 'denied', 'failed']),
  because: field,
});
const signed = { key: z.string().max(64), signature: z.string().max(128) };
const sealLine = z.strictObject({ ...link, seal: z.strictObject(signed) });
const anchorLine = z.strictObject({ ...link, anchor: z.strictObject({ first: z.number().int().positive(), ...signed }) });

export type RecordLine = z.infer<typeof recordLine>;
export type SealLine = z.infer<typeof sealLine>;
export type AnchorLine = z.infer<typeof anchorLine>;
export type AuditLine = RecordLine | SealLine | AnchorLine;

/** The daemon in its own records. No user has this name: users are called NAME@NODE, and the operator is `operator`. */
const DAEMON = 'daemon';
const RESTORE = 'restore';

/** The end of the log, after which the next line comes. */
export interface Tip {
  seq: number;
  hash: string;
}

/** The record with overlong fields cut. */
export function boundedRecord({ who, home, verb, what, outcome, because }: AuditRecord): AuditRecord {
  return {
    who: cut(who),
    ...(home === undefined ? {} : { home: cut(home) }),
    verb: cut(verb),
    what: cut(what),
    outcome,
    because: cut(because),
  };
}

function cut(text: string): string {
  return text.length <= MAX_FIELD ? text : `${text.slice(0, MAX_FIELD - 1)}…`;
}

export function recordText({ seq, hash }: Tip, time: string, { who, home, verb, what, outcome, because }: AuditRecord): string {
  return JSON.stringify({
    seq: seq + 1,
    time,
    prev: hash,
    who,
    ...(home === undefined ? {} : { home }),
    verb,
    what,
    outcome,
    because,
  });
}

/** The seal after the line that the head names: it signs everything up to there. */
export function sealText({ key, seq, hash, time, signature }: AuditHead): string {
  return JSON.stringify({ seq: seq + 1, time, prev: hash, seal: { key, signature } });
}

/** The first line of a file, if the lines from `first` on are kept. */
export function anchorText(key: SigningKey, { seq, hash }: Tip, time: string, first: number): string {
  const head = signAuditHead(key, { seq, hash, time }, first);
  return JSON.stringify({ seq: seq + 1, time, prev: hash, anchor: { first, key: head.key, signature: head.signature } });
}

/** The record that a node makes of itself when it was restored from a backup. */
export function restoreRecord({ id, takenAt }: { id: string; takenAt: number }): AuditRecord {
  const because = `from the backup ${id} of ${new Date(takenAt).toISOString()}`;
  return { who: DAEMON, verb: RESTORE, what: 'audit', outcome: 'allowed', because };
}

/** True for such a record: only the daemon itself has this name. */
export function isRestore(line: AuditLine): line is RecordLine {
  return 'who' in line && line.who === DAEMON && line.verb === RESTORE;
}

export function hashOf(line: string | Uint8Array): string {
  return digest('sha256', line, 'hex');
}

/** Parses a line without its line break. Undefined if it is invalid, or not in the one valid encoding. */
export function parseLine(text: string): AuditLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const schema = 'seal' in value ? sealLine : 'anchor' in value ? anchorLine : recordLine;
  const { data } = schema.safeParse(value);
  return data !== undefined && JSON.stringify(ordered(data)) === text ? data : undefined;
}

function ordered(line: AuditLine): AuditLine {
  const { seq, time, prev } = line;
  if ('seal' in line) return { seq, time, prev, seal: { key: line.seal.key, signature: line.seal.signature } };
  if ('anchor' in line) {
    const { first, key, signature } = line.anchor;
    return { seq, time, prev, anchor: { first, key, signature } };
  }
  const { who, home, verb, what, outcome, because } = line;
  return { seq, time, prev, who, ...(home === undefined ? {} : { home }), verb, what, outcome, because };
}

/** What a seal or an anchor signs; undefined for a record. */
export function headOfLine(line: AuditLine): { head: AuditHead; first: number | undefined } | undefined {
  const signature = 'seal' in line ? line.seal : 'anchor' in line ? line.anchor : undefined;
  if (signature === undefined) return undefined;
  const head = { key: signature.key, seq: line.seq - 1, hash: line.prev, time: line.time, signature: signature.signature };
  return { head, first: 'anchor' in line ? line.anchor.first : undefined };
}

const FILE_NAME = /^(\d{16})\.log$/;

/** Name of the file whose first line is `seq`. */
export function fileName(seq: number): string {
  return `${String(seq).padStart(16, '0')}.log`;
}

/** Undefined if it is not the name of a file of an audit log. */
export function seqOfFile(name: string): number | undefined {
  const digits = FILE_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
