import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import { modelKind } from '../../../protocol/kinds/model.ts';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import type { Cli } from '../../cli.ts';
import { THIS_NODE } from '../../client/api.ts';
import { parseLimit } from '../../input/limit.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../../json.ts';
import { listPages } from '../../listing.ts';
import { treeLines, treesOf } from '../../model/tree.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { type ListFlags, selectionOf, targetOf } from '../../selection.ts';

const PAGE = 1000;
/** Deeper trees would be more indentation than text. */
const DEPTH = 32;

const EXAMPLES = `
Examples:
  dtkd model tree                              what runs where, of all models of this node
  dtkd model tree shop                         of one model
  dtkd model tree --from node/node0            what is deployed to that node
  dtkd model tree --from Service/web --depth 1
  dtkd model tree -A                           of every node, as far as you have rights there`;

interface TreeFlags extends Pick<ListFlags, 'namespace' | 'allNamespaces' | 'stale' | 'timeout'> {
  from?: string;
  depth: number;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('[model]', 'name of the model; all models if left out')
    .option('--from <name>', 'only what is below this: node/NAME, TYPE/NAME or the name of a resource')
    .option('--depth <number>', 'maximum number of levels below the first', parseLimit, DEPTH)
    .option('-n, --namespace <node>', 'models of this node')
    .option('-A, --all-namespaces', 'models of all nodes')
    .option('--stale', 'add what absent nodes last answered')
    .option('--timeout <duration>', 'how long each other node may take (default: 2s)')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action((model: string | undefined) => draw(cli, model, command.optsWithGlobals<TreeFlags>()));
}

async function draw(cli: Cli, model: string | undefined, flags: TreeFlags): Promise<void> {
  const client = await cli.client();
  if (model !== undefined && flags.allNamespaces !== true) {
    // a model that does not exist is an error, not an empty tree
    await client.get({ kind: modelKind, namespace: flags.namespace ?? THIS_NODE, name: model });
  }
  const selection = { ...selectionOf(flags), ...(model === undefined ? {} : { fieldSelector: `spec.model=${model}` }) };
  const resources: JsonRecord[] = [];
  for await (const page of listPages(cli, client, targetOf(resourceKind, flags), { selection, pageSize: PAGE })) {
    resources.push(...listAt(page, 'items').filter(isRecord));
  }
  const trees = treesOf(resources, { depth: flags.depth, from: flags.from });
  if (flags.from !== undefined && trees.length === 0) throw nothingFrom(flags.from, model);
  if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, trees, flags.output);
  if (trees.length === 0) return cli.out.note(`No resources${model === undefined ? '' : ` of ${model}`} found.`);
  const models = new Set(resources.map((resource) => textAt(resource, 'spec', 'model')));
  cli.out.lines(
    treeLines((colour, text) => cli.out.paint(colour, text), trees, { owners: flags.allNamespaces === true, models: models.size > 1 }),
  );
}

function nothingFrom(from: string, model: string | undefined): DtkdError {
  return new DtkdError('NOT_FOUND', `there is nothing below ${from.slice(0, 200)}${model === undefined ? '' : ` in ${model}`}`, {
    next: 'Run "dtkd model tree" alone, and name a resource as it is shown there.',
  });
}
