/**
 * `npm run dist [-- --arch x64,arm64] [--format tarball,deb] [--out DIR]`: builds packages with Node inside, for machines that reach no
 * registry. For each architecture a `dtkd-VERSION-linux-ARCH.tar.gz` and a `dtkd_VERSION_ARCH.deb`, and `SHA256SUMS`. They contain what
 * `npm pack` makes and the locked dependencies, limited to what runs on that architecture. Two runs on one commit make the same bytes.
 * `--format directory` makes the content of the tarball unpacked, for container images.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tarGz } from './packaging/archive.ts';
import { debianVersion } from './packaging/changelog.ts';
import { DEBIAN_ARCHITECTURE, debFile, debTree } from './packaging/deb.ts';
import { programTree, unpackedProgram } from './packaging/program.ts';
import { ARCHITECTURES, type Architecture } from './packaging/prune.ts';
import { type Tree, writeTree } from './packaging/tree.ts';
import { commitTime } from './running.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const SUMS = 'SHA256SUMS';
const FORMATS = ['tarball', 'deb', 'directory'] as const;
type Format = (typeof FORMATS)[number];

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: ARCHITECTURES.join(',') },
    format: { type: 'string', default: 'tarball,deb' },
    out: { type: 'string', default: 'dist-packages' },
  },
});
const architectures = values.arch.split(',').map(architectureOf);
const formats = values.format.split(',').map(formatOf);
const out = resolve(values.out);
const work = await mkdtemp(join(tmpdir(), 'dtkd-dist-'));
try {
  await makeAll();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await rm(work, { recursive: true, force: true });
}

function architectureOf(text: string): Architecture {
  const found = ARCHITECTURES.find((one) => one === text);
  if (found === undefined) throw new Error(`there is no package for ${JSON.stringify(text)}; there are: ${ARCHITECTURES.join(', ')}`);
  return found;
}

function formatOf(text: string): Format {
  const found = FORMATS.find((one) => one === text);
  if (found === undefined) throw new Error(`there is no format ${JSON.stringify(text)}; there are: ${FORMATS.join(', ')}`);
  return found;
}

async function makeAll(): Promise<void> {
  const writers = { tarball: writeTarball, deb: writeDeb, directory: writeDirectory };
  const time = await commitTime(root);
  const { directory, version } = await unpackedProgram(root, work);
  await mkdir(out, { recursive: true });
  // Sequentially: each is a hundred megabytes and keeps both cores busy.
  for (const architecture of architectures) {
    const tree = await programTree(root, { directory, work: join(work, architecture), architecture });
    const made = await Promise.all(formats.map((format) => writers[format](tree, { version, architecture, time })));
    for (const name of made) console.log(join(out, name));
  }
  await writeSums();
}

interface Made {
  version: string;
  architecture: Architecture;
  time: number;
}

async function writeTarball(tree: Tree, { version, architecture, time }: Made): Promise<string> {
  const top = `dtkd-${version}-linux-${architecture}`;
  const within: Tree = new Map([...tree].map(([path, entry]) => [`${top}/${path}`, entry]));
  return put(`${top}.tar.gz`, (path) => pipeline(tarGz(within, { time }), createWriteStream(path)));
}

async function writeDirectory(tree: Tree, { version, architecture, time }: Made): Promise<string> {
  const name = `dtkd-${version}-linux-${architecture}`;
  await rm(join(out, name), { recursive: true, force: true });
  await writeTree(tree, join(out, name), time);
  return name;
}

async function writeDeb(tree: Tree, made: Made): Promise<string> {
  const options = { ...made, packaging: join(root, 'packaging') };
  const deb = await debFile(await debTree(tree, options), options);
  return put(`dtkd_${debianVersion(made.version)}_${DEBIAN_ARCHITECTURE[made.architecture]}.deb`, (path) => writeFile(path, deb));
}

/** Writes a file under another name and renames it, so that a file in `out` is always complete. */
async function put(name: string, write: (path: string) => Promise<void>): Promise<string> {
  const begun = join(work, name);
  await write(begun);
  await rename(begun, join(out, name)).catch(async () => {
    await copyFile(begun, `${join(out, name)}.part`);
    await rename(`${join(out, name)}.part`, join(out, name));
  });
  return name;
}

async function writeSums(): Promise<void> {
  const names = (await readdir(out)).filter((name) => /\.(tar\.gz|deb)$/.test(name)).sort();
  if (names.length === 0) return;
  const lines: string[] = [];
  for (const name of names) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(out, name)), hash);
    lines.push(`${hash.digest('hex')}  ${name}\n`);
  }
  await writeFile(join(out, SUMS), lines.join(''));
  console.log(await readFile(join(out, SUMS), 'utf8'));
}
