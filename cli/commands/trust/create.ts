import type { Command } from 'commander';
import { apiVersionOf } from '../../../protocol/kinds/kind.ts';
import { trustKind } from '../../../protocol/kinds/trust.ts';
import type { Cli } from '../../cli.ts';
import { THIS_NODE } from '../../client/api.ts';
import { displayOfTrust } from '../../client/trusts.ts';

const EXAMPLES = `
Examples:
  dtkd trust create research --description 'the two labs'
  dtkd trust create research --member ann@node1 --member bob@node2

A trust is a list of users. Owners on any node share objects into it; its present members may use them.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>')
    .option('--description <text>', 'what it is for')
    .option('--member <user>', 'USER@NODE; may be repeated', (user: string, all: string[] = []) => [...all, user])
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: { description?: string; member?: string[] }) => {
      const client = await cli.client();
      const trust = await client.create(
        { kind: trustKind, namespace: THIS_NODE },
        {
          apiVersion: apiVersionOf(trustKind),
          kind: trustKind.kind,
          metadata: { name },
          spec: { ...(flags.description === undefined ? {} : { description: flags.description }), members: flags.member ?? [] },
        },
      );
      cli.out.print(`Created ${displayOfTrust(trust)}. To share into it, on any node: dtkd trust share ${displayOfTrust(trust)} KIND/NAME`);
    });
}
