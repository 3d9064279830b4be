/** Makes what a system keeps beside the program: the manual page and completions for three shells, from the commands as they are. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Cli } from '../cli/cli.ts';
import { load } from '../cli/lazy-commands.ts';
import { Output } from '../cli/output/output.ts';
import { buildProgram } from '../cli/program.ts';
import { ownVersion } from '../cli/version.ts';
import { type ManualCommand, manualCommand, manualPage } from './manual.ts';
import { commitTime, output } from './running.ts';

/** Where each shell looks for a completion by the file's name. */
const COMPLETIONS = { bash: 'dtkd.bash', zsh: '_dtkd', fish: 'dtkd.fish' };
/** Programs of the daemon, whose help only they have. */
const PROGRAMS: ReadonlySet<string> = new Set(['dtkd up', 'dtkd restore']);

const silent: Cli = {
  out: new Output(),
  client: () => Promise.reject(new Error('a build talks to no daemon')),
  failed: () => undefined,
  exitWith: () => undefined,
};

/** Writes `share/man/dtkd.1` and `share/completions/` below `dist`. */
export async function writeSharedFiles(root: string, dist: string): Promise<void> {
  const launcher = join(root, 'bin', 'dtkd.js');
  const completions = join(dist, 'share', 'completions');
  const manual = join(dist, 'share', 'man');
  await Promise.all([completions, manual].map((directory) => mkdir(directory, { recursive: true })));
  const [page] = await Promise.all([
    pageOf(root, launcher),
    ...Object.entries(COMPLETIONS).map(async ([shell, name]) =>
      writeFile(join(completions, name), await output(process.execPath, [launcher, 'completion', shell], root)),
    ),
  ]);
  await writeFile(join(manual, 'dtkd.1'), page);
}

async function pageOf(root: string, launcher: string): Promise<string> {
  const program = buildProgram(silent, undefined, () => undefined);
  const commands: ManualCommand[] = [];
  const programs = new Map<string, string>();
  const visit = async (command: Command, path: string): Promise<void> => {
    await load(command);
    commands.push(manualCommand(command, path));
    if (PROGRAMS.has(path))
      programs.set(path, (await output(process.execPath, [launcher, ...path.split(' ').slice(1), '--help'], root)).trim());
    for (const child of command.commands) await visit(child, `${path} ${child.name()}`);
  };
  for (const command of program.commands) await visit(command, `dtkd ${command.name()}`);
  const globals = program.options.filter(({ hidden }) => !hidden).map(({ flags, description }) => ({ flags, text: description }));
  const leaves = commands.filter(({ path }) => !commands.some((other) => other.path.startsWith(`${path} `)));
  return manualPage(leaves, { version: await ownVersion(), time: await commitTime(root), globals, programs });
}
