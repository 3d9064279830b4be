/** Splits a stage into batches. Pure. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Batch } from './plan.types.ts';

/** Reads `5` or `10%`. Errors: BAD_REQUEST for a size that is not positive, or above 100%. */
export function parseBatch(text: string): Batch {
  const percent = text.endsWith('%');
  const number = Number.parseInt(text, 10);
  if (!(number > 0) || (percent && number > 100)) {
    throw new DtkdError('BAD_REQUEST', `"${text}" is not the size of a batch`, {
      next: 'Write a number of targets, such as 5, or a percentage, such as 10%.',
    });
  }
  return percent ? { percent: number } : { count: number };
}

/** The items in batches, in order. A percentage rounds up, so that a batch is never empty. */
export function inBatches<T>(items: readonly T[], batch: Batch | undefined): T[][] {
  if (items.length === 0) return [];
  const size = batch === undefined ? items.length : 'count' in batch ? batch.count : Math.ceil((items.length * batch.percent) / 100);
  const batches: T[][] = [];
  for (let start = 0; start < items.length; start += size) batches.push(items.slice(start, start + size));
  return batches;
}
