import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named } from '../../client/services.ts';
import { showEdited } from '../../service/editing.ts';
import { addNodeFlag, collect, type NodeFlag } from '../../service/flags.ts';
import { setSettings } from '../../service/set-settings.ts';
import { parseSettings } from '../../service/values.ts';

const EXAMPLES = `
Examples:
  dtkd service set shop web.port=8081 web.greeting='Good evening'
  dtkd service set shop web.page=@index.html     what stands in a file; @@ for a value that begins with @
  dtkd service set shop db.password=-            a secret: asked for, and not shown; or from standard input
  dtkd service set shop web.count=3 web.on=tags=web
  dtkd service set shop tier=prod target=site2   a parameter, the target
  dtkd service set shop 'web.tags=["a", "b"]'    lists and maps as JSON

Paths: COMPONENT.PROPERTY, COMPONENT.count, COMPONENT.on, a parameter, target; "dtkd service show shop" lists them. PATH= sets an
empty text; "dtkd service unset" takes a value back. It edits dtk.service.yaml, as an editor would, and runs nothing. For a
secret property it writes only the name of the Secret: the value becomes the Secret SERVICE.COMPONENT.PROPERTY of the node. Other
nodes that run the component need one of that name, too.`;

interface Flags extends NodeFlag {
  secret?: string[];
}

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>').argument('<path=value...>'))
    .option('--secret <path>', 'treat the value at this path as a secret, whatever its type; may be repeated', collect)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, pairs: string[]) => {
      const flags = command.optsWithGlobals<GlobalFlags & Flags>();
      const service = named(name, flags);
      const differences = await setSettings(cli, service, parseSettings(pairs), { global: flags, secrets: flags.secret ?? [] });
      showEdited(cli, service, differences, flags);
    });
}
