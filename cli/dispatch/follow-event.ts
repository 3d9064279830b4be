/** Lines of a follow as the command line sees them. Lines of other shapes are ignored, since a newer daemon may send more. */
import { type ExecutionPhase, LOG_LEVELS, type LogLevel } from '../../protocol/orders/words.ts';
import { isRecord, listAt, numberAt, textAt } from '../json.ts';
import { type ExecutionView, executionOf, type PartView, partOf, phaseOf } from './execution.ts';

export interface RecordView {
  time: number;
  stream: 'out' | 'err' | 'log';
  /** Number of the step; 0: the part itself. */
  step: number;
  command: string;
  /** Set for `log`. */
  level: LogLevel | undefined;
  bytes: Buffer;
}

export interface OutputEvent {
  type: 'output';
  index: number;
  node: string;
  offset: number;
  next: number;
  records: RecordView[];
}

export interface NoteEvent {
  type: 'note';
  index: number | undefined;
  node: string | undefined;
  event: string;
  text: string;
}

export type FollowEvent =
  | { type: 'execution'; execution: ExecutionView }
  | { type: 'part'; part: PartView }
  | OutputEvent
  | NoteEvent
  | { type: 'end'; phase: ExecutionPhase; missing: number; pause: number | undefined };

const STREAMS = ['out', 'err', 'log'] as const;

export function followEventOf(line: unknown): FollowEvent | undefined {
  if (!isRecord(line)) return undefined;
  if (isRecord(line['execution'])) return { type: 'execution', execution: executionOf(line['execution']) };
  if (isRecord(line['output'])) return outputOf(line['output']);
  if (isRecord(line['part'])) {
    const part = partOf(line['part']);
    return part === undefined ? undefined : { type: 'part', part };
  }
  const { note, end } = line;
  if (isRecord(note)) {
    return {
      type: 'note',
      index: numberAt(note, 'index'),
      node: textAt(note, 'node'),
      event: textAt(note, 'event') ?? '',
      text: textAt(note, 'text') ?? '',
    };
  }
  if (!isRecord(end)) return undefined;
  return { type: 'end', phase: phaseOf(end, 'phase') ?? 'Running', missing: numberAt(end, 'missing') ?? 0, pause: numberAt(end, 'pause') };
}

function outputOf(output: unknown): OutputEvent | undefined {
  const index = numberAt(output, 'index');
  const offset = numberAt(output, 'offset');
  const next = numberAt(output, 'next');
  if (index === undefined || offset === undefined || next === undefined) return undefined;
  const records = listAt(output, 'records').map(recordOf);
  return { type: 'output', index, node: textAt(output, 'node') ?? '', offset, next, records: records.filter((one) => one !== undefined) };
}

function recordOf(value: unknown): RecordView | undefined {
  const stream = STREAMS.find((known) => known === textAt(value, 's'));
  if (stream === undefined) return undefined;
  const text = textAt(value, 'text');
  return {
    time: numberAt(value, 't') ?? 0,
    stream,
    step: numberAt(value, 'n') ?? 0,
    command: textAt(value, 'c') ?? '',
    level: LOG_LEVELS.find((known) => known === textAt(value, 'l')),
    bytes: text === undefined ? Buffer.from(textAt(value, 'base64') ?? '', 'base64') : Buffer.from(text),
  };
}
