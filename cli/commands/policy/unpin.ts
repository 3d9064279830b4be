import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli } from '../../cli.ts';
import { changePolicy } from '../../client/policy.ts';
import { pinNamed } from './pin.ts';

const EXAMPLES = `
Examples:
  dtkd policy unpin acme/web            what its publisher sends next is pinned instead`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<code>')
    .option('--of <node>', 'the node that publishes it')
    .addHelpText('after', EXAMPLES)
    .action(async (code: string, flags: { of?: string }) => {
      let name = code;
      await changePolicy(await cli.client(), (before) => {
        const known = pinNamed(before, code, flags.of);
        if (known === undefined) throw new DtkdError('NOT_FOUND', `${code} is not pinned`, { next: 'See "dtkd policy show" for what is.' });
        name = known;
        return { ...before, pins: Object.fromEntries(Object.entries(before.pins ?? {}).filter(([one]) => one !== known)) };
      });
      cli.out.print(`${name} is no longer pinned.`);
    });
}
