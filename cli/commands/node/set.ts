import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { changeOwnNode } from '../../client/nodes.ts';
import { splitPair } from '../../dispatch/option-words.ts';

const EXAMPLES = `
Examples:
  dtkd node set rack=b12 room=2
  dtkd node set rack=                   takes it away

Nodes are chosen by their properties: dtkd run Start service/shop --on 'rack=b12'. Run it on the node itself.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<key=value...>')
    .addHelpText('after', EXAMPLES)
    .action(async (pairs: string[]) => {
      const properties = Object.fromEntries(
        pairs.map((pair) => splitPair(pair, 'KEY=VALUE')).map(([key, value]) => [key, value === '' ? null : value]),
      );
      const { name } = await changeOwnNode(await cli.client(), () => ({ properties }));
      cli.out.print(`${name} is set: ${pairs.join(', ')}`);
    });
}
