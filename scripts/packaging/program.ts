/** The program in a form that runs without a registry: what `npm pack` makes, the locked dependencies for one architecture, and Node. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Architecture, isNeeded, packageFileOf } from './prune.ts';
import { add, type Entry, type Tree, treeOf } from './tree.ts';

const run = promisify(execFile);
const MAX_OUTPUT = 16 * 1024 * 1024;
/** Where bin/dtkd looks for the Node that was installed with it. */
const NODE = 'node_modules/node';

/** Packs the repository and unpacks the result below `work`: exactly what would be published. */
export async function unpackedProgram(root: string, work: string): Promise<{ directory: string; version: string }> {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', work], { cwd: root, maxBuffer: MAX_OUTPUT });
  const packed = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as { filename: string; version: string }[];
  const [{ filename, version } = { filename: '', version: '' }] = packed;
  await run('tar', ['xzf', join(work, filename), '-C', work]);
  return { directory: join(work, 'package'), version };
}

export interface ProgramOptions {
  /** The unpacked program. */
  directory: string;
  /** A directory in which dependencies may be installed. */
  work: string;
  architecture: Architecture;
}

/** The whole tree of the program's directory, as installed on the target machine. */
export async function programTree(root: string, { directory, work, architecture }: ProgramOptions): Promise<Tree> {
  const [dependencies, runtime] = await Promise.all([
    installed(join(work, 'dependencies'), root, architecture),
    installed(join(work, 'runtime'), join(root, 'packaging', 'runtime'), architecture),
  ]);
  const tree = await treeOf(directory, '');
  const named = new Map<string, Promise<string>>();
  const described = (path: string): Promise<string> => {
    const file = join(dependencies, path.slice(0, path.length - packageFileOf(path).within.length), 'package.json');
    const found = named.get(file) ?? readFile(file, 'utf8').catch(() => '');
    named.set(file, found);
    return found;
  };
  add(
    tree,
    // None is executable: the programs of libraries are not run.
    await treeOf(dependencies, 'node_modules', {
      isProgram: () => false,
      isNeeded: async (path) => {
        const text = await described(path);
        return isNeeded(path, architecture, (name) => text.includes(name));
      },
    }),
  );
  add(tree, await nodeTree(runtime, root, architecture));
  return tree;
}

/** Runs `npm ci` for another machine: runs no scripts of the dependencies, and installs exactly what the lock file says. */
async function installed(directory: string, from: string, architecture: Architecture): Promise<string> {
  await mkdir(directory, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) await copyFile(join(from, name), join(directory, name));
  const flags = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  await run('npm', ['ci', ...flags, '--os=linux', `--cpu=${architecture}`, '--libc=glibc'], { cwd: directory, maxBuffer: MAX_OUTPUT });
  return join(directory, 'node_modules');
}

/** The binary, its licence and its version, in the place of the package `node`. Errors: its version differs from that of the package. */
async function nodeTree(runtime: string, root: string, architecture: Architecture): Promise<Tree> {
  const directory = join(runtime, `node-linux-${architecture}`);
  const [wanted, found] = await Promise.all(
    [join(root, 'package-lock.json'), join(root, 'packaging', 'runtime', 'package-lock.json')].map(lockOf),
  );
  const version = wanted?.['node_modules/node']?.version;
  const own = found?.[`node_modules/node-linux-${architecture}`]?.version;
  if (version === undefined || version !== own) {
    throw new Error(
      `packaging/runtime has Node ${own}, and dtkd runs with ${version}: give both the same version there, and run npm install --package-lock-only`,
    );
  }
  const parts: Tree = await treeOf(directory, NODE, { isNeeded: (path) => path === 'bin/node' || path === 'LICENSE' });
  const description: Entry = {
    kind: 'file',
    executable: false,
    content: Buffer.from(`${JSON.stringify({ name: 'node', version, license: 'MIT', bin: { node: 'bin/node' } }, null, 2)}\n`),
  };
  return parts.set(`${NODE}/package.json`, description);
}

async function lockOf(file: string): Promise<Record<string, { version?: string }>> {
  return (JSON.parse(await readFile(file, 'utf8')) as { packages: Record<string, { version?: string }> }).packages;
}
