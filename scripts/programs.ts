/**
 * Bundles dtkd and its libraries into few files in dist/, with rolldown. A start then reads a few dozen files instead of two thousand,
 * which used to be most of its time, and installs pull in few packages. What is imported on first use remains a file of its own, under the
 * path of its source.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { type RolldownLog, rolldown } from 'rolldown';

/** The programs that the launcher starts. They share no chunks: those would be dozens, for modules that two of them use only in part. */
const PROGRAMS = { daemon: ['daemon/src/main', 'daemon/src/restore'], cli: ['cli/main'] };
/** Packages with a compiled part, which they look for beside themselves; so they stay installed packages. */
const INSTALLED = ['cbor-extract', 'classic-level'];
const LICENCES = 'third-party-licences.txt';
const LEGAL = /^(licen[cs]e|notice|copying|copyright)/i;

/** Writes the programs below `dist`. Errors: any warning of rolldown. */
export async function writePrograms(root: string, dist: string): Promise<void> {
  const sources: string[] = [];
  for (const [program, entries] of Object.entries(PROGRAMS)) sources.push(...(await writeProgram(root, dist, program, entries)));
  await writeFile(join(dist, LICENCES), await licencesOf(sources));
}

/** Writes one program and returns the source files in it. */
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
      // Logs show names of functions and classes, and some libraries read them.
      keepNames: true,
      // Stable export names: when a version is installed over a running one, unchanged chunks that are not loaded yet still fit.
      minifyInternalExports: false,
      comments: { legal: true, annotation: false, jsdoc: false },
    });
    if (warnings.length > 0) throw new Error(warnings.map(({ message }) => message).join('\n'));
    return output.flatMap((one) => (one.type === 'chunk' ? one.moduleIds : []));
  } finally {
    await joined.close();
  }
}

/** The path, without extension, of a chunk that is loaded on first use. */
function placeOf(source: string, program: string): string {
  const library = packageOf(source);
  if (library !== undefined) return `shared/${program}-${basename(library)}`;
  return source.startsWith(`${program}/`) ? source.replace(/\.ts$/, '') : `shared/${program}-[name]`;
}

/** The directory of the package that a file belongs to. */
function packageOf(file: string): string | undefined {
  return /^.*node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
}

/** The name, version and legal texts of each package that is bundled, in whole or in part. */
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
