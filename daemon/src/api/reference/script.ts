/** The one script of the reference page: RapiDoc, as its makers join it. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzip as gunzipCallback } from 'node:zlib';

const gunzip = promisify(gunzipCallback);

export const SCRIPT = 'rapidoc-min.js';
/** As the build puts it beside this file, with the licences of what is in it. */
export const PACKED = `${SCRIPT}.gz`;
export const LICENCES = 'rapidoc.LICENSE.txt';
/** Where its makers put it. */
const IN_PACKAGE = `rapidoc/dist/${SCRIPT}`;

/** From beside this file in the published package; a checkout has it among its tools. Undefined: it is not there. */
export async function readScript(): Promise<Buffer | undefined> {
  const packed = await readFile(fileURLToPath(new URL(PACKED, import.meta.url))).catch(() => undefined);
  if (packed !== undefined) return gunzip(packed);
  try {
    return await readFile(createRequire(import.meta.url).resolve(IN_PACKAGE));
  } catch {
    return undefined;
  }
}
