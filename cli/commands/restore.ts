import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';

/** `dtkd restore` is a program of its own, since it needs no daemon; this one is reached only where other flags stand before `restore`. */
export function configure(command: Command): void {
  command
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw new DtkdError('BAD_REQUEST', '"restore" must come first', {
        next: 'Write: dtkd restore FILE [flags]. See "dtkd restore --help".',
      });
    });
}
