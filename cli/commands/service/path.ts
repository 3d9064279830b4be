import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli } from '../../cli.ts';
import { named, serviceTarget } from '../../client/services.ts';
import { textAt } from '../../json.ts';

const EXAMPLES = `
Examples:
  cd "$(dtkd service path shop)"
  git clone "$(dtkd service path shop)" shop      edit elsewhere, and push back`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<service>', 'a service of this node')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const directory = textAt(await (await cli.client()).get(serviceTarget(named(name, {}))), 'spec', 'directory');
      if (directory === undefined) throw new DtkdError('INTERNAL', 'the daemon does not say where the directory of the service is');
      cli.out.print(directory);
    });
}
