/**
 * Verifies an audit log line by line. Pure. Finds lines that were altered, removed or moved, also at the borders of files; wrong
 * signatures; a beginning or an end that was cut off; and heads that somebody has seen but this log does not contain. Goes on after a
 * problem, so that one altered line is one problem.
 */
import { auditKeyText, verifyAuditHead } from '../../../../protocol/audit/heads.ts';
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { AuditHead } from '../../../../protocol/kinds/node.ts';
import { type AuditLine, hashOf, headOfLine, isRestore, parseLine, seqOfFile, type Tip } from './audit-line.ts';
import { MAX_PROBLEMS } from './limits.ts';

export interface Problem {
  /** Absent if the problem concerns no existing line. */
  file?: string;
  /** Counted from 1. */
  line?: number;
  seq?: number;
  what: string;
}

/** A head that somebody has seen: a peer, or this node's own store. */
export interface Witness {
  /** Who has seen it, for people: `node1`. */
  by: string;
  /** True for this node itself, which proves nothing to others. */
  here?: boolean;
  head: AuditHead;
}

export interface Verdict {
  ok: boolean;
  files: number;
  lines: number;
  /** Sequence numbers of the first and the last line; 0 if there is none. */
  first: number;
  last: number;
  /** At most `MAX_PROBLEMS`. */
  problems: Problem[];
  /** Number of witnesses' heads that this log contains. */
  confirmed: number;
  /** Number of witnesses' heads older than what is kept. */
  beforeKept: number;
  /**
   * Restores of the node from a backup: the lines written between backup and restore are missing. At most `MAX_PROBLEMS`, the latest ones.
   */
  restores: Restore[];
}

export interface Restore {
  /** The line that records the restore; all lines from there on were written after it. */
  seq: number;
  time: string;
  because: string;
  /** Number of witnesses' heads for lines that the restore lost. */
  lost: number;
}

interface Place {
  file: string;
  line: number;
}

/** The previous line as found, which the next one must build on. */
interface Last extends Place, Tip {
  /** A problem with this line has been reported, so its consequences are not. */
  told: boolean;
}

export class ChainVerifier {
  readonly #key: string;
  readonly #witnesses: Map<number, Witness[]>;
  readonly #problems: Problem[] = [];
  #file = '';
  #lineInFile = 0;
  #files = 0;
  #lines = 0;
  #last: Last | undefined;
  /** Of the first line found. */
  #begin: { seq: number; prev: string } | undefined;
  /** The first line that must exist, according to the latest anchor. */
  #kept = 1;
  #unsigned = 0;
  #confirmed = 0;
  #restores: Restore[] = [];
  /** Witnesses that have seen another line than the one found. */
  readonly #against: Witness[] = [];

  /** `key` signs this log. The caller leaves out heads without a valid signature. */
  constructor(key: PeerKey, witnesses: readonly Witness[] = []) {
    this.#key = auditKeyText(key);
    this.#witnesses = Map.groupBy(witnesses, ({ head }) => head.seq);
  }

  /** Begins the next file. */
  file(name: string): void {
    this.#file = name;
    this.#lineInFile = 0;
    this.#files += 1;
  }

  /** Takes the next line of the file, without its line break. */
  line(bytes: Uint8Array): void {
    this.#lineInFile += 1;
    this.#lines += 1;
    const place = { file: this.#file, line: this.#lineInFile };
    const hash = hashOf(bytes);
    const line = parseLine(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    if (line === undefined) {
      const seq = (this.#last?.seq ?? (seqOfFile(this.#file) ?? 1) - 1) + 1;
      this.#tell({ ...place, seq, what: 'this is not a line of an audit log' });
      this.#begin ??= { seq, prev: '' };
      this.#unsigned += 1;
      this.#last = { ...place, seq, hash, told: true };
      return;
    }
    if (isRestore(line)) {
      const { seq, time, because } = line;
      this.#restores = [...this.#restores, { seq, time, because, lost: 0 }].slice(-MAX_PROBLEMS);
    }
    const told = this.#judge(line, place);
    this.#match(line.seq, hash);
    this.#last = { ...place, seq: line.seq, hash, told };
  }

  /** Ends the file; `rest` is what follows its last line break. */
  endFile(rest: Uint8Array): void {
    if (rest.length === 0) return;
    this.#tell({ file: this.#file, line: this.#lineInFile + 1, what: 'the last line is not complete' });
  }

  /** Returns the verdict. `end` is the last line that the daemon knows it has written. */
  finish(end?: Tip): Verdict {
    const last = this.#last;
    if (last === undefined || this.#begin === undefined) this.#tell({ what: 'there is no audit log' });
    else {
      if (this.#begin.seq > this.#kept) {
        this.#tell({ what: `files are missing: the lines from ${this.#kept} on are to be kept, and ${this.#begin.seq} is the first one` });
      }
      if (this.#unsigned > 0) this.#tell({ ...at(last), what: `the last ${lines(this.#unsigned)} not signed` });
      if (end !== undefined && end.seq > last.seq) {
        this.#tell({ ...at(last), what: `the log is cut off: this daemon has written up to ${end.seq}` });
      } else if (end !== undefined && (end.seq < last.seq || end.hash !== last.hash)) {
        this.#tell({ ...at(last), what: `this is not what the daemon wrote: its last line is ${end.seq}` });
      }
    }
    const beforeKept = this.#judgeWitnesses();
    return {
      ok: this.#problems.length === 0,
      files: this.#files,
      lines: this.#lines,
      first: this.#begin?.seq ?? 0,
      last: last?.seq ?? 0,
      problems: this.#problems,
      confirmed: this.#confirmed,
      beforeKept,
      restores: this.#restores,
    };
  }

  /** True if this line caused a problem. */
  #judge(line: AuditLine, place: Place): boolean {
    const before = this.#problems.length;
    const tell = (what: string): void => this.#tell({ ...place, seq: line.seq, what });
    if (place.line === 1) {
      if (!('anchor' in line)) tell('a file must begin with an anchor, and this is not one');
      if (line.seq !== seqOfFile(place.file)) tell(`the file is named as if it began with ${seqOfFile(place.file) ?? 'nothing'}`);
    } else if ('anchor' in line) tell('an anchor can only be at the beginning of a file');
    this.#judgeOrder(line, tell);
    const head = headOfLine(line);
    if (head === undefined) this.#unsigned += 1;
    else {
      if (head.head.key !== this.#key) tell('it is signed with another key than this node has');
      else if (!verifyAuditHead(head.head, head.first)) tell('its signature is wrong');
      if (head.first !== undefined) this.#kept = head.first;
      this.#unsigned = 0;
    }
    return this.#problems.length > before;
  }

  #judgeOrder(line: AuditLine, tell: (what: string) => void): void {
    const last = this.#last;
    if (last === undefined) {
      this.#begin = { seq: line.seq, prev: line.prev };
      this.#match(line.seq - 1, line.prev);
      return;
    }
    const missing = line.seq - last.seq - 1;
    if (missing > 0)
      tell(missing === 1 ? `line ${line.seq - 1} is missing before it` : `lines ${last.seq + 1} to ${line.seq - 1} are missing before it`);
    else if (missing < 0) tell(`it is in the wrong place, after ${last.seq}`);
    else if (line.prev !== last.hash && !last.told) {
      this.#tell({ ...at(last), seq: last.seq, what: 'it was altered, or the next line was: that line names another hash for it' });
    }
  }

  /** Takes out the witnesses of this line; those that have seen another line are kept for `#judgeWitnesses`. */
  #match(seq: number, hash: string): void {
    const witnesses = this.#witnesses.get(seq);
    if (witnesses === undefined) return;
    this.#witnesses.delete(seq);
    for (const witness of witnesses) {
      if (witness.head.hash !== hash) this.#against.push(witness);
      else if (witness.here !== true) this.#confirmed += 1;
    }
  }

  /** Reports heads whose line is missing or different. Returns how many are older than the log. */
  #judgeWitnesses(): number {
    const first = this.#begin?.seq ?? 1;
    const last = this.#last?.seq ?? 0;
    let beforeKept = 0;
    for (const { by, head } of this.#against) {
      if (head.key !== this.#key) this.#tell({ seq: head.seq, what: foreign(by, head) });
      else if (!this.#isLost(head)) {
        this.#tell({
          seq: head.seq,
          what: `${by} has seen another line ${head.seq} than the one that is here: the past was rewritten`,
        });
      }
    }
    for (const [seq, witnesses] of this.#witnesses) {
      for (const { by, here, head } of witnesses) {
        if (seq < first && this.#lines > 0) beforeKept += here === true ? 0 : 1;
        else if (head.key !== this.#key) this.#tell({ seq, what: foreign(by, head) });
        else if (this.#isLost(head)) continue;
        else if (seq > last)
          this.#tell({ seq, what: `${by} has seen line ${seq} of this log, which now ends with ${last}: its end was cut off` });
        else this.#tell({ seq, what: `${by} has seen line ${seq} of this log, which is missing here` });
      }
    }
    return beforeKept;
  }

  /**
   * True for a head of lines lost in a restore: its line is at or after the place where the log goes on after a restore, and it was signed
   * before that restore. Lines before a restore, and those signed after it, must be there: a recorded restore explains no other loss.
   */
  #isLost({ seq, time }: AuditHead): boolean {
    const restore = this.#restores.find((one) => seq >= one.seq && time <= one.time);
    if (restore === undefined) return false;
    restore.lost += 1;
    return true;
  }

  #tell(problem: Problem): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem);
  }
}

function foreign(by: string, { key, seq }: AuditHead): string {
  return `${by} says that it has seen line ${seq} of this log signed with another key (${key.slice(0, 12)}…): that key was replaced here, or ${by} lies`;
}

function at({ file, line }: Place): Place {
  return { file, line };
}

function lines(count: number): string {
  return count === 1 ? 'line is' : `${count} lines are`;
}
