/**
 * Puts the program into dist/ as few files: dtkd and the libraries that it runs, as rolldown joins them. A start then reads a few dozen files and not two thousand, which
 * is most of what it used to take, and whoever installs dtkd gets few packages. What is imported on its first use stays a file of its own, under the path of its source.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { type OutputChunk, type RolldownLog, rolldown } from 'rolldown';

/** What the launcher starts. */
const ENTRIES = ['daemon/src/main', 'daemon/src/restore', 'cli/main'];
/** Have a compiled part, which each looks for beside itself. */
const INSTALLED = ['cbor-extract', 'classic-level'];
const LICENCES = 'third-party-licences.txt';
const LEGAL = /^(licen[cs]e|notice|copying|copyright)/i;

/** Writes the program below `dist`. Errors: anything that rolldown warns of. */
export async function writeProgram(root: string, dist: string): Promise<void> {
  const warnings: RolldownLog[] = [];
  const bundle = await rolldown({
    cwd: root,
    input: Object.fromEntries(ENTRIES.map((entry) => [entry, join(root, `${entry}.ts`)])),
    platform: 'node',
    external: INSTALLED,
    onLog: (level, log) => {
      if (level === 'warn') warnings.push(log);
    },
  });
  try {
    const { output } = await bundle.write({
      dir: dist,
      entryFileNames: '[name].js',
      chunkFileNames: ({ facadeModuleId }) => `${facadeModuleId === null ? 'shared/[name]' : placeOf(root, facadeModuleId)}.js`,
      // Logs name functions and classes, and some libraries read names.
      keepNames: true,
      // Of a version that is installed over one that runs, parts not loaded yet still fit where they did not change.
      minifyInternalExports: false,
      comments: { legal: true, annotation: false, jsdoc: false },
    });
    if (warnings.length > 0) throw new Error(warnings.map(({ message }) => message).join('\n'));
    const chunks = output.filter((one): one is OutputChunk => one.type === 'chunk');
    await writeFile(join(dist, LICENCES), await licencesOf(chunks));
  } finally {
    await bundle.close();
  }
}

/** Where a file goes that is loaded on its first use, without its ending. */
function placeOf(root: string, source: string): string {
  const library = packageOf(source);
  return library === undefined ? relative(root, source).replace(/\.ts$/, '') : `libraries/${basename(library)}`;
}

/** The directory of the package that a file is of. */
function packageOf(file: string): string | undefined {
  return /^.*node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
}

/** Of each package that a part of went in: its name, its version and what its licence wants to be told. */
async function licencesOf(chunks: readonly OutputChunk[]): Promise<string> {
  const packages = new Set(chunks.flatMap(({ moduleIds }) => moduleIds.flatMap((file) => packageOf(file) ?? [])));
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
