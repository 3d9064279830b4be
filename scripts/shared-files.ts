/** Generates what a system keeps beside the program, from the commands: the manual page, and completions for three shells. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownVersion } from '../cli/version.ts';
import { describeCommands } from './commands.ts';
import { manualPage } from './manual.ts';
import { commitTime, output } from './running.ts';

/** The file name by which each shell finds a completion. */
const COMPLETIONS = { bash: 'dtkd.bash', zsh: '_dtkd', fish: 'dtkd.fish' };

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
  const described = await describeCommands(root, launcher);
  return manualPage(described.commands, { ...described, version: await ownVersion(), time: await commitTime(root) });
}
