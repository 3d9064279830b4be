import { type Command, Option } from 'commander';
import { modelKind } from '../../../protocol/kinds/model.ts';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import { INSTANCE_LABEL } from '../../../protocol/kinds/service-instance.ts';
import { typeKind } from '../../../protocol/kinds/type.ts';
import type { Cli } from '../../cli.ts';
import { type ApiClient, THIS_NODE } from '../../client/api.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../../json.ts';
import { listAll, listPages } from '../../listing.ts';
import { dtkdYaml, rundeckNodes, typesUsed } from '../../model/export.ts';
import { toYaml } from '../../output/format.ts';

const PAGE = 1000;

const EXAMPLES = `
Examples:
  dtkd model export shop > shop.yaml                     "dtkd model import shop.yaml" makes the same model of it
  dtkd model export shop --format rundeck > resources.yaml`;

interface ExportFlags {
  format: 'dtkd' | 'rundeck';
  namespace?: string;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<model>', 'name of the model')
    .addOption(new Option('--format <format>', 'form of the file').choices(['dtkd', 'rundeck']).default('dtkd'))
    .option('-n, --namespace <node>', 'node that owns the model')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<ExportFlags>();
      const namespace = flags.namespace ?? THIS_NODE;
      const client = await cli.client();
      const model = await client.get({ kind: modelKind, namespace, name });
      const resources = await listAll(client, { kind: resourceKind, namespace }, { fieldSelector: `spec.model=${name}` }, PAGE);
      if (flags.format === 'rundeck') {
        cli.out.print(await toYaml(rundeckNodes(resources)));
        return;
      }
      const types = await typesOf(cli, client, namespace);
      const used = typesUsed(types, resources);
      const modules = new Set(used.map(moduleOf).filter((module) => module !== ''));
      cli.out.print(await dtkdYaml([model, ...used.filter((type) => moduleOf(type) === ''), ...resources]));
      if (textAt(model, 'metadata', 'labels', INSTANCE_LABEL) !== undefined) {
        cli.out.note(`This is what the service ${name} has made: elsewhere it is staged and converged, and not imported.`);
      }
      for (const module of modules) cli.out.note(`Types of module ${module} are left out: install it where you import this.`);
    });
}

/** The types that the caller may see. If some are missing, `listPages` says so; a model of built-in types needs none of them. */
async function typesOf(cli: Cli, client: ApiClient, namespace: string): Promise<JsonRecord[]> {
  const found: JsonRecord[] = [];
  for await (const page of listPages(cli, client, { kind: typeKind, namespace }, { selection: {}, pageSize: PAGE }))
    found.push(...listAt(page, 'items').filter(isRecord));
  return found.filter((type) => !isBuiltIn(type));
}

/** The module that a type comes from, which is the only way to make that type; empty if it was made by hand. */
function moduleOf(type: JsonRecord): string {
  return `${textAt(type, 'spec', 'module', 'name') ?? ''} ${textAt(type, 'spec', 'module', 'version') ?? ''}`.trim();
}

/** True for types that every daemon has, by their label. */
function isBuiltIn(type: JsonRecord): boolean {
  const { labels } = isRecord(type['metadata']) ? type['metadata'] : {};
  return isRecord(labels) && labels['dtkd.dev/built-in'] === 'true';
}
