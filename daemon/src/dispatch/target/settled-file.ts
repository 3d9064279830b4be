/** Finds out what became of a file that was being put or read when the daemon ended. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Work } from '../../../../protocol/orders/order.ts';
import type { Ending } from './state.ts';

/** A file is put in place atomically, so it is there or not. Reading one changes nothing. */
export async function settledFile(work: Extract<Work, { type: 'put' | 'get' }>, node: string, endedAt: number): Promise<Ending> {
  const restarted = `the daemon of ${node} was restarted meanwhile`;
  if (work.type === 'get') return { outcome: 'failed', endedAt, reason: `${restarted}, before the file was read` };
  const digest = await digestOfFile(work).catch(() => undefined);
  if (digest === work.digest) return { outcome: 'succeeded', endedAt, exitStatus: 0 };
  return { outcome: 'failed', endedAt, reason: `${restarted}; the file at ${work.path} is not the one that was sent` };
}

/** Undefined if the file cannot be the one that this order put there. Does not block on what else may be at the path, such as a pipe. */
async function digestOfFile({ path, size, mode }: Extract<Work, { type: 'put' }>): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const there = await file.stat();
    if (!there.isFile() || there.size !== size || (there.mode & 0o777) !== mode) return undefined;
    const hash = createHash('sha256');
    for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk);
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}
