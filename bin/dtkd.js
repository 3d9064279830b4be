#!/usr/bin/env node
// The `dtkd` command, in plain JavaScript so that any Node from 20 on can start it. It only chooses the Node that runs the program (that of
// the `node` package if the running one is too old), the program (TypeScript sources in a checkout, dist/ in the published package) and the
// entry (`dtkd up` is the daemon, `dtkd restore` restores a backup, all else is the command line).
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Commands that are programs of the daemon; all others belong to the command line. */
const PROGRAMS = { __proto__: null, up: 'daemon/src/main', restore: 'daemon/src/restore' };
/** The first Node that runs erasable TypeScript directly and has all that the libraries need. */
const OLDEST_NODE = [22, 18];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const script = fileURLToPath(import.meta.url);

if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) await run();
else await runWithPackagedNode();

async function run() {
  const { enableCompileCache, flushCompileCache } = await import('node:module');
  // Compiled code is cached between runs. If the directory is not writable, nothing is cached.
  const cache = await cacheDirectory();
  if (cache !== undefined) enableCompileCache?.(cache);
  const entry = PROGRAMS[process.argv[2]] ?? 'cli/main';
  const source = new URL(`../${entry}.ts`, import.meta.url);
  // Node refuses TypeScript below node_modules, and the published package has none.
  const isCheckout = existsSync(source) && !script.includes('node_modules');
  await import(isCheckout ? source.href : new URL(`../dist/${entry}.js`, import.meta.url).href);
  // A daemon may end without a chance to write the cache at its exit.
  if (entry.startsWith('daemon')) flushCompileCache?.();
}

/** The directory of the compile cache; undefined without a home directory. */
async function cacheDirectory() {
  const [{ homedir }, { join, isAbsolute }] = await Promise.all([import('node:os'), import('node:path')]);
  try {
    const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
    return isAbsolute(cache) ? join(cache, 'dtkd', 'compiled') : undefined;
  } catch {
    return undefined;
  }
}

async function runWithPackagedNode() {
  const binary = packagedNode();
  if (binary === undefined) {
    console.error(
      `error: dtkd needs Node ${OLDEST_NODE.join('.')} or newer, and this is ${process.versions.node}; the Node that comes with dtkd is missing`,
    );
    console.error(
      'next: install dtkd again with install scripts allowed (npm install --allow-scripts=node,classic-level,cbor-extract ...), or install a newer Node',
    );
    process.exitCode = 1;
    return;
  }
  const { spawn } = await import('node:child_process');
  const child = spawn(binary, [script, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both processes; forwarding it as well would look like a second, impatient Ctrl-C.
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT']) process.on(signal, () => child.kill(signal));
  for (const signal of ['SIGINT', 'SIGQUIT']) process.on(signal, () => onTerminal || child.kill(signal));
  child.on('error', (error) => {
    console.error(`error: cannot start ${binary}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (status, signal) => {
    if (signal === null) process.exit(status ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** The binary of the `node` package, wherever the package manager put it. */
function packagedNode() {
  try {
    const binary = fileURLToPath(new URL('bin/node', `file://${createRequire(import.meta.url).resolve('node/package.json')}`));
    return existsSync(binary) && binary !== process.execPath ? binary : undefined;
  } catch {
    return undefined;
  }
}
