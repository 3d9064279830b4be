import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { MANIFEST_FILE, MAX_MANIFEST_BYTES } from '../../../protocol/definitions/module.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { type ModuleFile, packArchive, unpackArchive } from '../../../protocol/modules/archive.ts';
import { allFaults, checkModule } from '../../../protocol/modules/check.ts';
import type { Cli } from '../../cli.ts';
import type { Note } from '../../model/draft.ts';
import { readModuleDirectory } from '../../module/directory.ts';
import { type Converted, convertDtk } from '../../module/dtk/convert.ts';
import { type Written, writeModule } from '../../module/dtk/write.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

/** The most notes on what could not be converted that are shown; the rest are counted. */
const MAX_NOTES = 50;

const EXAMPLES = `
Examples:
  dtkd module import-dtk wordpress                       makes wordpress-dtkd
  dtkd module import-dtk wordpress --out modules/wordpress
  dtkd module import-dtk wordpress --dry-run             what it would make, and what cannot be kept
  dtkd module install wordpress-dtkd                     then, on this node

Components become types, attributes properties, actions of shell commands become commands with scripts, links and assemblies
stay what they are. What cannot be kept is listed with its line. Either all is written or nothing; importing again changes nothing.`;

interface Flags {
  out?: string;
  replace?: boolean;
  dryRun?: boolean;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<directory>', 'directory of a module of DTK, with its dtk.module.yaml')
    .option('--out <directory>', 'where the new module goes (default: <directory>-dtkd)')
    .option('--replace', 'overwrite files with other content')
    .option('--dry-run', 'show what would be made, write nothing')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, flags: Flags) => {
      const out = flags.out ?? join(dirname(resolve(directory)), `${basename(resolve(directory))}-dtkd`);
      const source = join(directory, MANIFEST_FILE);
      const { converted, files } = await convert(directory, source, out);
      const written = await writeModule(out, files, { replace: flags.replace === true, dryRun: flags.dryRun === true });
      if (flags.output === 'json' || flags.output === 'yaml') {
        const { manifest, notes } = converted;
        return printValue(cli.out, { directory: out, module: manifest.module, version: manifest.version, ...written, notes }, flags.output);
      }
      report(cli, converted, written, { source, out, dryRun: flags.dryRun === true });
    });
}

/**
 * Reads the module and builds all files of the new one. These are checked as `module validate` does; what would only fail at run time is
 * noted, and can be corrected there.
 */
async function convert(directory: string, source: string, out: string): Promise<{ converted: Converted; files: ModuleFile[] }> {
  const inside = relative(resolve(directory), resolve(out));
  if (inside === '' || !(inside.startsWith('..') || inside.startsWith(sep))) {
    throw new DtkdError('BAD_REQUEST', 'the new module cannot be in the directory of the old one', {
      next: 'Name another directory with --out.',
    });
  }
  const old = await readModuleDirectory(directory, `Name the directory of a module of DTK; its ${MANIFEST_FILE} is what is read.`);
  const manifest = old.find(({ path }) => path === MANIFEST_FILE);
  if (manifest === undefined || manifest.data.length > MAX_MANIFEST_BYTES) {
    throw new DtkdError('TOO_LARGE', `${source} is larger than ${MAX_MANIFEST_BYTES / 1024} KiB`);
  }
  const others = old.filter(({ path }) => path !== MANIFEST_FILE && path !== LOCK);
  const converted = await convertDtk(textOf(manifest.data, source), source, new Set(others.map(({ path }) => path)));
  const made = [...converted.files].map(([path, { text, executable }]) => ({ path, executable, data: Uint8Array.from(Buffer.from(text)) }));
  const files = [...others, ...made];
  const archive = unpackArchive(packArchive(files));
  const faults = await allFaults(archive);
  const grave = await checkModule(archive).then(
    (checked) => checked.faults,
    () => faults,
  );
  for (const { field, message } of faults) converted.notes.push({ text: `correct ${field} in the new module: ${message}` });
  if (grave.length > 0) {
    const shown = grave.slice(0, 20).map(({ field, message }) => `${field}: ${message}`);
    throw new DtkdError('INVALID', `nothing was written: ${source} cannot be made into a module\n  ${shown.join('\n  ')}`);
  }
  return { converted, files };
}

/** The versions that DTK resolved for the module's dependencies; dtkd resolves its own. */
const LOCK = 'dtk.module.lock';

function textOf(data: Uint8Array, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch (cause) {
    throw new DtkdError('BAD_REQUEST', `${source}: the file is not UTF-8 text`, { cause });
  }
}

function report(
  cli: Cli,
  { manifest, files, notes }: Converted,
  written: Written,
  { source, out, dryRun }: { source: string; out: string; dryRun: boolean },
): void {
  const ordered = notes.toSorted((a: Note, b: Note) => (a.line ?? 0) - (b.line ?? 0));
  for (const { line, text } of ordered.slice(0, MAX_NOTES)) cli.out.note(`${source}${line === undefined ? '' : `:${line}`}: ${text}`);
  if (notes.length > MAX_NOTES) cli.out.note(`… and ${notes.length - MAX_NOTES} more that could not be kept (-o json shows all)`);
  const counts = [
    count(Object.keys(manifest.types ?? {}).length, 'type'),
    count(files.size - 1, 'script'),
    count(Object.keys(manifest.assemblies ?? {}).length, 'assembly', 'assemblies'),
  ];
  cli.out.print(`${manifest.module} ${manifest.version}: ${counts.join(', ')}, in ${out}`);
  const { created, changed, unchanged } = written;
  cli.out.print(`${created.length} files created, ${changed.length} changed, ${unchanged.length} unchanged${dryRun ? ' (dry run)' : ''}`);
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
