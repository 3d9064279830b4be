import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';

/** `dtkd up` is the daemon's own program; this one is reached only where other flags stand before `up`. */
export function configure(command: Command): void {
  command
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw new DtkdError('BAD_REQUEST', '"up" must come first', { next: 'Write: dtkd up [flags]. See "dtkd up --help".' });
    });
}
