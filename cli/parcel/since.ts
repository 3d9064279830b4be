/** Parses the value of `--since`: a bundle file, or a time. */
import { stat } from 'node:fs/promises';
import { DtkdError } from '../../protocol/errors.ts';
import type { ParcelRequestInput } from '../../protocol/parcel/request.ts';
import { parseDuration } from '../input/duration.ts';
import { inspectFile } from './contents.ts';

const DATE = /^\d{4}-\d{2}-\d{2}([T ].*)?$/;

/** If a file of that name exists, it is taken as a bundle. Errors: BAD_REQUEST, and those of reading a bundle. */
export async function readSince(text: string, now: number): Promise<ParcelRequestInput['since']> {
  if ((await stat(text).catch(() => undefined)) !== undefined) {
    const { heads, modules } = await inspectFile(text);
    return { heads, modules: modules.map(({ digest }) => digest) };
  }
  const time = DATE.test(text) ? Date.parse(text) : before(text, now);
  if (time !== undefined && time >= 0) return { time };
  throw new DtkdError('BAD_REQUEST', `--since "${text.slice(0, 80)}" is not an existing bundle file, a date or a duration`, {
    next: 'Give the last bundle of the other side, or e.g. 2026-11-20 or 2d.',
  });
}

function before(text: string, now: number): number | undefined {
  try {
    return now - parseDuration(text);
  } catch {
    return undefined;
  }
}
