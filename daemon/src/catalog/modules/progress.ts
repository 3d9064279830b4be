/** Reports the progress of fetching modules as lines that a client follows. */
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { ContentProgress } from './ports.ts';

/** One line of a fetch. The last one is `done`. */
export type FetchLine =
  | { fetching: { module: string; version: string; publisher: string; size: number } }
  | { progress: { done: number; size: number; members: string[] } }
  | { altered: { member: string } }
  | { fetched: { module: string; version: string; publisher: string } }
  | { done: object };

/** Who requests modules, until when, and where to report progress. */
export interface Asker {
  principal: Principal;
  signal: AbortSignal;
  tell: (line: FetchLine) => void;
}

export function progressLine({ done, size, members }: ContentProgress): FetchLine {
  return { progress: { done, size, members: [...members] } };
}

/** Runs something that reports lines, and yields them as they come; the last line has the result. */
export async function* lines(run: (tell: (line: FetchLine) => void) => Promise<object>): AsyncGenerator<FetchLine> {
  let waiting: FetchLine[] = [];
  let wake = Promise.withResolvers<void>();
  let ended = false;
  const tell = (line: FetchLine) => {
    // only the latest progress counts
    const last = waiting.at(-1);
    if ('progress' in line && last !== undefined && 'progress' in last) waiting[waiting.length - 1] = line;
    else waiting.push(line);
    wake.resolve();
  };
  const running = run(tell).finally(() => {
    ended = true;
    wake.resolve();
  });
  running.catch(() => undefined);
  for (;;) {
    await wake.promise;
    wake = Promise.withResolvers<void>();
    const told = waiting;
    waiting = [];
    yield* told;
    if (ended && waiting.length === 0) break;
  }
  yield { done: await running };
}
