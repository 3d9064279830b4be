import type { Command } from 'commander';
import { capabilityKind } from '../../protocol/kinds/capability.ts';
import type { Cli } from '../cli.ts';
import { absentFrom, grantOnce } from '../client/grants.ts';
import { parseDuration } from '../input/duration.ts';
import { expiryAfter, parseVerbs, type ScopeFlags, scopeOf } from '../input/scope.ts';
import { textAt } from '../json.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd grant ops@node1 READ --on model                                 all models of this node
  dtkd grant ops@node1 READ,EXECUTE --on resource --model web -l tier=front --expires 30d
  dtkd grant ops@node1 REQUEST --on dtapp/wiki                         traffic to an app
  dtkd grant trust:research@node0 READ --on resource/front1            to the present members of a trust
  dtkd grant ops@node1 ALL --on '*'

An existing grant is not repeated, unless its end differs.

Verbs: DISCOVER (kind and name only), READ, CREATE, UPDATE, DELETE, MANAGE (grant and revoke), REQUEST (traffic to
an app), EXECUTE (commands). "dtkd can" tells what follows from all grants; "dtkd get capabilities" lists them.`;

interface GrantFlags extends ScopeFlags {
  name?: string;
  expires?: string;
  namespace?: string;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<who>', 'USER@NODE, or trust:TRUST@NODE')
    .argument('<verbs>', 'VERB[,VERB], or ALL')
    .requiredOption('--on <kind>', "KIND, KIND/NAME, or '*'")
    .option('--model <name>', 'resources of this model only')
    .option('--type <name>', 'resources of this type only, and of those that extend it')
    .option('-l, --selector <labels>', 'objects with these labels only')
    .option('--expires <duration>', 'for how long, e.g. 30d')
    .option('--name <name>', 'name of the capability (default: generated)')
    .option('-n, --namespace <node>', 'node that owns the objects')
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (who: string, verbs: string) => {
      const flags = command.optsWithGlobals<GrantFlags>();
      const spec = {
        to: who,
        verbs: parseVerbs(verbs),
        on: scopeOf(flags),
        ...(flags.expires === undefined ? {} : { expires: expiryAfter(parseDuration(flags.expires)) }),
      };
      const client = await cli.client();
      const { object, already } = await grantOnce(client, capabilityKind, { spec, namespace: flags.namespace, name: flags.name });
      const name = textAt(object, 'metadata', 'name') ?? '';
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, object, flags.output);
      if (flags.output === 'name') return cli.out.print(name);
      const granted = already ? 'That is granted already:' : 'Granted';
      cli.out.print(`${granted} ${spec.verbs.join(',')} to ${who}. To take it back: dtkd revoke ${name}`);
      for (const absent of await absentFrom(client, spec.on, flags.namespace)) cli.out.note(`note: ${absent}`);
    });
}
