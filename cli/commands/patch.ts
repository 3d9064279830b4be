import { type Command, Option } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { Cli } from '../cli.ts';
import { readSecret } from '../input/secret.ts';
import { textAt } from '../json.ts';
import { fullName, parseWanted } from '../kinds.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd patch dtapp wiki -p '{"metadata":{"labels":{"team":"docs"}}}'
  dtkd patch service wiki --type json -p '[{"op":"replace","path":"/spec/ports/0/port","value":80}]'
  dtkd patch dtapp wiki -p @change.yaml`;

interface PatchFlags {
  patch: string;
  type: 'merge' | 'json';
  namespace?: string;
  dryRun?: boolean;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<kind>', 'KIND or KIND/NAME')
    .argument('[name]')
    .requiredOption('-p, --patch <patch>', 'the patch as JSON or YAML, - for standard input, or @FILE')
    .addOption(new Option('--type <type>', 'kind of patch').choices(['merge', 'json']).default('merge'))
    .option('-n, --namespace <node>', 'node that owns the object')
    .option('--dry-run', 'check only')
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (kindText: string, name: string | undefined) => {
      const flags = command.optsWithGlobals<PatchFlags>();
      const [wanted] = parseWanted(name === undefined ? [kindText] : [kindText, name]);
      const [only, ...more] = wanted?.names ?? [];
      if (wanted === undefined || only === undefined || more.length > 0) throw new DtkdError('BAD_REQUEST', 'name one object: KIND NAME');
      const patch = await parsePatch(await readSecret(flags.patch, 'patch'));
      const client = await cli.client();
      const target = { kind: wanted.kind, namespace: flags.namespace, name: only };
      const object = await client.patch(target, patch, flags.type, { dryRun: flags.dryRun });
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, object, flags.output);
      const full = fullName(wanted.kind, textAt(object, 'metadata', 'name') ?? only);
      cli.out.print(flags.output === 'name' ? full : `${full} patched${flags.dryRun === true ? ' (dry run)' : ''}`);
    });
}

async function parsePatch(text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  try {
    const patch: unknown = parse(text, { maxAliasCount: 0 });
    if (typeof patch === 'object' && patch !== null) return patch;
  } catch (error) {
    throw new DtkdError('BAD_REQUEST', `the patch is neither JSON nor YAML: ${error instanceof Error ? error.message.trimEnd() : error}`);
  }
  throw new DtkdError('BAD_REQUEST', 'the patch must be an object (merge) or a list (json)');
}
