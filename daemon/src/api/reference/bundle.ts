/** The one script of the reference page: RapiDoc, as its makers bundle it. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export const BUNDLE = 'rapidoc-min.js';
/** Where its makers put it. */
const IN_PACKAGE = `rapidoc/dist/${BUNDLE}`;

/** Beside this file in the published package, where the build has put it; a checkout has it among its tools. Undefined: it is not there. */
function pathOfBundle(): string | undefined {
  const beside = fileURLToPath(new URL(BUNDLE, import.meta.url));
  if (existsSync(beside)) return beside;
  try {
    return createRequire(import.meta.url).resolve(IN_PACKAGE);
  } catch {
    return undefined;
  }
}

export async function readBundle(): Promise<Buffer | undefined> {
  const path = pathOfBundle();
  return path === undefined ? undefined : readFile(path);
}
