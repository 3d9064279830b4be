/** An execution as lines of JSON: one for each line of output, with its origin, one for each change of a part, and one for each note. */
import { isUtf8 } from 'node:buffer';
import { toJson } from '../output/format.ts';
import type { ExecutionView, PartView } from './execution.ts';
import type { FollowEvent, OutputEvent, RecordView } from './follow-event.ts';
import { LineAssembler } from './line-assembler.ts';
import type { FollowView, Screen } from './view.types.ts';

const NEWLINE = 0x0a;

interface Open {
  assembler: LineAssembler;
  last: RecordView;
}

export class JsonView implements FollowView {
  readonly #screen: Screen;
  readonly #open = new Map<string, Open>();
  /** The last JSON line of each part. */
  readonly #parts = new Map<number, string>();
  #told = false;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(event: FollowEvent, execution: ExecutionView): void {
    switch (event.type) {
      case 'execution':
        if (!this.#told) this.#write({ type: 'execution', id: execution.id, starter: execution.starter, user: execution.user });
        this.#told = true;
        break;
      case 'output':
        this.#output(event, execution);
        break;
      case 'part':
        if (event.part.state === 'ended') this.#flush(event.part.index, execution);
        this.#part(event.part);
        break;
      case 'note':
        this.#write(event);
        break;
    }
  }

  end(execution: ExecutionView): void {
    for (const index of execution.parts.keys()) this.#flush(index, execution);
  }

  /** Writes a part, unless it is unchanged. */
  #part(part: PartView): void {
    const line = toJson({ type: 'part', ...partFields(part) }, 0);
    if (this.#parts.get(part.index) === line) return;
    this.#parts.set(part.index, line);
    this.#screen.out(`${line}\n`);
  }

  #output({ index, records }: OutputEvent, execution: ExecutionView): void {
    for (const record of records) {
      if (record.stream === 'log') {
        this.#lines(index, record, record.bytes, execution, true);
        continue;
      }
      const key = `${index} ${record.stream}`;
      const open = this.#open.get(key) ?? { assembler: new LineAssembler(), last: record };
      open.last = record;
      this.#open.set(key, open);
      this.#lines(index, record, open.assembler.add(record.bytes), execution);
    }
  }

  #flush(index: number, execution: ExecutionView): void {
    for (const stream of ['out', 'err']) {
      const open = this.#open.get(`${index} ${stream}`);
      this.#open.delete(`${index} ${stream}`);
      if (open !== undefined) this.#lines(index, open.last, open.assembler.flush(), execution);
    }
  }

  /**
   * Writes a line of JSON for each line in `bytes`. Lines that came together differ only in their text. `whole`: the last one needs no
   * newline.
   */
  #lines(index: number, record: RecordView, bytes: Buffer, execution: ExecutionView, whole = false): void {
    if (bytes.length === 0) return;
    const head = toJson(this.#origin(index, record, execution), 0).slice(0, -1);
    const isEnded = whole || bytes.at(-1) === NEWLINE;
    const lines = linesOf(bytes);
    const last = lines.length - 1;
    this.#screen.out(lines.map((line, at) => `${head},${line}${at === last && !isEnded ? ',"newline":false' : ''}}\n`).join(''));
  }

  #origin(index: number, record: RecordView, execution: ExecutionView): Record<string, unknown> {
    const part = execution.parts.get(index);
    const command = execution.commands.get(index);
    return {
      type: 'output',
      time: new Date(record.time).toISOString(),
      node: part?.node ?? '',
      index,
      ...(command === undefined ? {} : { model: command.model, resourceType: command.type, resource: command.resource }),
      command: command?.command ?? part?.what ?? '',
      step: record.step,
      stepCommand: record.command,
      stream: record.stream,
      ...(record.level === undefined ? {} : { level: record.level }),
    };
  }

  #write(value: unknown): void {
    this.#screen.out(`${toJson(value, 0)}\n`);
  }
}

/** A part as JSON shows it: unknown, zero and empty fields are left out. */
function partFields({ stage, offset, dropped, holders, startedAt, endedAt, ...part }: PartView): Record<string, unknown> {
  const known = Object.entries(part).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(known),
    ...(startedAt === undefined ? {} : { startedAt: new Date(startedAt).toISOString() }),
    ...(endedAt === undefined ? {} : { endedAt: new Date(endedAt).toISOString() }),
    ...(stage === 0 ? {} : { stage }),
    ...(offset === 0 ? {} : { offset }),
    ...(dropped === 0 ? {} : { dropped }),
    ...(holders.length === 0 ? {} : { holders }),
  };
}

/** The JSON field with the text of each line; base64 if a line is not UTF-8. */
function linesOf(bytes: Buffer): string[] {
  const isText = isUtf8(bytes);
  const lines = (bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes).toString(isText ? 'utf8' : 'latin1').split('\n');
  return lines.map((line) => {
    const raw = isText ? undefined : Buffer.from(line, 'latin1');
    if (raw !== undefined && !isUtf8(raw)) return `"base64":"${raw.toString('base64')}"`;
    return `"text":${toJson(raw?.toString('utf8') ?? line, 0)}`;
  });
}
