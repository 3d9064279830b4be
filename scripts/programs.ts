/**
 * Puts the program into dist/ as few files: dtkd and the libraries that it runs, as rolldown joins them. A start then reads a few dozen files and not two thousand, which
 * is most of what it used to take, and whoever installs dtkd gets few packages. What is imported on its first use stays a file of its own, under the path of its source.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { type RolldownLog, rolldown } from 'rolldown';

/** What the launcher starts. Programs share no files: of what two of them use only in part, there would be dozens. */
const PROGRAMS = { daemon: ['daemon/src/main', 'daemon/src/restore'], cli: ['cli/main'] };
/** Have a compiled part, which each looks for beside itself. */
const INSTALLED = ['cbor-extract', 'classic-level'];
const LICENCES = 'third-party-licences.txt';
const LEGAL = /^(licen[cs]e|notice|copying|copyright)/i;

/** Writes the programs below `dist`. Errors: anything that rolldown warns of. */
export async function writePrograms(root: string, dist: string): Promise<void> {
  const sources: string[] = [];
  for (const [program, entries] of Object.entries(PROGRAMS)) sources.push(...(await writeProgram(root, dist, program, entries)));
  await writeFile(join(dist, LICENCES), await licencesOf(sources));
}

/** Returns the files that went in. */
async function writeProgram(root: string, dist: string, program: string, entries: readonly string[]): Promise<string[]> {
  const warnings: RolldownLog[] = [];
  const joined = await rolldown({
    cwd: root,
    input: Object.fromEntries(entries.map((entry) => [entry, join(root, `${entry}.ts`)])),
    platform: 'node',
    external: INSTALLED,
    onLog: (level, log) => {
      if (level === 'warn') warnings.push(log);
    },
  });
  try {
    const { output } = await joined.write({
      dir: dist,
      entryFileNames: '[name].js',
      chunkFileNames: ({ facadeModuleId }) =>
        `${facadeModuleId === null ? `shared/${program}-[name]` : placeOf(relative(root, facadeModuleId), program)}.js`,
      // Logs name functions and classes, and some libraries read names.
      keepNames: true,
      // Of a version that is installed over one that runs, parts not loaded yet still fit where they did not change.
      minifyInternalExports: false,
      comments: { legal: true, annotation: false, jsdoc: false },
    });
    if (warnings.length > 0) throw new Error(warnings.map(({ message }) => message).join('\n'));
    return output.flatMap((one) => (one.type === 'chunk' ? one.moduleIds : []));
  } finally {
    await joined.close();
  }
}

/** Where a file goes that is loaded on its first use, without its ending. */
function placeOf(source: string, program: string): string {
  const library = packageOf(source);
  if (library !== undefined) return `shared/${program}-${basename(library)}`;
  return source.startsWith(`${program}/`) ? source.replace(/\.ts$/, '') : `shared/${program}-[name]`;
}

/** The directory of the package that a file is of. */
function packageOf(file: string): string | undefined {
  return /^.*node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
}

/** Of each package that a part of went in: its name, its version and what its licence wants to be told. */
async function licencesOf(sources: readonly string[]): Promise<string> {
  const packages = new Set(sources.flatMap((file) => packageOf(file) ?? []));
  const texts = [...packages]
    .sort((a, b) => (a < b ? -1 : 1))
    .map(async (directory) => {
      const { name, version, license } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as Record<string, string>;
      const files = (await readdir(directory)).filter((file) => LEGAL.test(file)).sort();
      const legal = await Promise.all(files.map(async (file) => (await readFile(join(directory, file), 'utf8')).trim()));
      return [`${name} ${version}, ${license}`, ...legal].join('\n\n');
    });
  return `${(await Promise.all(texts)).join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
