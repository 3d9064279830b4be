import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { changeOwnNode } from '../../client/nodes.ts';
import { textsAt } from '../../json.ts';

const EXAMPLES = `
Examples:
  dtkd node tag add web prod
  dtkd node tag add web,prod                the same

Nodes are chosen by their tags: dtkd run Start service/shop --on 'tags=web+prod'. Run it on the node itself.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<tags...>')
    .addHelpText('after', EXAMPLES)
    .action(async (words: string[]) => {
      // also split at commas, as "dtkd up --tags" does
      const tags = words.flatMap((word) => word.split(',')).filter((tag) => tag !== '');
      const { name } = await changeOwnNode(await cli.client(), (spec) => {
        const before = textsAt(spec, 'tags');
        const after = [...new Set([...before, ...tags])];
        return after.length === before.length ? undefined : { tags: after };
      });
      cli.out.print(`${name} has ${tags.length === 1 ? 'the tag' : 'the tags'} ${tags.join(', ')}.`);
    });
}
