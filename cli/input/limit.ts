import { InvalidArgumentError } from 'commander';

/** Parses a positive whole number, for commander. */
export function parseLimit(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a whole number above 0.');
}
