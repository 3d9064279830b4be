import { isDeepStrictEqual } from 'node:util';
import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import { shareKind, shareSchema } from '../../../protocol/kinds/share.ts';
import type { CapabilityVerb, GrantScope } from '../../../protocol/rights/capability.ts';
import type { Cli } from '../../cli.ts';
import { type ApiClient, THIS_NODE } from '../../client/api.ts';
import { displayOfTrust, trustTarget } from '../../client/trusts.ts';
import { namesObjects, parseVerbs, type ScopeFlags, scopeOf } from '../../input/scope.ts';
import { listAt, textAt } from '../../json.ts';

const PAGE_SIZE = 500;

const EXAMPLES = `
Examples:
  dtkd trust show research@node0                     what is shared, with the names of shares
  dtkd trust unshare s-m4k9d
  dtkd trust unshare research@node0 resource/front1   as it was shared, whichever verbs
  dtkd trust unshare research@node0 resource READ,EXECUTE --model web -l tier=front`;

interface UnshareFlags extends Omit<ScopeFlags, 'on'> {
  namespace?: string;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<what...>', "names of shares; or what was shared: TRUST, then KIND, KIND/NAME or '*', then perhaps VERB[,VERB]")
    .option('--model <name>', 'what was shared with this --model')
    .option('--type <name>', 'what was shared with this --type')
    .option('-l, --selector <labels>', 'what was shared with these labels')
    .option('-n, --namespace <node>', 'node whose objects are shared')
    .addHelpText('after', EXAMPLES)
    .action(async (what: string[]) => {
      const flags = command.optsWithGlobals<UnshareFlags>();
      const namespace = flags.namespace ?? THIS_NODE;
      const client = await cli.client();
      const [trust = '', on, verbs, ...more] = what;
      const isAsShared = on !== undefined && more.length === 0 && namesObjects(on);
      if (!isAsShared && (flags.model ?? flags.type ?? flags.selector) !== undefined) throw incomplete();
      const names = isAsShared
        ? await sharesOf(client, namespace, trust, scopeOf({ ...flags, on }), verbs === undefined ? undefined : parseVerbs(verbs))
        : what;
      for (const name of names) {
        try {
          await client.delete({ kind: shareKind, namespace, name });
          cli.out.print(`No longer shared: ${name}.`);
        } catch (error) {
          cli.failed(error);
        }
      }
    });
}

function incomplete(): DtkdError {
  return new DtkdError('BAD_REQUEST', '--model, --type and -l narrow down what was shared, but no KIND is named', {
    next: 'Write it as it was shared, e.g. dtkd trust unshare research@node0 resource --model web.',
  });
}

/**
 * Names of the shares with exactly this scope and, if given, exactly these verbs. A trust that no longer exists is found by its name alone.
 */
async function sharesOf(
  client: ApiClient,
  namespace: string,
  text: string,
  on: GrantScope,
  verbs: readonly CapabilityVerb[] | undefined,
): Promise<string[]> {
  const found = await client.find(trustTarget(text));
  const trust = found === undefined ? text : displayOfTrust(found);
  const names: string[] = [];
  for await (const page of client.pages({ kind: shareKind, namespace }, { fieldSelector: `spec.trust=${trust}` }, PAGE_SIZE)) {
    for (const item of listAt(page, 'items')) {
      const spec = shareSchema.safeParse(item).data?.spec;
      if (spec === undefined || !isDeepStrictEqual(spec.on, on)) continue;
      if (verbs === undefined || isDeepStrictEqual(new Set(spec.verbs), new Set(verbs))) names.push(textAt(item, 'metadata', 'name') ?? '');
    }
  }
  if (names.length > 0) return names;
  throw new DtkdError('NOT_FOUND', `that is not shared into ${trust.slice(0, 120)} here`, {
    next: `See what is: dtkd trust show ${trust.slice(0, 120)}.`,
  });
}
