/** The reference page's only script: RapiDoc, as bundled by its authors. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzip as gunzipCallback } from 'node:zlib';

const gunzip = promisify(gunzipCallback);

export const SCRIPT = 'rapidoc-min.js';
/** The compressed script as the build puts it beside this file, with the licences of what it contains. */
export const PACKED = `${SCRIPT}.gz`;
export const LICENCES = 'rapidoc.LICENSE.txt';
/** Its path in the authors' package. */
const IN_PACKAGE = `rapidoc/dist/${SCRIPT}`;

/**
 * Reads the script: from beside this file in the published package, or from the development dependencies in a checkout. Undefined
 * if it is in neither.
 */
export async function readScript(): Promise<Buffer | undefined> {
  const packed = await readFile(fileURLToPath(new URL(PACKED, import.meta.url))).catch(() => undefined);
  if (packed !== undefined) return gunzip(packed);
  try {
    return await readFile(createRequire(import.meta.url).resolve(IN_PACKAGE));
  } catch {
    return undefined;
  }
}
