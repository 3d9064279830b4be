import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli } from '../../cli.ts';
import { changeOwnNode } from '../../client/nodes.ts';
import { textsAt } from '../../json.ts';

const EXAMPLES = `
Examples:
  dtkd node tag rm web

Run it on the node itself.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<tags...>')
    .addHelpText('after', EXAMPLES)
    .action(async (tags: string[]) => {
      const { name } = await changeOwnNode(await cli.client(), (spec) => {
        const before = textsAt(spec, 'tags');
        const absent = tags.filter((tag) => !before.includes(tag));
        if (absent.length > 0) {
          throw new DtkdError('NOT_FOUND', `this node has no tag ${absent.map((tag) => `"${tag.slice(0, 63)}"`).join(', ')}`, {
            next: before.length === 0 ? 'It has none.' : `It has ${before.join(', ')}.`,
          });
        }
        return { tags: before.filter((tag) => !tags.includes(tag)) };
      });
      cli.out.print(`${name} no longer has ${tags.length === 1 ? 'the tag' : 'the tags'} ${tags.join(', ')}.`);
    });
}
