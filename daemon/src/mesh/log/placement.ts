/** Where an entry belongs in what is kept of its author's log. Pure. */
import { compareEpochs, type EntryBody, type Epoch } from '../../../../protocol/log/log-entry.ts';
import type { AuthorState, Track } from './rows.ts';

export type Placement =
  /** Of an epoch that is over, or void because of a fork. */
  | { place: 'over' }
  /** An earlier entry must come first. */
  | { place: 'gap' }
  /** That place has an entry already: the same one, or the log is forked. */
  | { place: 'taken'; track: Track }
  /** The next entry of that epoch (if its `prev` matches the last one). */
  | { place: 'append'; track: Track }
  /** The first entry of a higher epoch. */
  | { place: 'opens' };

export function placementOf(state: AuthorState, entry: Pick<EntryBody, 'epoch' | 'seq'>): Placement {
  if (state.barrier !== undefined && compareEpochs(entry.epoch, state.barrier) <= 0) return { place: 'over' };
  const track = [state.next, state.shown].find((known) => known !== undefined && compareEpochs(known.epoch, entry.epoch) === 0);
  if (track !== undefined) {
    if (entry.seq <= track.seq) return { place: 'taken', track };
    return entry.seq === track.seq + 1 ? { place: 'append', track } : { place: 'gap' };
  }
  const top = topOf(state);
  if (top !== undefined && compareEpochs(entry.epoch, top.epoch) < 0) return { place: 'over' };
  return entry.seq === 0 ? { place: 'opens' } : { place: 'gap' };
}

/** The highest epoch that is kept. */
export function topOf(state: AuthorState): Track | undefined {
  return state.next ?? state.shown;
}

/** The track, unless it is at or below the highest forked epoch. */
export function valid(track: Track | undefined, barrier: Epoch | undefined): Track | undefined {
  return track !== undefined && (barrier === undefined || compareEpochs(track.epoch, barrier) > 0) ? track : undefined;
}
