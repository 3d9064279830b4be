import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { Cli } from '../cli.ts';
import type { ApiClient } from '../client/api.ts';
import { kubeconfigFile } from '../config.ts';
import { textAt } from '../json.ts';
import type { KubeContext } from '../kubeconfig/context.ts';

const EXAMPLES = `
Examples:
  dtkd kubeconfig --write                              kubectl talks to this node from now on
  dtkd kubeconfig --write --keep-current               it does with --context dtkd-NODE only
  (umask 077; dtkd kubeconfig > node0.yaml)            in a file of its own, for KUBECONFIG
  dtkd --token @ann.token kubeconfig > ann.yaml        for a user instead of the operator
  dtkd kubeconfig --server https://node0:7700 > node0.yaml     for another machine

It holds a token: whoever can read it has the rights of that operator or user. A daemon answers to the address of its --api, to its
host name and to the name of its node.`;

interface Flags {
  write?: true | string;
  context?: string;
  server?: string;
  keepCurrent?: boolean;
}

export function configure(command: Command, cli: Cli): void {
  command
    .option('-w, --write [file]', 'merge it into a file; default: the first of KUBECONFIG, else ~/.kube/config')
    .option('--context <name>', 'name of the context; default: dtkd-NODE, for users dtkd-NODE-USER')
    .option('--server <url>', 'address at which kubectl reaches the API')
    .option('--keep-current', 'with --write: do not switch to the context')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: Flags) => {
      const context = await contextOf(await cli.client(), flags);
      const { kubeconfigOf, mergeContext } = await import('../kubeconfig/context.ts');
      if (flags.write === undefined) {
        const { toYaml } = await import('../output/format.ts');
        return cli.out.print(await toYaml(kubeconfigOf(context)));
      }
      const file = flags.write === true ? kubeconfigFile() : flags.write;
      const { changeFile } = await import('../kubeconfig/file.ts');
      await changeFile(file, (text) => mergeContext(text, context, { current: flags.keepCurrent !== true, file }));
      cli.out.print(`Context "${context.name}" is in ${file}${flags.keepCurrent === true ? '' : ' and is the current one'}.`);
    });
}

async function contextOf(client: ApiClient, flags: Flags): Promise<KubeContext> {
  const me = await client.daemon('GET', 'whoami');
  const node = textAt(me, 'node') ?? '';
  const user = textAt(me, 'type') === 'user' ? `-${textAt(me, 'name') ?? ''}` : '';
  const { url, ca, token } = client.https.connection;
  return {
    name: flags.context ?? `dtkd-${node}${user}`,
    server: flags.server === undefined ? url.origin : serverOf(flags.server),
    ca,
    token,
    namespace: node,
  };
}

function serverOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:') return url.origin;
  throw new DtkdError('ADDRESS_INVALID', `"${text.slice(0, 120)}" is not the address of a daemon's API`, {
    next: 'Write it like https://node0.example.org:7700.',
  });
}
