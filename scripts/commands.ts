/** Describes every command of dtkd from its definition, for the manual page and the reference. */
import type { Command } from 'commander';
import type { Cli } from '../cli/cli.ts';
import { load } from '../cli/lazy-commands.ts';
import { Output } from '../cli/output/output.ts';
import { buildProgram } from '../cli/program.ts';
import { type ManualCommand, manualCommand } from './manual.ts';
import { output } from './running.ts';

/** Programs of the daemon, which print their own help. */
const PROGRAMS: ReadonlySet<string> = new Set(['dtkd up', 'dtkd restore']);

const silent: Cli = {
  out: new Output(),
  client: () => Promise.reject(new Error('a build talks to no daemon')),
  failed: () => undefined,
  exitWith: () => undefined,
};

export interface DescribedCommands {
  /** In the order of the help, without those that only group others. */
  commands: ManualCommand[];
  /** The whole help of the daemon's programs, by path. */
  programs: ReadonlyMap<string, string>;
  globals: { flags: string; text: string }[];
}

export async function describeCommands(root: string, launcher: string): Promise<DescribedCommands> {
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
  return { commands: commands.filter(({ path }) => !commands.some((other) => other.path.startsWith(`${path} `))), programs, globals };
}
