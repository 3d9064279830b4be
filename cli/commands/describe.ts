import type { Command } from 'commander';
import { eventKind } from '../../protocol/kinds/event.ts';
import type { Kind } from '../../protocol/kinds/kind.ts';
import { nodeKind } from '../../protocol/kinds/node.ts';
import { resourceKind } from '../../protocol/kinds/resource.ts';
import { typeKind } from '../../protocol/kinds/type.ts';
import type { Cli } from '../cli.ts';
import { type ApiClient, THIS_NODE } from '../client/api.ts';
import { isRecord, type JsonRecord, listAt, recordAt, textAt } from '../json.ts';
import { parseWanted, type Wanted } from '../kinds.ts';
import { listAll, listPages } from '../listing.ts';
import { describeLines } from '../output/describe.ts';
import { shownResource, shownType } from '../output/effective.ts';
import { objectName } from '../peer-names.ts';
import { assertNothingChooses, assertOneNode, selectionOf, targetOf } from '../selection.ts';

const EXAMPLES = `
Examples:
  dtkd describe dtdomain mydomain        with the invite token, on a node that may invite
  dtkd describe dtpeers                  all of them
  dtkd describe dtapp/wiki
  dtkd describe resource front1          with defaults, what children export, and relations from both ends`;

const PAGE_SIZE = 100;

interface DescribeFlags {
  namespace?: string;
  allNamespaces?: boolean;
  selector?: string;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<kind>', 'KIND or KIND/NAME')
    .argument('[names...]', 'names; all objects of the kind if left out')
    .option('-n, --namespace <node>', 'objects of this node')
    .option('-A, --all-namespaces', 'objects of all nodes')
    .option('-l, --selector <labels>', 'only objects with these labels')
    .addHelpText('after', EXAMPLES)
    .action(async (kind: string, names: string[]) => {
      const flags = command.optsWithGlobals<DescribeFlags>();
      const client = await cli.client();
      let count = 0;
      const all = parseWanted([kind, ...names]);
      if (all.some((one) => one.names.length > 0)) assertNothingChooses(flags, 'names');
      for (const wanted of all) {
        for await (const object of objectsOf(cli, client, wanted, flags)) {
          if (count > 0) cli.out.print('\n');
          const effective = await effectiveOf(client, wanted.kind, object);
          cli.out.lines(
            describeLines(
              effective === undefined ? object : { ...object, effective },
              await eventsOf(client, wanted.kind, object),
              Date.now(),
            ),
          );
          count += 1;
        }
        if (count === 0 && wanted.names.length === 0) cli.out.note(`No ${wanted.kind.plural} found.`);
      }
    });
}

async function* objectsOf(cli: Cli, client: ApiClient, { kind, names }: Wanted, flags: DescribeFlags): AsyncGenerator<JsonRecord> {
  const target = targetOf(kind, flags);
  if (names.length > 0) assertOneNode(kind, flags);
  for (const name of names) {
    try {
      yield await client.get({ ...target, name: await objectName(client, target, name) });
    } catch (error) {
      cli.failed(error);
    }
  }
  if (names.length > 0) return;
  const listing = { selection: selectionOf(flags), pageSize: PAGE_SIZE };
  for await (const page of listPages(cli, client, target, listing)) yield* listAt(page, 'items').filter(isRecord);
}

/**
 * The effective values of a resource or a type: defaults, inherited values, and relations in both directions. Undefined if they cannot be
 * read.
 */
async function effectiveOf(client: ApiClient, kind: Kind, object: JsonRecord): Promise<JsonRecord | undefined> {
  if (kind !== resourceKind && kind !== typeKind) return undefined;
  const { name, namespace } = recordAt(object, 'metadata');
  if (typeof name !== 'string' || object['spec'] === undefined) return undefined;
  const target = { kind, namespace: typeof namespace === 'string' ? namespace : THIS_NODE, name, sub: ['effective'] };
  const view = await client.get(target).catch(() => undefined);
  return view === undefined ? undefined : kind === resourceKind ? shownResource(view) : shownType(view);
}

/** Events about an object, or why they are unknown, since an object is described without them if they cannot be read. */
async function eventsOf(client: ApiClient, kind: Kind, object: JsonRecord): Promise<JsonRecord[] | string> {
  const uid = textAt(object, 'metadata', 'uid');
  const fields = [
    `involvedObject.name=${textAt(object, 'metadata', 'name')}`,
    `involvedObject.kind=${kind.kind}`,
    ...(uid ? [`involvedObject.uid=${uid}`] : []),
  ];
  try {
    // events about a node are kept by that node alone
    const namespace = textAt(object, 'metadata', kind === nodeKind ? 'name' : 'namespace') ?? THIS_NODE;
    return await listAll(client, { kind: eventKind, namespace }, { fieldSelector: fields.join(',') }, PAGE_SIZE);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
