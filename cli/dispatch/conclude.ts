/** What is printed at the end of an attended execution, and its exit status. */
import type { Cli, GlobalFlags } from '../cli.ts';
import { escapeControls } from '../output/escape.ts';
import type { Attended, AttendOptions } from './attend.types.ts';
import { type ExecutionView, shortId } from './execution.ts';
import { shellLine } from './shell-line.ts';
import { countsLine, exitStatusOf, failedNodesLine, failureLines, nodesOf, unsuccessful } from './summary.ts';

/** Prints the last lines and sets the exit status. */
export function conclude(cli: Cli, { execution, ending, missing }: Attended, options: AttendOptions): void {
  const status = exitStatusOf(execution, ending, missing);
  cli.exitWith(status);
  if (options.show.output === 'json') {
    cli.out.print(JSON.stringify({ type: 'end', id: execution.id, ending, exitStatus: status, ...(missing > 0 ? { missing } : {}) }));
    return;
  }
  const failed = unsuccessful(execution);
  const { global } = options;
  const id = shortId(execution.id);
  if (status === 0 && execution.parts.size === 1 && (options.tellsCount !== true || options.show.raw === true)) return;
  cli.out.note(countsLine(execution));
  const failedOn = failedNodesLine(failed);
  if (failed.length > 0) cli.out.note([...(failedOn === undefined ? [] : [escapeControls(failedOn)]), ...failureLines(failed)].join('\n'));
  if (execution.message !== undefined) cli.out.note(escapeControls(execution.message));
  if (missing > 0)
    cli.out.note(`No node could tell what became of ${missing} more: their nodes cannot be reached now, or you may not read them.`);
  if (ending === 'paused') {
    cli.out.note(`It is paused. ${goOn(execution, global)}\nOr end it: ${line(global, 'executions', 'abort', id)}`);
    return;
  }
  if (ending === 'running') sayHowToGoOn(cli, execution, global);
  if (ending === 'queued') cli.out.note(`Orders wait for the rest. See: ${line(global, 'executions', 'show', id)}`);
  // a retry would be forbidden again: the reasons say what would change that
  if (failed.every(({ outcome, code }) => outcome === 'refused' && code === 'FORBIDDEN')) return;
  cli.out.note(`Retry them: ${line(global, 'executions', 'retry', id)}`);
  if (options.againOn !== undefined) cli.out.note(`Or:         ${options.againOn(nodesOf(failed))}`);
}

/** How to resume it after this pause. That works at the node that started it, and only that node shows the request. */
function goOn({ id, starter, request, pauses }: ExecutionView, global: GlobalFlags): string {
  const which = pauses === undefined ? [] : ['--pause', String(pauses)];
  if (Object.keys(request).length > 0) return `Go on: ${line(global, 'executions', 'resume', shortId(id), ...which)}`;
  return `Go on, at ${escapeControls(starter)}: ${line({}, 'executions', 'resume', shortId(id))}`;
}

export function sayHowToGoOn(cli: Cli, { id }: ExecutionView, global: GlobalFlags): void {
  if (id === '') {
    cli.out.note('It is not known whether anything was started. See: dtkd executions ls');
    return;
  }
  cli.out.note(
    `It goes on. Follow it: ${line(global, 'executions', 'follow', shortId(id))}\nOr abort it: ${line(global, 'executions', 'abort', shortId(id))}`,
  );
}

/** A `dtkd` command line for the same daemon. Repeats the file name of a token, never a token itself. */
export function line(global: GlobalFlags, ...words: string[]): string {
  const { url, token, data, ca } = global;
  const flags = [
    ...(url === undefined ? [] : ['--url', url]),
    ...(token?.startsWith('@') ? ['--token', token] : []),
    ...(data === undefined ? [] : ['--data', data]),
    ...(ca === undefined ? [] : ['--ca', ca]),
  ];
  return shellLine(['dtkd', ...flags, ...words]);
}
