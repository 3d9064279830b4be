/** `dtkd restore`: restores a node from a backup, or verifies one. Runs without a daemon, and starts none. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/text/shell-word.ts';
import { checkBackup, type RestoreResult, restoreBackup } from './backup/restoring.ts';
import { dataDirectory } from './config.ts';
import { openLevel } from './store/level-kv.ts';
import { rebase } from './store/rebase.ts';

/** Bytes read at a time. */
const CHUNK_BYTES = 256 * 1024;

const EXAMPLES = `
Examples:
  dtkd restore node1.dtkd-backup --data ./node1          into a directory that is not there yet, or is empty
  dtkd restore node1.dtkd-backup --check                 only verify it
  age -d -i KEY node1.age | dtkd restore - --data ./node1

The node that is restored must not run anywhere else: two with one key are a fork. Until it has heard from members of a
domain what it did after the backup was made, it publishes nothing there and answers no member's requests; --alone says
that there is nobody to hear from. See docs/backup.md.

Exit status: 2 it is not a backup, or it is damaged, 6 there is something in the directory, 10 a daemon uses it, 12 it cannot
be written, 13 the backup was made by a newer dtkd, 15 the disk is full.`;

interface Flags {
  data?: string;
  check?: boolean;
  alone?: boolean;
}

function parse(argv: readonly string[]): { file: string; flags: Flags } {
  const command = new Command('dtkd restore')
    .description('Put a node back from a backup, or verify one. Needs no daemon.')
    .argument('<file>', 'the backup; - for standard input')
    .option('--data <dir>', 'data directory to create (DTKD_DATA; default: ~/.local/share/dtkd)')
    .option('--check', 'only verify it; nothing is written')
    .option('--alone', 'do not wait to hear from members of its domains')
    .helpOption('-h, --help', 'show help')
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  try {
    const parsed = command.parse([...argv], { from: 'user' });
    return { file: parsed.args[0] ?? '', flags: parsed.opts() };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) process.exit(0);
    throw new DtkdError('BAD_REQUEST', error.message.replace(/^error: /, ''), { next: 'See "dtkd restore --help".' });
  }
}

async function run(argv: readonly string[]): Promise<void> {
  const { file, flags } = parse(argv);
  const source = await bytesOf(file);
  if (flags.check === true) return say([...about(await checkBackup(source)), 'It is whole. Nothing was written.']);
  const directory = dataDirectory(flags.data);
  const stopping = new AbortController();
  const stop = () => stopping.abort(new DtkdError('ABORTED', 'the restore was broken off', { next: 'Nothing was put in place.' }));
  process.once('SIGINT', stop).once('SIGTERM', stop).once('SIGHUP', stop);
  const options = { alone: flags.alone === true, signal: stopping.signal };
  const result = await restoreBackup(source, directory, options, { openDatabase: openLevel, rebase });
  say([
    ...about(result),
    `It is in ${directory} now. Start it with:`,
    `  dtkd up --data ${shellWord(directory)}`,
    `Make sure that ${result.header.node} does not run anywhere else.`,
  ]);
}

function about({ header, manifest, files }: RestoreResult): string[] {
  return [
    `Backup ${header.id.slice(0, 12)} of ${header.node}, made ${new Date(header.createdAt).toISOString()} by dtkd ${header.program}:`,
    `  ${manifest.rows} rows, ${files} files`,
  ];
}

function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function bytesOf(file: string): Promise<AsyncIterable<Uint8Array>> {
  if (file === '-') return process.stdin;
  try {
    // fail before anything is made if the file cannot be read
    await (await open(file, 'r')).close();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new DtkdError('BAD_REQUEST', `cannot read ${file}: ${code === 'ENOENT' ? 'there is no such file' : code}`, { cause });
  }
  return createReadStream(join(file), { highWaterMark: CHUNK_BYTES });
}

try {
  await run(process.argv.slice(process.argv[2] === 'restore' ? 3 : 2));
  process.exit(0);
} catch (error) {
  if (!(error instanceof DtkdError)) throw error;
  process.stderr.write(`error: ${error.message}\n${error.next === undefined ? '' : `next: ${error.next}\n`}`);
  process.exit(error.exitStatus);
}
