import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli } from '../../cli.ts';
import { changePolicy } from '../../client/policy.ts';

const EXAMPLES = `
Examples:
  dtkd policy untrust builder           nothing that it publishes runs here any more; what runs now goes on`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<node>')
    .addHelpText('after', EXAMPLES)
    .action(async (node: string) => {
      await changePolicy(await cli.client(), (before) => {
        const entry = before.trust?.find((one) => one.node === node);
        if (entry === undefined) {
          throw new DtkdError('NOT_FOUND', `${node} is not trusted`, { next: 'See "dtkd policy show" for the nodes that are.' });
        }
        // Forget its pins: if it is trusted again, its code counts as seen for the first time.
        const pins = Object.entries(before.pins ?? {}).filter(([, { publisher }]) => publisher !== entry.key);
        return { ...before, trust: before.trust?.filter((one) => one !== entry) ?? [], pins: Object.fromEntries(pins) };
      });
      cli.out.print(`${node} is no longer trusted.`);
    });
}
