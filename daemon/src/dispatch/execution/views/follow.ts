/**
 * The lines that a follower of an execution gets. They are made on demand, so a slow reader costs nothing: only positions are remembered
 * between lines. Guarantees that each part's output comes from the requested offset on, without gaps or repetition, and before the line
 * that says that the part has ended.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { FollowedRecord, FollowLine } from '../../../../../protocol/requests/follow.ts';
import { Bell } from '../bell.ts';
import { FOLLOW_BYTES } from '../limits.ts';
import { followedRecord, readRecords } from '../output/records.ts';
import type { View } from './view.types.ts';

export interface FollowOptions {
  /** Offset to begin at, by part; absent: from the beginning. */
  from?: ReadonlyMap<number, number> | undefined;
  /** Includes earlier notes, too: for the one who has just started it. */
  allNotes?: boolean | undefined;
  signal: AbortSignal;
}

/** Errors: BAD_REQUEST for an offset that is not between two records. */
export async function* follow(view: View, { from, allNotes = false, signal }: FollowOptions): AsyncGenerator<FollowLine> {
  const bell = new Bell();
  const dirty = new Set<number>(view.indexes());
  const forget = view.onChange((index) => {
    if (index !== undefined) dirty.add(index);
    bell.ring();
  });
  signal.addEventListener('abort', bell.ring, { once: true });
  const offsets = new Map(from);
  const shown = new Map<number, Part | undefined>();
  // a part that has ended is reported again after its output
  for (const index of dirty) shown.set(index, view.part(index)?.state === 'ended' ? undefined : view.part(index));
  let noted = allNotes ? 0 : view.notes(0).next;
  try {
    yield { execution: { ...view.object() } };
    while (!signal.aborted) {
      const rung = bell.next();
      // read first, so that all that happened before it is reported below
      const resting = view.resting();
      const { items, next } = view.notes(noted);
      noted = next;
      for (const note of items) yield { note };
      for (const index of [...dirty]) {
        dirty.delete(index);
        const part = view.part(index);
        if (part === undefined) continue;
        const offset = offsets.get(index) ?? 0;
        const { bytes, records } = await readAt(view, index, offset);
        if (bytes.length > 0) {
          offsets.set(index, offset + bytes.length);
          // the other parts have their turn before the rest of this one
          dirty.add(index);
          yield {
            output: { index, node: part.node, offset, next: offset + bytes.length, records },
          };
        } else if (part !== shown.get(index)) {
          shown.set(index, part);
          yield { part };
        }
      }
      if (dirty.size > 0) continue;
      if (resting) {
        const missing = view.missing();
        const pause = view.pause?.();
        yield { end: { phase: view.phase(), ...(missing > 0 ? { missing } : {}), ...(pause === undefined ? {} : { pause }) } };
        return;
      }
      await rung;
    }
  } finally {
    forget();
    signal.removeEventListener('abort', bell.ring);
  }
}

/** Errors: BAD_REQUEST if there is no record at this offset. */
async function readAt(view: View, index: number, offset: number): Promise<{ bytes: Uint8Array; records: FollowedRecord[] }> {
  try {
    const bytes = await view.read(index, offset, FOLLOW_BYTES);
    return { bytes, records: readRecords(bytes).map(followedRecord) };
  } catch (error) {
    if (!(error instanceof DtkdError) || error.code !== 'FRAME_INVALID') throw error;
    throw new DtkdError('BAD_REQUEST', `the offset ${offset} of part ${index} is not between two records of its output`, {
      next: 'Use an offset from an earlier answer, or none.',
    });
  }
}
