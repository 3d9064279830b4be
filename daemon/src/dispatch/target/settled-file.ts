/** What became of a file that was being sent or read when the daemon ended. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Work } from '../../../../protocol/orders/order.ts';
import type { Ending } from './state.ts';

/** A file is put in place all at once: it is there, or not. One that was read has changed nothing. */
export async function settledFile(work: Extract<Work, { type: 'put' | 'get' }>, node: string, endedAt: number): Promise<Ending> {
  const restarted = `the daemon of ${node} was restarted meanwhile`;
  if (work.type === 'get') return { outcome: 'failed', endedAt, reason: `${restarted}, before the file was read` };
  const digest = await digestOfFile(work).catch(() => undefined);
  if (digest === work.digest) return { outcome: 'succeeded', endedAt, exitStatus: 0 };
  return { outcome: 'failed', endedAt, reason: `${restarted}; the file at ${work.path} is not the one that was sent` };
}

/** Undefined if it is none that this order has put there. What else may be at its path is not waited for. */
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
