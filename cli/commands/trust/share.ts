import type { Command } from 'commander';
import { shareKind } from '../../../protocol/kinds/share.ts';
import type { Cli } from '../../cli.ts';
import { absentFrom, grantOnce } from '../../client/grants.ts';
import { displayOfTrust, trustTarget } from '../../client/trusts.ts';
import { parseDuration } from '../../input/duration.ts';
import { expiryAfter, parseVerbs, type ScopeFlags, scopeOf } from '../../input/scope.ts';
import { textAt } from '../../json.ts';

/** The verbs if none are given. */
const DEFAULT_VERBS = 'READ,REQUEST';

const EXAMPLES = `
Examples:
  dtkd trust share research@node0 resource/front1
  dtkd trust share research@node0 dtapp/wiki
  dtkd trust share research@node0 resource READ,EXECUTE --model web -l tier=front --expires 30d`;

interface ShareFlags extends Omit<ScopeFlags, 'on'> {
  expires?: string;
  namespace?: string;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<trust>', 'TRUST@NODE, or TRUST of this node')
    .argument('<on>', "KIND, KIND/NAME, or '*'")
    .argument('[verbs]', 'VERB[,VERB], or ALL', DEFAULT_VERBS)
    .option('--model <name>', 'resources of this model only')
    .option('--type <name>', 'resources of this type only, and of those that extend it')
    .option('-l, --selector <labels>', 'objects with these labels only')
    .option('--expires <duration>', 'for how long, e.g. 30d')
    .option('-n, --namespace <node>', 'node whose objects are shared')
    .addHelpText('after', EXAMPLES)
    .action(async (trust: string, what: string, verbs: string) => {
      const flags = command.optsWithGlobals<ShareFlags>();
      const client = await cli.client();
      const display = displayOfTrust(await client.get(trustTarget(trust)));
      const on = scopeOf({ ...flags, on: what });
      const spec = {
        trust: display,
        verbs: parseVerbs(verbs),
        on,
        ...(flags.expires === undefined ? {} : { expires: expiryAfter(parseDuration(flags.expires)) }),
      };
      const { object, already } = await grantOnce(client, shareKind, { spec, namespace: flags.namespace, name: undefined });
      const name = textAt(object, 'metadata', 'name') ?? '';
      cli.out.print(`${already ? 'That is shared already' : 'Shared'} into ${display}. To take it back: dtkd trust unshare ${name}`);
      for (const absent of await absentFrom(client, on, flags.namespace)) cli.out.note(`note: ${absent}`);
    });
}
