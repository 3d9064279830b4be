/** An execution as lines of JSON: one for each line of output with where it comes from, for each change of a part, and for each remark. */
import { isUtf8 } from 'node:buffer';
import { toJson } from '../output/format.ts';
import type { ExecutionView, PartView } from './execution.ts';
import type { FollowEvent, OutputEvent, RecordView } from './follow-event.ts';
import { type Line, LineAssembler } from './line-assembler.ts';
import type { FollowView, Screen } from './view.types.ts';

interface Open {
  assembler: LineAssembler;
  last: RecordView;
}

export class JsonView implements FollowView {
  readonly #screen: Screen;
  readonly #open = new Map<string, Open>();
  /** The last line of each part. */
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

  /** A part that is told again as it was is not shown again. */
  #part(part: PartView): void {
    const line = toJson({ type: 'part', ...partFields(part) }, 0);
    if (this.#parts.get(part.index) === line) return;
    this.#parts.set(part.index, line);
    this.#screen.out(`${line}\n`);
  }

  #output({ index, records }: OutputEvent, execution: ExecutionView): void {
    for (const record of records) {
      if (record.stream === 'log') {
        for (const { bytes } of linesOf(record.bytes)) this.#line(index, record, { bytes, whole: true }, execution);
        continue;
      }
      const key = `${index} ${record.stream}`;
      const open = this.#open.get(key) ?? { assembler: new LineAssembler(), last: record };
      open.last = record;
      this.#open.set(key, open);
      for (const line of open.assembler.add(record.bytes)) this.#line(index, record, line, execution);
    }
  }

  #flush(index: number, execution: ExecutionView): void {
    for (const stream of ['out', 'err']) {
      const open = this.#open.get(`${index} ${stream}`);
      this.#open.delete(`${index} ${stream}`);
      for (const line of open?.assembler.flush() ?? []) if (open !== undefined) this.#line(index, open.last, line, execution);
    }
  }

  #line(index: number, record: RecordView, { bytes, whole }: Line, execution: ExecutionView): void {
    const part = execution.parts.get(index);
    const command = execution.commands.get(index);
    this.#write({
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
      ...(isUtf8(bytes) ? { text: bytes.toString('utf8') } : { base64: bytes.toString('base64') }),
      ...(whole ? {} : { newline: false }),
    });
  }

  #write(value: unknown): void {
    this.#screen.out(`${toJson(value, 0)}\n`);
  }
}

/** A part as JSON shows it: what is not known, or nothing, is left out. */
function partFields({ stage, offset, dropped, holders, ...part }: PartView): Record<string, unknown> {
  const known = Object.entries(part).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(known),
    ...(stage === 0 ? {} : { stage }),
    ...(offset === 0 ? {} : { offset }),
    ...(dropped === 0 ? {} : { dropped }),
    ...(holders.length === 0 ? {} : { holders }),
  };
}

function linesOf(bytes: Buffer): Line[] {
  const assembler = new LineAssembler();
  return [...assembler.add(bytes), ...assembler.flush()];
}
