/** The transitions between the states of a part. Pure. No others are possible. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Outcome, Part } from '../../../../protocol/orders/outcome.ts';
import type { JournalRow } from './journal-row.ts';

/** How a part ended. */
export interface Ending {
  outcome: Outcome;
  endedAt: number;
  exitStatus?: number | undefined;
  signal?: string | undefined;
  reason?: string | undefined;
  code?: string | undefined;
  offset?: number | undefined;
  dropped?: number | undefined;
  file?: Part['file'];
}

/** Outcomes by the state from which a part ends. A start is never taken back: what ran was not refused or skipped. */
const ENDINGS: Readonly<Record<'accepted' | 'running', ReadonlySet<Outcome>>> = {
  accepted: new Set(['refused', 'skipped', 'unknown', 'failed']),
  running: new Set(['succeeded', 'failed', 'unknown']),
};

const MAX_REASON = 1_024;

/** accepted → running, once. From then on it counts as started, whatever happens. */
export function started(
  row: JournalRow,
  { at, deadline, plain, secrets }: { at: number; deadline: number; plain: boolean; secrets: readonly string[] },
): JournalRow {
  if (row.part.state !== 'accepted') throw illegal(row, 'started');
  return {
    ...row,
    part: { ...row.part, state: 'running', startedAt: at },
    deadline,
    ...(plain ? { plain } : {}),
    ...(secrets.length === 0 ? {} : { secrets: [...secrets] }),
  };
}

/**
 * running → accepted, when a daemon stops before anything was started: the next one starts it. Only what starts processes can know that.
 */
export function unstarted(row: JournalRow): JournalRow {
  if (row.part.state !== 'running') throw illegal(row, 'put back');
  const { deadline: _deadline, plain: _plain, secrets: _secrets, ...rest } = row;
  const { startedAt: _startedAt, ...part } = row.part;
  return { ...rest, part: { ...part, state: 'accepted' } };
}

/** accepted or running → ended; also ended as unknown → ended as succeeded or failed, once that is found out. */
export function ended(row: JournalRow, ending: Ending): JournalRow {
  const { state, outcome } = row.part;
  const settled = state === 'ended' && outcome === 'unknown' && (ending.outcome === 'succeeded' || ending.outcome === 'failed');
  const allowed = settled || ((state === 'accepted' || state === 'running') && ENDINGS[state].has(ending.outcome));
  if (!allowed) throw illegal(row, `ended as ${ending.outcome}`);
  const { secrets: _secrets, ...rest } = row;
  const { reason: _reason, code: _code, ...part } = row.part;
  return { ...rest, part: { ...part, state: 'ended', ...present({ ...ending, reason: shortened(ending.reason) }) } };
}

function shortened(text: string | undefined): string | undefined {
  return text !== undefined && text.length > MAX_REASON ? `${text.slice(0, MAX_REASON - 1)}…` : text;
}

/** The fields that are not undefined. */
function present(ending: Ending): { outcome: Outcome; endedAt: number } & Partial<Part> {
  const { outcome, endedAt, exitStatus, signal, reason, code, offset, dropped, file } = ending;
  return {
    outcome,
    endedAt,
    ...(exitStatus === undefined ? {} : { exitStatus }),
    ...(signal === undefined ? {} : { signal }),
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
    ...(offset === undefined ? {} : { offset }),
    ...(dropped === undefined || dropped === 0 ? {} : { dropped }),
    ...(file === undefined ? {} : { file }),
  };
}

function illegal({ part }: JournalRow, what: string): DtkdError {
  return new DtkdError('INTERNAL', `a part that is ${part.outcome ?? part.state} cannot be ${what}`);
}
