import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PACKAGED = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url));

/** The Node that runs TypeScript: the one of the `node` package, whatever the machine's own is. */
export const NODE = existsSync(PACKAGED) ? PACKAGED : process.execPath;
export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
export const DTKD = fileURLToPath(new URL('../../bin/dtkd.js', import.meta.url));
