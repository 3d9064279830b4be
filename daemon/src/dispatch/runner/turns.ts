/**
 * Shares the event loop among readers: together they take in so many bytes a turn; who has read when that is reached waits in line. Other
 * work comes in between.
 */

/** Bytes between two turns of the event loop: one or two milliseconds of masking and encoding. */
const TURN_BYTES = 256 * 1024;
/** Of one reader. */
const SHARE_BYTES = 64 * 1024;
/** Readers that go on in the next turn: each reads 32 KiB at a time. */
const NEXT_READERS = 8;

const waiting: (() => void)[] = [];
let spent = 0;
let scheduled = false;
let turns = 0;

/** One reader's part. */
export interface Share {
  /** Counts what was read. True: enough for now, `goOn` will be called when it is this reader's turn again. */
  spend(bytes: number, goOn: () => void): boolean;
}

/** A share of the turns of this process. */
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
