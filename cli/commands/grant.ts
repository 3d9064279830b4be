import type { Command } from 'commander';
import type { GrantScope } from '../../protocol/capability.ts';
import { capabilityKind } from '../../protocol/kinds/capability.ts';
import { kindByAnyName } from '../../protocol/kinds/index.ts';
import { apiVersionOf, type Kind } from '../../protocol/kinds/kind.ts';
import { modelKind } from '../../protocol/kinds/model.ts';
import { typeKind } from '../../protocol/kinds/type.ts';
import type { Cli } from '../cli.ts';
import { type ApiClient, THIS_NODE } from '../client/api.ts';
import { parseDuration } from '../input/duration.ts';
import { expiryAfter, parseVerbs, type ScopeFlags, scopeOf } from '../input/scope.ts';
import { listAt, textAt } from '../json.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd grant ops@node1 READ --on model                                 all models of this node
  dtkd grant ops@node1 READ,EXECUTE --on resource --model web -l tier=front --expires 30d
  dtkd grant ops@node1 REQUEST --on dtapp/wiki                         traffic to an app
  dtkd grant trust:research@node0 READ --on resource/front1            to the present members of a trust
  dtkd grant ops@node1 ALL --on '*'

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
    .option('--name <name>', 'name of the capability (default: made up)')
    .option('-n, --namespace <node>', 'node whose objects it is about')
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
      const made = await client.create(
        { kind: capabilityKind, namespace: flags.namespace ?? THIS_NODE },
        {
          apiVersion: apiVersionOf(capabilityKind),
          kind: capabilityKind.kind,
          metadata: flags.name === undefined ? { generateName: 'c-' } : { name: flags.name },
          spec,
        },
      );
      const name = textAt(made, 'metadata', 'name') ?? '';
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, made, flags.output);
      if (flags.output === 'name') return cli.out.print(name);
      cli.out.print(`Granted ${spec.verbs.join(',')} to ${who}. To take it back: dtkd revoke ${name}`);
      for (const absent of await absentFrom(client, spec.on, flags.namespace ?? THIS_NODE)) cli.out.note(`note: ${absent}`);
    });
}

/** What a grant names and is not there: no error, since it may come, but most often a slip of the hand. */
async function absentFrom(client: ApiClient, { kind, name, model, type }: GrantScope, namespace: string): Promise<string[]> {
  const named: [Kind | undefined, string | undefined][] = [
    [kindByAnyName(kind.split('.')[0] ?? ''), name],
    [modelKind, model],
    [typeKind, type?.toLowerCase()],
  ];
  const absent: string[] = [];
  for (const [known, wanted] of named) {
    if (known === undefined || wanted === undefined) continue;
    const target = { kind: known, namespace };
    // types are named by what they are called in documents, which need not be the name of the object
    const found =
      known === typeKind
        ? listAt(await client.get(target), 'items').some((item) => textAt(item, 'spec', 'name')?.toLowerCase() === wanted)
        : (await client.find({ ...target, name: wanted })) !== undefined;
    if (found) continue;
    const called = `${known.singular} "${known === typeKind ? type : wanted}"`;
    // resources of other nodes are deployed here with models that stay there
    absent.push(
      known === modelKind
        ? `this node has no ${called} of its own; this counts for resources of such a model that other nodes deploy here`
        : `there is no ${called} yet; this counts once there is`,
    );
  }
  return absent;
}
