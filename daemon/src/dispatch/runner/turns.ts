/**
 * Shares the event loop among readers: together they read a limited number of bytes per turn. A reader that exceeds the limit waits in
 * line, so that other work can run.
 */

/** Bytes per turn of the event loop: one or two milliseconds of masking and encoding. */
const TURN_BYTES = 256 * 1024;
/** Bytes per turn of one reader. */
const SHARE_BYTES = 64 * 1024;
/** Waiting readers resumed per turn; each reads 32 KiB at a time. */
const NEXT_READERS = 8;

const waiting: (() => void)[] = [];
let spent = 0;
let scheduled = false;
let turns = 0;

/** One reader's share. */
export interface Share {
  /** Counts bytes that were read. True: stop for now; `goOn` is called when it is this reader's turn again. */
  spend(bytes: number, goOn: () => void): boolean;
}

/** Creates a share for one reader. */
export function createShare(): Share {
  let own = 0;
  let turn = turns;
  return {
    spend(bytes, goOn) {
      if (turn !== turns) own = 0;
      turn = turns;
      own += bytes;
      spent += bytes;
      schedule();
      if (own < SHARE_BYTES && spent < TURN_BYTES) return false;
      waiting.push(goOn);
      return true;
    },
  };
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    turns += 1;
    spent = 0;
    for (const goOn of waiting.splice(0, NEXT_READERS)) goOn();
    if (waiting.length > 0) schedule();
  });
}
