import type { z } from 'zod';
import { editAnswer, type ServiceEdit } from '../../protocol/requests/service.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import { type Named, nodeWords, serviceTarget } from '../client/services.ts';
import { line } from '../dispatch/conclude.ts';
import { escapeControls } from '../output/escape.ts';
import { differenceLines } from './difference-lines.ts';

type Differences = z.infer<typeof editAnswer>['differences'];

/** Edits `dtk.service.yaml`, all or nothing, then shows what changed and what to do next. */
export async function editService(cli: Cli, service: Named, edits: readonly ServiceEdit[], global: GlobalFlags): Promise<void> {
  showEdited(cli, service, await sendEdits(cli, service, edits), global);
}

/** Sends edits and prints only warnings. `base`: the digest of the file that the edits are based on. */
export async function sendEdits(cli: Cli, service: Named, edits: readonly ServiceEdit[], base?: string): Promise<Differences> {
  const client = await cli.client();
  const body = { edits, ...(base === undefined ? {} : { base }) };
  return toldOf(cli, await client.call('POST', serviceTarget(service, 'edit'), body));
}

/** The differences in the answer to an edit; prints its warnings. */
export function toldOf(cli: Cli, answer: unknown): Differences {
  const { differences, notes = [] } = editAnswer.parse(answer);
  for (const note of notes) cli.out.note(`warning: ${escapeControls(note)}`);
  return differences;
}

export function showEdited(cli: Cli, service: Named, differences: Differences, global: GlobalFlags): void {
  if (differences.length === 0) {
    cli.out.print('Nothing to change: it is like that already.');
    return;
  }
  cli.out.lines(differenceLines((colour, text) => cli.out.paint(colour, text), differences));
  cli.out.note(`Next: ${line(global, 'converge', service.name, ...nodeWords(service))}`);
}
