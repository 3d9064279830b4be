/**
 * Attends an execution for a person: shows its progress, detaches or aborts on Ctrl-C, sums up at the end and sets the exit status. Used by
 * all commands that start or follow executions.
 */
import { DtkdError } from '../../protocol/errors.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import { textAt } from '../json.ts';
import { escapeControls } from '../output/escape.ts';
import type { Attended, AttendOptions } from './attend.types.ts';
import { BatchedScreen } from './batched-screen.ts';
import { conclude, line, sayHowToGoOn } from './conclude.ts';
import { shortId } from './execution.ts';
import { Following } from './following.ts';
import { onInterrupts } from './interrupts.ts';
import { assertOneForm, canBeLive, loadView, plainScreen } from './show-flags.ts';
import type { Ending } from './summary.ts';
import type { FollowView } from './view.types.ts';

export async function attend(cli: Cli, options: AttendOptions): Promise<Attended> {
  assertOneForm(options.show);
  const isLive = canBeLive(cli.out, options.show);
  const [client, viewIn, openLive] = await Promise.all([
    cli.client(),
    loadView(options.show),
    isLive ? import('./live.ts').then((module) => module.openLive) : undefined,
  ]);
  const stop = new AbortController();
  let leftWith: number | undefined;
  let aborting: Promise<unknown> | undefined;
  const plain = plainScreen();
  const live = openLive?.(cli.out, plain, () => following.execution);
  const screen = new BatchedScreen(live ?? plain);
  let view: FollowView | undefined;
  const following: Following = new Following(
    client,
    {
      view: {
        show(event, execution) {
          const escaped = process.stdout.isTTY === true;
          view ??= viewIn(options.prefix, options.localIsPlain ? execution.starter : undefined, screen, escaped, options.shown);
          view.show(event, execution);
          screen.flush();
        },
        end: () => undefined,
      },
      signal: stop.signal,
      waitForQueued: options.waitForQueued,
      onContact: (event) => say(event === 'lost' ? 'contact with the daemon was lost; looking for it again' : 'the daemon is there again'),
    },
    options.id,
    options.shown,
  );
  const release = onInterrupts(cli.out.interactive, {
    announce: (graceMs) => {
      if (following.execution.id === '') return letGo(130);
      say(`This command ends in ${graceMs / 1000} seconds, and the execution goes on. Press Ctrl-C again to abort the execution.`);
    },
    abort: () => {
      say('Aborting it on all targets. Press Ctrl-C once more to leave at once.');
      aborting = client.daemon('POST', `executions/${following.execution.id}/abort`, {}, stop.signal).catch((error: unknown) => {
        if (leftWith === undefined) say(`It could not be aborted: ${error instanceof Error ? error.message : String(error)}`);
      });
    },
    letGo,
  });
  // 128 + SIGPIPE, as for a program that writes to a closed pipe; how the execution ends is not known
  cli.out.onUnread(() => letGo(141));
  try {
    const first = options.start === undefined ? undefined : client.daemonLines(options.start.path, options.start.body, stop.signal);
    const ending = await following.run(first).catch((error: unknown): Ending => {
      if (leftWith !== undefined) return 'running';
      // output that was held back is shown even if following failed
      view?.end(following.execution);
      screen.flush();
      throw withWayOn(error, following.execution.id, options.global);
    });
    await aborting;
    view?.end(following.execution);
    screen.flush();
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
    screen.flush();
  }
}

/** Adds the command that continues to the error of a follow that broke. */
function withWayOn(error: unknown, id: string, global: GlobalFlags): unknown {
  if (id === '' || (error instanceof DtkdError && error.code !== 'DAEMON_UNREACHABLE')) return error;
  const text = error instanceof Error ? error.message : (textAt(error, 'message') ?? String(error));
  return new DtkdError('DAEMON_UNREACHABLE', text, {
    next: `When it is back, go on with: ${line(global, 'executions', 'follow', shortId(id))}`,
    cause: error,
  });
}
