import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import { capabilityKind } from '../../protocol/kinds/capability.ts';
import type { Cli } from '../cli.ts';
import { type ApiClient, THIS_NODE } from '../client/api.ts';
import { listAt, textAt } from '../json.ts';

const EXAMPLES = `
Examples:
  dtkd revoke c-x7k2m                   one capability, with all that was passed on from it
  dtkd revoke ops@node1                 all that this node has granted to ops of node1
  dtkd revoke c-x7k2m -n node2          on another node, with MANAGE there`;

const PAGE_SIZE = 500;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<what...>', 'names of capabilities; USER@NODE or trust:TRUST@NODE for all that it was granted')
    .option('-n, --namespace <node>', 'node that owns the objects')
    .addHelpText('after', EXAMPLES)
    .action(async (what: string[]) => {
      const namespace = command.optsWithGlobals<{ namespace?: string }>().namespace ?? THIS_NODE;
      const client = await cli.client();
      for (const one of what) {
        try {
          const names = one.includes('@') ? await grantedTo(client, namespace, one) : [one];
          for (const name of names) {
            await client.delete({ kind: capabilityKind, namespace, name }).catch((error: unknown) => {
              throw notCapability(error, name);
            });
            cli.out.print(`Revoked ${name}.`);
          }
        } catch (error) {
          cli.failed(error);
        }
      }
    });
}

/** Improves the error for a bare word, which may have been meant as a user. */
function notCapability(error: unknown, name: string): unknown {
  if (!(error instanceof DtkdError) || error.code !== 'NOT_FOUND') return error;
  return new DtkdError('NOT_FOUND', error.message, {
    next: `See "dtkd get capabilities"; all that a user was granted is revoked with: dtkd revoke ${name.slice(0, 80)}@NODE`,
  });
}

async function grantedTo(client: ApiClient, namespace: string, who: string): Promise<string[]> {
  const names: string[] = [];
  for await (const page of client.pages({ kind: capabilityKind, namespace }, { fieldSelector: `spec.to=${who}` }, PAGE_SIZE)) {
    names.push(...listAt(page, 'items').map((item) => textAt(item, 'metadata', 'name') ?? ''));
  }
  if (names.length > 0) return names;
  throw new DtkdError('NOT_FOUND', `nothing is granted to ${who} here`, { next: 'See "dtkd get capabilities".' });
}
