import type { Writable } from 'node:stream';

let corked: Writable[] = [];

/**
 * Holds back writes to a stream until everything that has arrived in this turn of the event loop has been read. Each write to a
 * socket wakes its reader, and on a busy machine that process then runs instead of this one. After a series of answers the reader
 * is now woken once.
 */
export function corkForTurn(stream: Writable): void {
  stream.cork();
  if (corked.push(stream) === 1) setImmediate(uncorkAll);
}

function uncorkAll(): void {
  const streams = corked;
  corked = [];
  for (const stream of streams) stream.uncork();
}
