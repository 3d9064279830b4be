import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Command, Option } from 'commander';
import { DtkdError, isErrorCode } from '../../../protocol/errors.ts';
import { modelKind } from '../../../protocol/kinds/model.ts';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import { typeKind } from '../../../protocol/kinds/type.ts';
import type { Cli } from '../../cli.ts';
import { type ApiClient, THIS_NODE } from '../../client/api.ts';
import { parseDocuments, readFileText } from '../../input/documents.ts';
import { isRecord, type JsonRecord, listAt, numberAt, textAt } from '../../json.ts';
import { VARIABLE_DIRECTORIES, WHOLE_INVENTORY } from '../../model/ansible.ts';
import type { Note } from '../../model/draft.ts';
import { keepType, mergeResource } from '../../model/merge.ts';
import { objectsOf, resourceObjectName } from '../../model/objects.ts';
import { IMPORT_FORMATS, type ImportFormat, readForeign } from '../../model/read.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

/** Page size when reading the stored model. */
const PAGE = 1000;
/** The most notes on what could not be imported that are shown; the rest are counted. */
const MAX_NOTES = 50;
/** The same for faults of a file. */
const MAX_CAUSES = 20;

const EXAMPLES = `
Examples:
  dtkd model import project.xml --model shop          ControlTier project XML
  dtkd model import resources.yaml --model shop       Rundeck: XML, YAML or JSON
  dtkd model import inventory.ini --model shop        Ansible: INI or YAML; groups become Sites and tags
  dtkd model import shop.yaml                         what "dtkd model export" wrote
  dtkd model import project.xml --model shop --dry-run

Either all of the file is imported or nothing. Files of other tools add and change; what they do not speak of
stays. Importing the same file again changes nothing. Credentials are never brought over.`;

interface ImportFlags {
  model?: string;
  format?: ImportFormat;
  dryRun?: boolean;
  output?: Format;
}

interface Prepared {
  format: string;
  objects: JsonRecord[];
  lines: (number | undefined)[];
  notes: Note[];
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<file>', 'file, or - for standard input')
    .option('--model <name>', 'model to import into (default: the name of the file)')
    .addOption(new Option('--format <format>', 'format of the file, if it is not detected').choices(IMPORT_FORMATS))
    .option('--dry-run', 'show what would be made, change nothing')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: ImportFlags) => {
      const source = file === '-' ? 'standard input' : file;
      const text = await readFileText(file);
      const client = await cli.client();
      const prepared = await prepare(client, text, source, file, flags);
      const answer = await send(client, prepared, source, flags.dryRun === true);
      if (flags.output === 'json' || flags.output === 'yaml') {
        await printValue(cli.out, { ...answer, notes: prepared.notes }, flags.output);
        return;
      }
      report(cli, prepared, answer, source, flags.dryRun === true);
    });
}

async function prepare(client: ApiClient, text: string, source: string, file: string, flags: ImportFlags): Promise<Prepared> {
  const draft = await readForeign(text, source, flags.format);
  if (draft === 'dtkd') {
    const documents = await parseDocuments(text, source);
    return { format: 'dtkd YAML', objects: documents.map(({ document }) => document), lines: documents.map(({ line }) => line), notes: [] };
  }
  const model = flags.model ?? modelNameOf(file);
  const { objects, lines, notes } = objectsOf(draft, model);
  if (draft.format.startsWith('Ansible') && file !== '-') notes.push(...(await variablesBeside(file, model)));
  const replaced = new Set(draft.resources.filter((each) => each.replaceParents === true).map((each) => resourceObjectName(model, each)));
  const stored = await storedResources(client, model);
  const types = draft.types.length === 0 ? [] : await storedTypes(client);
  const existing = await client.find({ kind: modelKind, namespace: THIS_NODE, name: model });
  const merged = objects.map((object) => {
    const name = textAt(object, 'metadata', 'name') ?? '';
    if (object['kind'] === 'Model')
      return existing === undefined ? object : { ...object, metadata: metadataOf(existing), spec: existing['spec'] };
    if (object['kind'] === 'Type') return keepType(object, types);
    const before = object['kind'] === 'Resource' ? stored.get(name) : undefined;
    return before === undefined ? object : mergeResource(before, object, replaced.has(name));
  });
  return { format: draft.format, objects: merged, lines, notes };
}

/** Notes variables that Ansible would find by itself but that are not in the file. */
async function variablesBeside(file: string, model: string): Promise<Note[]> {
  const there = await Promise.all(VARIABLE_DIRECTORIES.map((name) => stat(join(dirname(file), name)).catch(() => undefined)));
  const found = VARIABLE_DIRECTORIES.filter((_name, at) => there[at]?.isDirectory());
  if (found.length === 0) return [];
  return [
    {
      text: `${found.join(' and ')} beside the file was left out; to import everything: ${WHOLE_INVENTORY} | dtkd model import - --model ${model}`,
    },
  ];
}

/** The user-written metadata of an object that is kept unchanged. */
function metadataOf(object: JsonRecord): JsonRecord {
  const { name, labels, annotations } = isRecord(object['metadata']) ? object['metadata'] : {};
  return { name, ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) };
}

function modelNameOf(file: string): string {
  const name = basename(file)
    .replace(/\.[A-Za-z0-9]+$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  if (file !== '-' && name !== '') return name;
  throw new DtkdError('BAD_REQUEST', 'the model has no name', { next: 'Give it with --model NAME.' });
}

async function storedTypes(client: ApiClient): Promise<JsonRecord[]> {
  const types: JsonRecord[] = [];
  for await (const page of client.pages({ kind: typeKind, namespace: THIS_NODE }, {}, PAGE))
    types.push(...listAt(page, 'items').filter(isRecord));
  return types;
}

async function storedResources(client: ApiClient, model: string): Promise<Map<string, JsonRecord>> {
  const found = new Map<string, JsonRecord>();
  const target = { kind: resourceKind, namespace: THIS_NODE };
  for await (const page of client.pages(target, { fieldSelector: `spec.model=${model}` }, PAGE)) {
    for (const item of listAt(page, 'items')) if (isRecord(item)) found.set(textAt(item, 'metadata', 'name') ?? '', item);
  }
  return found;
}

/** Sends the objects; the daemon takes all or none. Refusals, which name objects, are reported with the lines of the file. */
async function send(client: ApiClient, { objects, lines }: Prepared, source: string, dryRun: boolean): Promise<JsonRecord> {
  try {
    return await client.daemon('POST', 'import', { objects, dryRun });
  } catch (error) {
    if (!(error instanceof DtkdError) || !isErrorCode(error.code)) throw error;
    const told = listAt(error.details, 'causes').map((cause) => causeText(cause, objects, lines, source));
    const message = told.length === 0 ? `${source}: ${error.message}` : `nothing was imported\n  ${told.slice(0, MAX_CAUSES).join('\n  ')}`;
    const more = told.length > MAX_CAUSES ? `\n  … and ${told.length - MAX_CAUSES} more` : '';
    throw new DtkdError(error.code, `${message}${more}`, {
      ...(error.next === undefined ? {} : { next: error.next }),
      cause: error,
    });
  }
}

/** `FILE:LINE: Kind name: field: what is wrong`. */
function causeText(cause: unknown, objects: readonly JsonRecord[], lines: Prepared['lines'], source: string): string {
  const match = /^objects\[(\d+)\]\.?(.*)$/s.exec(textAt(cause, 'field') ?? '');
  const message = textAt(cause, 'message') ?? '';
  const index = Number(match?.[1]);
  const object = objects[index];
  if (match === null || object === undefined) return `${source}: ${message}`;
  const line = lines[index];
  const where = line === undefined ? source : `${source}:${line}`;
  const what = `${textAt(object, 'kind') ?? ''} ${textAt(object, 'metadata', 'name') ?? ''}`.trim();
  return [where, what, match[2], message].filter((part) => part !== undefined && part !== '').join(': ');
}

function report(cli: Cli, { format, objects, notes }: Prepared, answer: JsonRecord, source: string, dryRun: boolean): void {
  const count = (result: string) => numberAt(answer, result) ?? 0;
  for (const { line, text } of notes.slice(0, MAX_NOTES)) cli.out.note(`${source}${line === undefined ? '' : `:${line}`}: ${text}`);
  if (notes.length > MAX_NOTES) cli.out.note(`… and ${notes.length - MAX_NOTES} more that could not be kept (-o json shows all)`);
  const kinds = new Map<string, number>();
  for (const object of objects) kinds.set(String(object['kind']), (kinds.get(String(object['kind'])) ?? 0) + 1);
  const what = [...kinds].map(([kind, number]) => `${number} ${kind}${number === 1 ? '' : 's'}`).join(', ');
  const models = objects.filter((object) => object['kind'] === 'Model').map((object) => textAt(object, 'metadata', 'name') ?? '');
  cli.out.print(`${format}: ${what}${models.length === 1 ? `, model ${models[0]}` : ''}`);
  cli.out.print(`${count('created')} created, ${count('changed')} changed, ${count('unchanged')} unchanged${dryRun ? ' (dry run)' : ''}`);
}
