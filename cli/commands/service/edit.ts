import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { SERVICE_FILE } from '../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli, GlobalFlags } from '../../cli.ts';
import type { ApiClient } from '../../client/api.ts';
import { type Named, named, nodeWords, readServiceFile, serviceTarget } from '../../client/services.ts';
import { line } from '../../dispatch/conclude.ts';
import { runEditor } from '../../input/editor.ts';
import { differenceLines } from '../../service/difference-lines.ts';
import { toldOf } from '../../service/editing.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';

const EXAMPLES = `
Examples:
  dtkd service edit shop
  EDITOR="code --wait" dtkd service edit shop

If the text has errors, the editor opens again with line and column, until it is accepted or you leave it unchanged. If
somebody else changed the file meanwhile, nothing is written, and you are told where your text is kept.`;

/** Codes of refusals that another edit can correct. */
const MENDABLE = new Set(['INVALID', 'BAD_REQUEST', 'VIOLATIONS', 'TOO_LARGE']);
/** A limit for editors that are scripts and save the same invalid text for ever; a person gives up sooner. */
const MAX_ATTEMPTS = 20;
/** Prefix of lines that are not part of the file. */
const MARK = '#dtkd ';

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<GlobalFlags & NodeFlag>();
      const service = named(name, flags);
      const client = await cli.client();
      const directory = await mkdtemp(join(tmpdir(), 'dtkd-edit-'));
      const file = join(directory, SERVICE_FILE);
      const session: Session = { text: '', isSaved: true };
      try {
        const answer = await edit(client, service, file, session);
        if (answer === undefined) return cli.out.note('Nothing was changed.');
        const differences = toldOf(cli, answer);
        cli.out.lines(differenceLines((colour, text) => cli.out.paint(colour, text), differences));
        cli.out.note(`Next: ${line(flags, 'converge', service.name, ...nodeWords(service))}`);
      } catch (error) {
        if (!session.isSaved) await writeFile(file, session.text, { mode: 0o600 });
        throw session.isSaved ? error : kept(error, file, service);
      } finally {
        if (session.isSaved) await rm(directory, { recursive: true, force: true });
      }
    });
}

/** What the person wrote, and whether the daemon has saved it. */
interface Session {
  text: string;
  isSaved: boolean;
}

/** Lets the person edit until the daemon accepts the file. Returns its answer; undefined: no change. Throws if the person gives up. */
async function edit(client: ApiClient, service: Named, file: string, session: Session): Promise<unknown> {
  const { content, base } = await readServiceFile(client, service);
  session.text = content;
  let reason: DtkdError | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const shown = withMarks(session.text, reason);
    await writeFile(file, shown, { mode: 0o600 });
    await runEditor(file, 'Set EDITOR to your editor, or use "dtkd service set".');
    const saved = await readFile(file, 'utf8');
    const text = withoutMarks(saved);
    if (reason !== undefined && (saved === shown || text === session.text || attempt > MAX_ATTEMPTS)) throw reason;
    if (text === content) {
      session.isSaved = true;
      return undefined;
    }
    session.text = text;
    session.isSaved = false;
    try {
      const answer = await client.call('POST', serviceTarget(service, 'file'), { content: text, base });
      session.isSaved = true;
      return answer;
    } catch (error) {
      if (!(error instanceof DtkdError) || !MENDABLE.has(error.code)) throw error;
      reason = error;
    }
  }
}

function withMarks(text: string, reason: DtkdError | undefined): string {
  const lines =
    reason === undefined
      ? ['Edit, save and close. Leave the text as it is to change nothing.']
      : ['This was refused:', ...reason.message.split('\n'), ...(reason.next === undefined ? [] : [`next: ${reason.next}`])];
  return `${lines.map((one) => MARK + one).join('\n')}\n${text}`;
}

function withoutMarks(text: string): string {
  return text
    .split('\n')
    .filter((one) => !one.startsWith(MARK))
    .join('\n');
}

/** The same error, naming the file with the person's text. */
function kept(error: unknown, file: string, { name }: Named): unknown {
  const known = error instanceof DtkdError ? error : new DtkdError('INTERNAL', error instanceof Error ? error.message : String(error));
  const again =
    known.code === 'CONFLICT'
      ? `Copy your changes from there: "dtkd service edit ${name}" opens the file as it is now.`
      : (known.next ?? '');
  return new DtkdError(known.code, known.message, {
    next: `What you wrote is in ${file}. ${again}`.trim(),
    cause: error,
    ...(known.details === undefined ? {} : { details: known.details }),
  });
}
