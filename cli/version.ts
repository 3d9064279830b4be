import { readFile } from 'node:fs/promises';
import { parseJson, textAt } from './json.ts';

/** Where package.json is, seen from the sources and from the published build. */
const PLACES = ['../package.json', '../../package.json'];

/** The version of this package. */
export async function ownVersion(): Promise<string> {
  for (const place of PLACES) {
    try {
      const found: unknown = parseJson(await readFile(new URL(place, import.meta.url), 'utf8'));
      const version = textAt(found, 'name') === 'dtkd' ? textAt(found, 'version') : undefined;
      if (version !== undefined) return version;
    } catch {
      // Try the other place.
    }
  }
  return 'unknown';
}
