/** Removes old output by age and size, and the parts themselves once nobody may start their ids any more. */
import { rm } from 'node:fs/promises';
import type { Journal, JournalFacts } from './journal.ts';
import type { NodeLimits } from './target.types.ts';

/** Entries forgotten per transaction. */
const BATCH = 500;

/**
 * Determines what to remove. Pure. `output`: parts whose output goes; `parts`: those that go entirely, with all others of the same
 * execution.
 */
export function expired<T extends Omit<JournalFacts, 'bytes'>>(
  entries: readonly T[],
  { keepForMs, keepBytes }: Pick<NodeLimits, 'keepForMs' | 'keepBytes'>,
  now: number,
): { output: T[]; parts: T[] } {
  const endOf = ({ row }: T) => row.part.endedAt ?? row.acceptedAt;
  const isOver = (entry: T) => entry.row.part.state === 'ended' && entry.row.keepUntil < now && endOf(entry) + keepForMs < now;
  const kept = new Set(entries.filter((entry) => !isOver(entry)).map(({ id }) => id));
  const parts = entries.filter((entry) => !kept.has(entry.id));
  const output: T[] = [];
  let bytes = 0;
  const withOutput = entries.filter(({ row }) => row.part.state === 'ended' && (row.part.offset ?? 0) > 0);
  for (const entry of withOutput.sort((a, b) => endOf(b) - endOf(a))) {
    bytes += entry.row.part.offset ?? 0;
    if (bytes > keepBytes || endOf(entry) + keepForMs < now) output.push(entry);
  }
  return { output, parts };
}

/** Removes what has expired, and returns the forgotten parts. */
export async function sweep(
  journal: Journal,
  limits: Pick<NodeLimits, 'keepForMs' | 'keepBytes'>,
  { now, spoolOf }: { now: number; spoolOf: (id: string, index: number) => string },
): Promise<JournalFacts[]> {
  const entries: JournalFacts[] = [];
  for await (const entry of journal.facts()) entries.push(entry);
  const { output, parts } = expired(entries, limits, now);
  for (const { id, index } of [...output, ...parts]) await rm(spoolOf(id, index), { force: true });
  for (let from = 0; from < parts.length; from += BATCH) await journal.remove(parts.slice(from, from + BATCH), now);
  return parts;
}
