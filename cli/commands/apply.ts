import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { Kind } from '../../protocol/kinds/kind.ts';
import type { Cli } from '../cli.ts';
import type { ApiClient } from '../client/api.ts';
import { type Applied, applyDocument } from '../client/apply.ts';
import { waitForObject } from '../client/ready.ts';
import { placeOf, readDocuments, type SourceDocument } from '../input/documents.ts';
import { parseDuration } from '../input/duration.ts';
import { type JsonRecord, textAt } from '../json.ts';
import { fullName, requireKindOf } from '../kinds.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';

const DEFAULT_WAIT = '60s';

const EXAMPLES = `
Examples:
  dtkd apply -f wiki.yaml                several documents, divided by ---
  dtkd apply -f examples/                all .yaml, .yml and .json files of a directory
  cat app.yaml | dtkd apply -f -
  dtkd apply -f domain.yaml --wait       return when the domain is Ready, fail if it is Failed
  dtkd apply -f wiki.yaml --dry-run      let the daemon check it, change nothing

What a document says replaces what was written before; fields that only the daemon writes
stay. Labels given replace the stored ones; annotations, finalizers and owners are added.`;

interface ApplyFlags {
  filename: string[];
  namespace?: string;
  dryRun?: boolean;
  wait?: boolean | string;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  command
    .requiredOption('-f, --filename <file...>', 'file, directory, or - for standard input')
    .option('-n, --namespace <node>', 'node that will own the objects')
    .option('--dry-run', 'check only')
    .option('--wait [duration]', `wait until objects with a status are Ready (default: ${DEFAULT_WAIT})`)
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const flags = command.optsWithGlobals<ApplyFlags>();
      const timeoutMs = parseDuration(typeof flags.wait === 'string' ? flags.wait : DEFAULT_WAIT);
      const documents = await readDocuments(flags.filename);
      const client = await cli.client();
      const done: { kind: Kind; object: JsonRecord }[] = [];
      for (const source of documents) {
        const { document } = source;
        try {
          const kind = requireKindOf(document);
          const applied = await applyDocument(client, kind, document, { namespace: flags.namespace, dryRun: flags.dryRun === true });
          done.push({ kind, object: applied.object });
          report(cli, kind, applied, flags);
        } catch (error) {
          cli.failed(named(error, source));
        }
      }
      if (flags.output === 'json' || flags.output === 'yaml') await printObjects(cli, done, flags.output);
      if (flags.wait !== undefined && flags.dryRun !== true) {
        for (const { kind, object } of done) await waitReady(cli, client, kind, object, timeoutMs).catch((error) => cli.failed(error));
      }
    });
}

function report(cli: Cli, kind: Kind, { result, object }: Applied, flags: ApplyFlags): void {
  const name = fullName(kind, textAt(object, 'metadata', 'name') ?? '');
  if (flags.output === 'name') cli.out.print(name);
  else if (flags.output === undefined) cli.out.print(`${name} ${result}${flags.dryRun === true ? ' (dry run)' : ''}`);
}

/** Prints one object as it is, several as a List. */
export async function printObjects(cli: Cli, done: readonly { object: JsonRecord }[], format: 'json' | 'yaml'): Promise<void> {
  const items = done.map(({ object }) => object);
  if (items.length > 0) await printValue(cli.out, items.length === 1 ? items[0] : { apiVersion: 'v1', kind: 'List', items }, format);
}

/** Adds the document to an error: by its kind and name, or by its place if it lacks one of them. */
export function named(error: unknown, source: SourceDocument): unknown {
  if (!(error instanceof DtkdError) || error.code === 'DAEMON_UNREACHABLE') return error;
  const [kind, name] = [textAt(source.document, 'kind') ?? '', textAt(source.document, 'metadata', 'name') ?? ''];
  const about = kind === '' || name === '' ? placeOf(source) : `${kind} ${name}`;
  if (error.message.includes(about) || error.message.includes(`${kind} "${name}"`)) return error;
  return new DtkdError(error.code, `${about}: ${error.message}`, {
    ...(error.next === undefined ? {} : { next: error.next }),
    cause: error,
  });
}

/** Waits until an object with a `status` is Ready; Failed is an error with the daemon's reason. */
async function waitReady(cli: Cli, client: ApiClient, kind: Kind, object: JsonRecord, timeoutMs: number): Promise<void> {
  const name = textAt(object, 'metadata', 'name');
  if (!kind.serverFields.includes('status') || !kind.selectableFields.includes('status') || name === undefined) return;
  const what = `${fullName(kind, name)} to be Ready`;
  cli.out.progress(`Waiting for ${what} ...`);
  const target = { kind, namespace: textAt(object, 'metadata', 'namespace'), name };
  const settled = await waitForObject(client, target, (seen) => ['Ready', 'Failed'].includes(textAt(seen, 'status') ?? ''), {
    timeoutMs,
    what,
  });
  if (textAt(settled, 'status') === 'Ready') return;
  throw new DtkdError('UNAVAILABLE', `${fullName(kind, name)} failed: ${textAt(settled, 'message') ?? 'the daemon gives no reason'}`);
}
