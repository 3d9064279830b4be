import type { Output } from '../output/output.ts';
import type { ExecutionView } from './execution.ts';
import { liveLines } from './live-lines.ts';
import { LiveScreen } from './live-screen.ts';
import type { Screen } from './view.types.ts';

/** A table of all targets at the bottom of the terminal; none for a single target. `execution`: gets its present state. */
export function openLive(out: Output, inner: Screen, execution: () => ExecutionView): LiveScreen {
  const startedAt = Date.now();
  return new LiveScreen(process.stderr, inner, (size) => {
    const now = execution();
    return now.parts.size < 2 ? [] : liveLines((colour, text) => out.paint(colour, text), now, Date.now(), startedAt, size);
  });
}
