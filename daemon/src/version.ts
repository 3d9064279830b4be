import { readFileSync } from 'node:fs';

/** The package's own version; package.json stands two levels up in a checkout and three in the built package. */
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
      // Not there: the next candidate is.
    }
  }
  return '0.0.0';
}
