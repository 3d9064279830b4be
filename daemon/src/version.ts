import { readFileSync } from 'node:fs';

/** The version of this package. package.json is two levels up in a checkout, and three in the built package. */
export const VERSION: string = readVersion(['../../package.json', '../../../package.json']);

function readVersion(candidates: readonly string[]): string {
  for (const candidate of candidates) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(candidate, import.meta.url), 'utf8')) as {
        name?: unknown;
        version?: unknown;
      };
      if (name === 'dtkd' && typeof version === 'string') return version;
    } catch {
      // Not there: try the next candidate.
    }
  }
  return '0.0.0';
}
