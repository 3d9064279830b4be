/**
 * Attends an execution for a person: shows what it does, lets go or aborts on Ctrl-C, sums up at the end and sets the exit status. Used by all
 * commands that start or follow executions.
 */
import { DtkdError } from '../../protocol/errors.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import { textAt } from '../json.ts';
import { escapeControls } from '../output/escape.ts';
import { type ExecutionView, shortId } from './execution.ts';
import { Following } from './following.ts';
import { onInterrupts } from './interrupts.ts';
import { liveLines } from './live-lines.ts';
import { LiveScreen } from './live-screen.ts';
import { shellLine } from './shell-line.ts';
import { assertOneForm, canBeLive, plainScreen, type ShowFlags, viewOf } from './show-flags.ts';
import { countsLine, type Ending, exitStatusOf, failedNodesLine, failureLines, unsuccessful } from './summary.ts';
import type { TextForm } from './text-view.ts';
import type { FollowView } from './view.types.ts';

export interface AttendOptions {
  /** Body of the dispatch, or of a retry with its path; or the execution that is there. */
  start?: { path: string; body: unknown };
  id?: string;
  show: ShowFlags;
  prefix: TextForm['prefix'];
  /** True if the starting node's own lines need no prefix. */
  localIsPlain: boolean;
  waitForQueued: boolean;
  /** Flags of the connection, for command lines that are shown. */
  global: GlobalFlags;
  /** Another command line that would run the command again on these nodes. */
  againOn?(nodes: readonly string[]): string;
}

/** What is known when it is over. */
export interface Attended {
  execution: ExecutionView;
  ending: Ending;
  missing: number;
}

export async function attend(cli: Cli, options: AttendOptions): Promise<Attended> {
  assertOneForm(options.show);
  const client = await cli.client();
  const stop = new AbortController();
  let leftWith: number | undefined;
  const startedAt = Date.now();
  const plain = plainScreen();
  const live = canBeLive(cli.out, options.show)
    ? new LiveScreen(process.stderr, plain, (size) =>
        following.execution.parts.size < 2
          ? []
          : liveLines((colour, text) => cli.out.paint(colour, text), following.execution, Date.now(), startedAt, size),
      )
    : undefined;
  const screen = live ?? plain;
  let view: FollowView | undefined;
  const following: Following = new Following(
    client,
    {
      view: {
        show(event, execution) {
          const escaped = process.stdout.isTTY === true;
          view ??= viewOf(options.show, options.prefix, options.localIsPlain ? execution.starter : undefined, screen, escaped);
          view.show(event, execution);
        },
        end: () => undefined,
      },
      signal: stop.signal,
      waitForQueued: options.waitForQueued,
      onContact: (event) => say(event === 'lost' ? 'contact with the daemon was lost; looking for it again' : 'the daemon is there again'),
    },
    options.id,
  );
  const release = onInterrupts(cli.out.interactive, {
    announce: (graceMs) => {
      if (following.execution.id === '') return letGo(130);
      say(`This command ends in ${graceMs / 1000} seconds, and the execution goes on. Press Ctrl-C again to abort the execution.`);
    },
    abort: () => {
      say('Aborting it on all targets. Press Ctrl-C once more to leave at once.');
      client.daemon('POST', `executions/${following.execution.id}/abort`, {}).catch((error: unknown) => {
        say(`It could not be aborted: ${error instanceof Error ? error.message : String(error)}`);
      });
    },
    letGo,
  });
  try {
    const first = options.start === undefined ? undefined : client.daemonLines(options.start.path, options.start.body, stop.signal);
    const ending = await following.run(first).catch((error: unknown): Ending => {
      if (leftWith !== undefined) return 'running';
      throw withWayOn(error, following.execution.id, options.global);
    });
    view?.end(following.execution);
    live?.close();
    const attended = { execution: following.execution, ending, missing: following.missing };
    if (leftWith === undefined) conclude(cli, attended, options);
    else {
      sayHowToGoOn(cli, attended.execution, options.global);
      cli.exitWith(leftWith);
    }
    return attended;
  } finally {
    live?.close();
    release();
  }

  function letGo(status: number): void {
    leftWith ??= status;
    stop.abort();
  }

  function say(text: string): void {
    screen.err(`${escapeControls(text)}\n`);
  }
}

/** The last lines, and the exit status. */
function conclude(cli: Cli, { execution, ending, missing }: Attended, options: AttendOptions): void {
  const status = exitStatusOf(execution, ending, missing);
  cli.exitWith(status);
  if (options.show.output === 'json') {
    cli.out.print(JSON.stringify({ type: 'end', id: execution.id, ending, exitStatus: status, ...(missing > 0 ? { missing } : {}) }));
    return;
  }
  const failed = unsuccessful(execution);
  const { global } = options;
  const id = shortId(execution.id);
  if (status === 0 && execution.parts.size === 1) return;
  cli.out.note(countsLine(execution));
  if (failed.length > 0)
    cli.out.note([failedNodesLine(failed).split('\n').map(escapeControls).join(''), ...failureLines(failed)].join('\n'));
  if (execution.message !== undefined) cli.out.note(escapeControls(execution.message));
  if (missing > 0) cli.out.note(`Of ${missing} more no node could tell: their nodes cannot be reached now, or you may not read them.`);
  if (ending === 'paused') {
    cli.out.note(`It is paused. Go on: ${line(global, 'executions', 'resume', id)}\nOr end it: ${line(global, 'executions', 'abort', id)}`);
    return;
  }
  if (ending === 'queued') cli.out.note(`Orders wait for the rest. See: ${line(global, 'executions', 'show', id)}`);
  if (failed.length === 0) return;
  cli.out.note(`Retry them: ${line(global, 'executions', 'retry', id)}`);
  if (options.againOn !== undefined) cli.out.note(`Or:         ${options.againOn([...new Set(failed.map(({ node }) => node))])}`);
}

function sayHowToGoOn(cli: Cli, { id }: ExecutionView, global: GlobalFlags): void {
  if (id === '') {
    cli.out.note('It is not known whether anything was started. See: dtkd executions ls');
    return;
  }
  cli.out.note(
    `It goes on. Follow it: ${line(global, 'executions', 'follow', shortId(id))}\nOr abort it: ${line(global, 'executions', 'abort', shortId(id))}`,
  );
}

/** A `dtkd` command line for the same daemon. A token is never repeated. */
export function line(global: GlobalFlags, ...words: string[]): string {
  const { url, data, ca } = global;
  const flags = [
    ...(url === undefined ? [] : ['--url', url]),
    ...(data === undefined ? [] : ['--data', data]),
    ...(ca === undefined ? [] : ['--ca', ca]),
  ];
  return shellLine(['dtkd', ...flags, ...words]);
}

/** A follow that broke says how to go on. */
function withWayOn(error: unknown, id: string, global: GlobalFlags): unknown {
  if (id === '' || (error instanceof DtkdError && error.code !== 'DAEMON_UNREACHABLE')) return error;
  const text = error instanceof Error ? error.message : (textAt(error, 'message') ?? String(error));
  return new DtkdError('DAEMON_UNREACHABLE', text, {
    next: `When it is back, go on with: ${line(global, 'executions', 'follow', shortId(id))}`,
    cause: error,
  });
}
