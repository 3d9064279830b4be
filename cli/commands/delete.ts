import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { Kind } from '../../protocol/kinds/kind.ts';
import type { Cli } from '../cli.ts';
import { type ApiClient, THIS_NODE } from '../client/api.ts';
import { requireName } from '../client/apply.ts';
import { readDocuments } from '../input/documents.ts';
import { textAt } from '../json.ts';
import { fullName, parseWanted, requireKindOf } from '../kinds.ts';
import { listAll } from '../listing.ts';
import { outputOption } from '../output/format.ts';
import { objectName } from '../peer-names.ts';
import { assertNothingChooses } from '../selection.ts';
import { named } from './apply.ts';

const EXAMPLES = `
Examples:
  dtkd delete dtapp wiki
  dtkd delete service/wiki endpoints/wiki
  dtkd delete -f wiki.yaml
  dtkd delete dtapps -l team=old
  dtkd delete resources --where 'type=Host and model=lab' --dry-run
  dtkd delete model shop --cascade                        with all its resources
  dtkd delete dtpeer node2                                on the founder: removes that member for good`;

const PAGE_SIZE = 500;

interface DeleteFlags {
  filename?: string[];
  selector?: string;
  where?: string;
  all?: boolean;
  namespace?: string;
  ignoreNotFound?: boolean;
  dryRun?: boolean;
  cascade?: boolean;
  output?: 'name';
}

interface Doomed {
  kind: Kind;
  namespace: string | undefined;
  name: string;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('[kind]', 'KIND or KIND/NAME')
    .argument('[names...]')
    .option('-f, --filename <file...>', 'delete what these files describe, last first')
    .option('-l, --selector <labels>', 'delete all objects with these labels')
    .option('--where <expression>', "delete all objects that match, e.g. 'model=old'")
    .option('--all', 'delete all objects of the kind')
    .option('-n, --namespace <node>', 'node that owns the objects')
    .option('--cascade', 'also delete what depends on the objects')
    .option('--ignore-not-found', 'no error if an object does not exist')
    .option('--dry-run', 'check only')
    .addOption(outputOption('name'))
    .addHelpText('after', EXAMPLES)
    .action(async (kind: string | undefined, names: string[]) => {
      const flags = command.optsWithGlobals<DeleteFlags>();
      const client = await cli.client();
      for (const doomed of await findDoomed(client, kind, names, flags)) {
        try {
          const object = await objectName(client, doomed, doomed.name);
          await client.delete({ ...doomed, name: object }, { dryRun: flags.dryRun, cascade: flags.cascade });
          const name = fullName(doomed.kind, object);
          cli.out.print(flags.output === 'name' ? name : `${name} deleted${flags.dryRun === true ? ' (dry run)' : ''}`);
        } catch (error) {
          const absent = error instanceof DtkdError && error.code === 'NOT_FOUND';
          if (!absent || flags.ignoreNotFound !== true) cli.failed(error);
        }
      }
    });
}

async function findDoomed(client: ApiClient, kindText: string | undefined, names: string[], flags: DeleteFlags): Promise<Doomed[]> {
  if (flags.filename !== undefined) {
    if (kindText !== undefined) throw new DtkdError('BAD_REQUEST', 'give either -f or objects by name, not both');
    assertNothingChooses(flags, '-f');
    const documents = await readDocuments(flags.filename);
    const described = documents.map((source) => {
      const { document } = source;
      try {
        const namespace = flags.namespace ?? textAt(document, 'metadata', 'namespace');
        return { kind: requireKindOf(document), namespace, name: requireName(document) };
      } catch (error) {
        throw named(error, source);
      }
    });
    // In reverse, so that dependents go first: a resource before its model and its type.
    return described.reverse();
  }
  if (kindText === undefined)
    throw new DtkdError('BAD_REQUEST', 'there is nothing to delete: no object is named', { next: 'See "dtkd delete --help".' });
  const wanted = parseWanted([kindText, ...names]);
  if (wanted.some((one) => one.names.length > 0)) {
    if (flags.selector !== undefined || flags.where !== undefined || flags.all === true) {
      throw new DtkdError('BAD_REQUEST', 'give either names, or -l, --where or --all', { next: 'Put an expression in quotes.' });
    }
    return wanted.flatMap(({ kind, names: given }) => given.map((name) => ({ kind, namespace: flags.namespace, name })));
  }
  if (flags.selector === undefined && flags.where === undefined && flags.all !== true) {
    throw new DtkdError('BAD_REQUEST', 'no object is named', {
      next: 'Name objects, or select them with -l or --where, or all of the kind with --all.',
    });
  }
  const found: Doomed[] = [];
  for (const { kind } of wanted) {
    const target = { kind, namespace: flags.namespace ?? THIS_NODE };
    for (const item of await listAll(client, target, { labelSelector: flags.selector, where: flags.where }, PAGE_SIZE)) {
      found.push({ kind, namespace: textAt(item, 'metadata', 'namespace'), name: requireName(item) });
    }
  }
  return found;
}
