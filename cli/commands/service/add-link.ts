import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named } from '../../client/services.ts';
import { optionsOfPairs } from '../../dispatch/option-words.ts';
import { editService } from '../../service/editing.ts';
import { addNodeFlag, collect, type NodeFlag } from '../../service/flags.ts';

const EXAMPLES = `
Examples:
  dtkd service add-link shop web db db                              as the type declares a link named db
  dtkd service add-link shop web db backend/db                      to a component of another service
  dtkd service add-link shop web net target --take network=network  from what the target offers
  dtkd service add-link shop web db db --take db_host=node.address --take db_port=port --give clients=port`;

interface Flags extends NodeFlag {
  take?: string[];
  give?: string[];
}

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(
    command
      .argument('<service>')
      .argument('<component>', 'the component that has the link')
      .argument('<link>', 'its name, as the type has it')
      .argument('<to>', 'COMPONENT, SERVICE/COMPONENT or target'),
  )
    .option('--take <mine=theirs>', 'own property, and the property it gets its value from; may be repeated', collect)
    .option('--give <theirs=mine>', 'property of the other end, and the own property it gets its value from; may be repeated', collect)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, component: string, link: string, to: string) => {
      const flags = command.optsWithGlobals<GlobalFlags & Flags>();
      const { take, give } = flags;
      await editService(
        cli,
        named(name, flags),
        [
          {
            op: 'add-link',
            component,
            link,
            to,
            ...(take === undefined ? {} : { take: optionsOfPairs(take) }),
            ...(give === undefined ? {} : { give: optionsOfPairs(give) }),
          },
        ],
        flags,
      );
    });
}
