import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import { DEFAULT_TARGET_LABEL, serviceInstanceKind } from '../../../protocol/kinds/service-instance.ts';
import type { Cli } from '../../cli.ts';
import { type ApiClient, THIS_NODE } from '../../client/api.ts';
import { type Named, named, serviceTarget } from '../../client/services.ts';
import { textAt } from '../../json.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';
import { itemsOf } from '../../service/names.ts';

const EXAMPLES = `
Examples:
  dtkd service default-target prod      what is staged without --target, and needs one of its kind, is staged against prod
  dtkd service default-target           which one is it
  dtkd service default-target --none`;

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('[service]', 'a service that is a target'))
    .option('--none', 'unset it')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string | undefined) => {
      const flags = command.optsWithGlobals<NodeFlag & { none?: boolean }>();
      if (name !== undefined && flags.none === true) throw new DtkdError('BAD_REQUEST', 'give either a service or --none');
      const client = await cli.client();
      if (name !== undefined) {
        const service = named(name, flags);
        await client.call('POST', serviceTarget(service, 'default-target'), { default: true });
        return cli.out.print(`${service.name} is the default target.`);
      }
      const current = await defaultTargets(client, flags.namespace ?? THIS_NODE);
      if (flags.none !== true) {
        if (current.length === 0) cli.out.note('There is no default target.');
        return cli.out.lines(current.map((one) => one.name));
      }
      for (const one of current) await client.call('POST', serviceTarget(one, 'default-target'), { default: false });
      cli.out.print('There is no default target now.');
    });
}

async function defaultTargets(client: ApiClient, namespace: string): Promise<Named[]> {
  const targets = await itemsOf(client, { kind: serviceInstanceKind, namespace }, 'spec.role=target');
  return targets
    .filter((object) => textAt(object, 'metadata', 'labels', DEFAULT_TARGET_LABEL) === 'true')
    .map((object) => ({ name: textAt(object, 'metadata', 'name') ?? '', namespace }));
}
