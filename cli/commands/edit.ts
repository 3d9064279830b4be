import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { Kind } from '../../protocol/kinds/kind.ts';
import type { Cli } from '../cli.ts';
import type { ApiClient, Target } from '../client/api.ts';
import { mergeDocument, sameUserFields } from '../client/apply.ts';
import { parseDocuments } from '../input/documents.ts';
import { runEditor } from '../input/editor.ts';
import { type JsonRecord, recordAt, textAt } from '../json.ts';
import { fullName, parseWanted } from '../kinds.ts';
import { toYaml } from '../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd edit dtapp wiki
  EDITOR="code --wait" dtkd edit service/wiki

If the daemon refuses the text, the editor opens again with the reason, until it is accepted
or you leave the text unchanged.`;

/** Codes of refusals that another edit can correct. */
const MENDABLE = new Set(['INVALID', 'BAD_REQUEST', 'CONFLICT', 'NAME_INVALID', 'TOKEN_MALFORMED', 'TOKEN_WRONG_DOMAIN', 'TOO_LARGE']);

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<kind>', 'KIND or KIND/NAME')
    .argument('[name]')
    .option('-n, --namespace <node>', 'node that owns the object')
    .addHelpText('after', EXAMPLES)
    .action(async (kindText: string, name: string | undefined) => {
      const { namespace } = command.optsWithGlobals<{ namespace?: string }>();
      const [wanted] = parseWanted(name === undefined ? [kindText] : [kindText, name]);
      const [only, ...more] = wanted?.names ?? [];
      if (wanted === undefined || only === undefined || more.length > 0) {
        const next = wanted === undefined ? 'See "dtkd edit --help".' : `See "dtkd get ${wanted.kind.plural}".`;
        throw new DtkdError('BAD_REQUEST', 'name one object: KIND NAME', { next });
      }
      if (!wanted.kind.verbs.includes('update')) {
        throw new DtkdError('METHOD_NOT_ALLOWED', `${wanted.kind.plural} cannot be edited`, {
          next: `Their verbs are: ${wanted.kind.verbs.join(', ')}.`,
        });
      }
      const client = await cli.client();
      const dir = await mkdtemp(join(tmpdir(), 'dtkd-edit-'));
      try {
        const result = await edit(client, wanted.kind, { kind: wanted.kind, namespace, name: only }, join(dir, `${only}.yaml`));
        if (result === 'unchanged') cli.out.note('Nothing was changed.');
        else cli.out.print(`${fullName(wanted.kind, only)} edited`);
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    });
}

/** A limit for editors that are scripts and save the same invalid text for ever; a person gives up sooner. */
const MAX_ATTEMPTS = 20;

async function edit(client: ApiClient, kind: Kind, target: Target, file: string): Promise<'edited' | 'unchanged'> {
  let stored = await client.get(target);
  let text = await toYaml(editable(kind, stored));
  let reason: DtkdError | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const shown = withComments(text, reason);
    await writeFile(file, shown, { mode: 0o600 });
    await runEditor(file, 'Set EDITOR to your editor, or use "dtkd patch" or "dtkd apply".');
    const saved = await readFile(file, 'utf8');
    if (saved === shown) {
      if (reason !== undefined) throw reason;
      return 'unchanged';
    }
    if (reason !== undefined && (withoutComments(saved) === text || attempt > MAX_ATTEMPTS)) throw reason;
    text = withoutComments(saved);
    try {
      const [edited, ...more] = await parseDocuments(text, 'the edited text');
      if (edited === undefined) return 'unchanged';
      if (more.length > 0) throw new DtkdError('INVALID', 'the edited text must be one document');
      const wanted = replaceUserFields(kind, stored, edited.document);
      if (sameUserFields(kind, stored, wanted)) return 'unchanged';
      await client.replace(target, wanted);
      return 'edited';
    } catch (error) {
      if (!(error instanceof DtkdError) || !MENDABLE.has(error.code)) throw error;
      reason = error;
      // Somebody else wrote: the next attempt builds on the current state.
      if (error.code === 'CONFLICT') stored = await client.get(target);
    }
  }
}

/** The fields that a person may change, and those that name the object. */
function editable(kind: Kind, object: JsonRecord): JsonRecord {
  const { name, namespace, labels, annotations } = recordAt(object, 'metadata');
  const fields = Object.entries(object).filter(([field]) => field !== 'metadata' && !kind.serverFields.includes(field));
  const { apiVersion, kind: kindName, ...rest } = Object.fromEntries(fields);
  const optional = Object.fromEntries(Object.entries({ namespace, labels, annotations }).filter(([, value]) => value !== undefined));
  return { apiVersion, kind: kindName, metadata: { name, ...optional }, ...rest };
}

/** Replaces user-written fields. Unlike `apply`, removes labels and annotations that were deleted from the text. */
function replaceUserFields(kind: Kind, stored: JsonRecord, document: JsonRecord): JsonRecord {
  const { labels: _labels, annotations: _annotations, ...meta } = recordAt(stored, 'metadata');
  const bare = { ...stored, metadata: { ...meta, labels: undefined, annotations: undefined } };
  const given = textAt(document, 'metadata', 'name');
  if (given !== textAt(stored, 'metadata', 'name')) throw new DtkdError('INVALID', 'the name of an object cannot be changed');
  return mergeDocument(kind, bare, document);
}

const COMMENT = '# ';

function withComments(text: string, reason: DtkdError | undefined): string {
  const lines =
    reason === undefined
      ? ['Edit, save and close. Leave the text as it is to change nothing.']
      : ['The daemon refused this:', ...reason.message.split('\n'), ...(reason.next === undefined ? [] : [`next: ${reason.next}`])];
  return `${lines.map((line) => COMMENT + line).join('\n')}\n${text.replace(/\n?$/, '\n')}`;
}

function withoutComments(text: string): string {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => !line.startsWith('#'));
  return first === -1 ? '' : lines.slice(first).join('\n');
}
