/** Shows how the daemon fetches released modules. */
import { DtkdError } from '../../protocol/errors.ts';
import type { Cli } from '../cli.ts';
import type { ApiClient } from '../client/api.ts';
import { errorOfStatus } from '../client/status-error.ts';
import { isRecord, type JsonRecord, listAt, numberAt, recordAt, textAt } from '../json.ts';
import { escapeControls } from '../output/escape.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { formatSize } from '../output/size.ts';

/** Posts an action that may fetch modules, reports each on standard error, and returns the final result. */
export async function followModules(cli: Cli, client: ApiClient, action: string, body: object): Promise<JsonRecord> {
  const write = cli.out.interactive ? (text: string) => void process.stderr.write(text) : undefined;
  let line = new ProgressLine('Fetching', write);
  try {
    for await (const told of client.daemonLines(action, body)) {
      if (isRecord(told) && isRecord(told['done'])) return told['done'];
      if (textAt(told, 'kind') === 'Status') throw errorOfStatus(numberAt(told, 'code') ?? 500, told);
      const begun = recordAt(told, 'fetching');
      const come = numberAt(told, 'progress', 'done');
      const altered = textAt(told, 'altered', 'member');
      if (textAt(begun, 'module') !== undefined) {
        line.clear();
        const what = `${textAt(begun, 'module') ?? ''} ${textAt(begun, 'version') ?? ''}`;
        note(cli, `Fetching ${what}, published by ${textAt(begun, 'publisher') ?? ''} (${formatSize(numberAt(begun, 'size') ?? 0)})`);
        line = new ProgressLine(`Fetching ${what}`, write);
      } else if (come !== undefined) {
        line.show(come, numberAt(told, 'progress', 'size') ?? 0);
      } else if (altered !== undefined) {
        line.clear();
        note(cli, `warning: ${altered} serves an altered copy; it was not taken, and ${altered} is not asked again`);
      }
    }
  } finally {
    line.clear();
  }
  throw new DtkdError('DAEMON_UNREACHABLE', 'the daemon stopped before it was done', {
    next: 'Run the command again: what has arrived is kept.',
  });
}

/** `acme/db 1.2.0, acme/os 0.3.0` */
export function neededText(done: JsonRecord): string {
  return listAt(done, 'dependencies')
    .map((one) => `${textAt(one, 'module') ?? ''} ${textAt(one, 'version') ?? ''}`)
    .join(', ');
}

function note(cli: Cli, text: string): void {
  cli.out.note(escapeControls(text));
}
