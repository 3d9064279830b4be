/** An execution as the command line sees it: read from the daemon's JSON, and updated by the lines of a follow. No I/O. */
import { EXECUTION_PHASES, type ExecutionPhase, OUTCOMES, type Outcome, PART_STATES, type PartState } from '../../protocol/orders/words.ts';
import { isRecord, type JsonRecord, listAt, numberAt, recordAt, textAt, textsAt, timeAt, valueAt } from '../json.ts';

export interface PartView {
  index: number;
  node: string;
  what: string;
  stage: number;
  state: PartState;
  outcome: Outcome | undefined;
  startedAt: number | undefined;
  endedAt: number | undefined;
  exitStatus: number | undefined;
  signal: string | undefined;
  reason: string | undefined;
  /** The reason, for programs. */
  code: string | undefined;
  /** The length of its spool so far, in bytes. */
  offset: number;
  /** How many of those bytes the command wrote, if that was counted. */
  printed: number | undefined;
  /** Bytes of output dropped beyond the cap. */
  dropped: number;
  holders: readonly string[];
  /** The file that was read there, if the part reads one. */
  file: FileView | undefined;
}

/** Parts whose end and output have been shown, by index, with the length of their spools in bytes. */
export type ShownParts = ReadonlyMap<number, number>;

/** The parts that a follower of `execution` has seen completely. */
export function shownOf(execution: ExecutionView): ShownParts {
  const known = [...execution.parts.values()].filter(({ state, outcome }) => state === 'ended' && outcome !== 'unknown');
  return new Map(known.map(({ index, offset }) => [index, offset]));
}

export interface FileView {
  digest: string;
  size: number;
  mode: number;
}

/** What a target was told to do, if it is a command of a resource. */
export interface TargetCommand {
  model: string;
  type: string;
  resource: string;
  command: string;
  options: Readonly<Record<string, string>>;
}

export interface ExecutionView {
  /** 64 hexadecimal digits; empty until the daemon reports it. */
  id: string;
  starter: string;
  user: string;
  phase: ExecutionPhase;
  message: string | undefined;
  /** How often it has paused, as far as the daemon knows. */
  pauses: number | undefined;
  startedAt: number | undefined;
  finishedAt: number | undefined;
  /** By index. */
  parts: Map<number, PartView>;
  commands: ReadonlyMap<number, TargetCommand>;
  /** The original request, where the daemon knows it. */
  request: JsonRecord;
}

/** Digits of an id that people see: enough to distinguish the executions of a site. */
const SHORT_ID = 12;

export function shortId(id: string): string {
  return id.slice(0, SHORT_ID);
}

/** Parses an Execution object. */
export function executionOf(object: unknown): ExecutionView {
  const parts = listAt(object, 'status', 'parts').map(partOf);
  const commands = listAt(object, 'spec', 'targets').map((target): [number, TargetCommand | undefined] => [
    numberAt(target, 'index') ?? -1,
    commandOf(target),
  ]);
  return {
    id: textAt(object, 'metadata', 'name') ?? '',
    starter: textAt(object, 'spec', 'starter') ?? '',
    user: textAt(object, 'spec', 'user') ?? '',
    phase: phaseOf(object, 'status', 'phase') ?? 'Running',
    message: textAt(object, 'status', 'message'),
    pauses: numberAt(object, 'status', 'pauses'),
    startedAt: timeAt(object, 'status', 'startedAt') ?? timeAt(object, 'metadata', 'creationTimestamp'),
    finishedAt: timeAt(object, 'status', 'finishedAt'),
    parts: new Map(parts.filter((part) => part !== undefined).map((part) => [part.index, part])),
    commands: new Map(commands.filter((entry): entry is [number, TargetCommand] => entry[1] !== undefined)),
    request: recordAt(object, 'spec', 'request'),
  };
}

/** Parses a part; undefined if the value is none. */
export function partOf(value: unknown): PartView | undefined {
  const index = numberAt(value, 'index');
  const state = PART_STATES.find((known) => known === textAt(value, 'state'));
  if (index === undefined || state === undefined) return undefined;
  return {
    index,
    node: textAt(value, 'node') ?? '',
    what: textAt(value, 'what') ?? '',
    stage: numberAt(value, 'stage') ?? 0,
    state,
    outcome: OUTCOMES.find((known) => known === textAt(value, 'outcome')),
    startedAt: numberAt(value, 'startedAt'),
    endedAt: numberAt(value, 'endedAt'),
    exitStatus: numberAt(value, 'exitStatus'),
    signal: textAt(value, 'signal'),
    reason: textAt(value, 'reason'),
    code: textAt(value, 'code'),
    offset: numberAt(value, 'offset') ?? 0,
    printed: numberAt(value, 'printed'),
    dropped: numberAt(value, 'dropped') ?? 0,
    holders: textsAt(value, 'holders'),
    file: fileOf(valueAt(value, 'file')),
  };
}

function fileOf(value: unknown): FileView | undefined {
  const digest = textAt(value, 'digest');
  const size = numberAt(value, 'size');
  const mode = numberAt(value, 'mode');
  return digest === undefined || size === undefined || mode === undefined ? undefined : { digest, size, mode };
}

export function phaseOf(value: unknown, ...path: string[]): ExecutionPhase | undefined {
  return EXECUTION_PHASES.find((known) => known === textAt(value, ...path));
}

/** Parts in order of their indices. */
export function partsOf(execution: ExecutionView): PartView[] {
  return [...execution.parts.values()].sort((a, b) => a.index - b.index);
}

/** True if all that is left of an execution is orders that wait for absent nodes. */
export function onlyQueuedLeft(execution: ExecutionView): boolean {
  let queued = false;
  for (const { state } of execution.parts.values()) {
    if (state !== 'ended' && state !== 'queued') return false;
    if (state === 'queued') queued = true;
  }
  return queued;
}

function commandOf(target: unknown): TargetCommand | undefined {
  const resource = recordAt(target, 'work', 'resource');
  const command = textAt(target, 'work', 'command');
  if (command === undefined) return undefined;
  const options = Object.entries(recordAt(target, 'work', 'options')).filter(([, value]) => !isRecord(value));
  return {
    model: textAt(resource, 'model') ?? '',
    type: textAt(resource, 'type') ?? '',
    resource: textAt(resource, 'name') ?? '',
    command,
    options: Object.fromEntries(options.map(([name, value]) => [name, String(value)])),
  };
}

/** Nodes on which not every part has succeeded, in order of the parts. */
export function nodesLeft(execution: ExecutionView): string[] {
  const left = partsOf(execution).filter(({ outcome }) => outcome !== 'succeeded');
  return [...new Set(left.map(({ node }) => node))];
}
