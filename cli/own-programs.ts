/** `dtkd up` and `dtkd restore` are programs of their own, which bin/dtkd.js starts if they are the first word. */
import type { Command } from 'commander';
import { DtkdError } from '../protocol/errors.ts';
import type { GlobalFlags } from './cli.ts';
import { shellLine } from './dispatch/shell-line.ts';

/** The placeholder command for such a program, reached only if other flags precede it: its error shows the same line in the right order. */
export function mustComeFirst(command: Command): void {
  command
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      const { data } = command.optsWithGlobals<GlobalFlags>();
      const words = ['dtkd', command.name(), ...command.args, ...(data === undefined ? [] : ['--data', data])];
      throw new DtkdError('BAD_REQUEST', `"${command.name()}" must come first`, {
        next: `Write: ${shellLine(words)}. See "dtkd ${command.name()} --help".`,
      });
    });
}
