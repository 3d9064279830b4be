/**
 * Shows output as lines, as it comes: in the form of ControlTier's `ctl`, or with the node's name before each line. Standard error of a
 * process goes to standard error. On a terminal, control characters are escaped, so that no target can command it; in a pipe bytes stay as
 * they are.
 */
import { LOG_LEVELS, type LogLevel } from '../../protocol/orders/words.ts';
import { escapeControls } from '../output/escape.ts';
import { formatSize } from '../output/size.ts';
import type { ExecutionView, PartView } from './execution.ts';
import type { FollowEvent, NoteEvent, OutputEvent, RecordView } from './follow-event.ts';
import { LineAssembler } from './line-assembler.ts';
import { prefixedBytes, prefixedText, printable } from './printable.ts';
import { commandLine, connectingLine, remotePrefix, userName } from './seed-form.ts';
import type { FollowView, Screen } from './view.types.ts';

export interface TextForm {
  /** seed: as `ctl` has it. node: the node's name before each line. none: no prefix. */
  prefix: 'seed' | 'node' | 'none';
  /** The node whose lines have no prefix: the one on which the person works. */
  local: string | undefined;
  /** The lowest level that is shown. */
  level: LogLevel;
  /** Escapes what could command a terminal. */
  escape: boolean;
}

/** The levels of what a process writes. */
const OUT_LEVEL: LogLevel = 'info';
const ERR_LEVEL: LogLevel = 'warning';

export class TextView implements FollowView {
  readonly #screen: Screen;
  readonly #form: TextForm;
  /** By index and stream: output not yet ended by a newline. */
  readonly #open = new Map<string, { assembler: LineAssembler; level: LogLevel }>();

  constructor(screen: Screen, form: TextForm) {
    this.#screen = screen;
    this.#form = form;
  }

  show(event: FollowEvent, execution: ExecutionView): void {
    if (event.type === 'output') this.output(event, execution);
    else if (event.type === 'note') this.#note(event, execution);
    else if (event.type === 'part' && event.part.state === 'ended') this.#ended(event.part, execution);
  }

  end(execution: ExecutionView): void {
    for (const part of execution.parts.values()) this.#flush(part.index, execution);
  }

  output({ index, records }: OutputEvent, execution: ExecutionView): void {
    for (const record of records) this.#record(index, record, execution);
  }

  #record(index: number, record: RecordView, execution: ExecutionView): void {
    const level = levelOf(record);
    if (!this.#shows(level)) return;
    if (record.stream === 'log') {
      this.#lines(index, level, record.bytes, execution);
      return;
    }
    const key = `${index} ${record.stream}`;
    let open = this.#open.get(key);
    if (open === undefined) {
      open = { assembler: new LineAssembler(), level };
      this.#open.set(key, open);
    }
    this.#lines(index, level, open.assembler.add(record.bytes), execution);
  }

  /** Writes lines; the last may lack its newline. */
  #lines(index: number, level: LogLevel, bytes: Buffer, execution: ExecutionView): void {
    if (bytes.length === 0) return;
    const prefix = this.#prefix(index, level, execution);
    const lines = this.#form.escape ? prefixedText(printable(bytes), prefix) : prefixedBytes(bytes, prefix);
    if (level === 'warning' || level === 'error') this.#screen.err(lines);
    else this.#screen.out(lines);
  }

  #prefix(index: number, level: LogLevel, execution: ExecutionView): string {
    const part = execution.parts.get(index);
    const { prefix, local } = this.#form;
    if (part === undefined || prefix === 'none' || part.node === local) return '';
    if (prefix === 'node') return `${escapeControls(part.node)}: `;
    return escapeControls(remotePrefix(userName(execution.user), part.node, part.what, level));
  }

  #note({ event, index, node = '', text }: NoteEvent, execution: ExecutionView): void {
    if (event !== 'telling') {
      this.#screen.err(`${escapeControls(node === '' ? text : `${node}: ${text}`)}\n`);
      return;
    }
    if (this.#form.prefix !== 'seed' || node === this.#form.local || !this.#shows('info')) return;
    this.#screen.out(`${escapeControls(connectingLine(node))}\n`);
    const command = index === undefined ? undefined : execution.commands.get(index);
    if (command !== undefined) this.#screen.out(`${escapeControls(commandLine(command))}\n`);
  }

  #ended(part: PartView, execution: ExecutionView): void {
    this.#flush(part.index, execution);
    if (part.dropped > 0) this.#screen.err(`${escapeControls(cutMark(part))}\n`);
  }

  #flush(index: number, execution: ExecutionView): void {
    for (const stream of ['out', 'err']) {
      const key = `${index} ${stream}`;
      const open = this.#open.get(key);
      this.#open.delete(key);
      if (open !== undefined) this.#lines(index, open.level, open.assembler.flush(), execution);
    }
  }

  #shows(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(this.#form.level);
  }
}

/** Reports that output is missing. */
function cutMark({ node, dropped }: PartView): string {
  return `${node}: output was cut here: ${formatSize(dropped)} beyond the cap were not kept`;
}

export function levelOf({ stream, level }: RecordView): LogLevel {
  if (stream === 'log') return level ?? 'info';
  return stream === 'out' ? OUT_LEVEL : ERR_LEVEL;
}
