/** Attends a task for a person: shows its tree, detaches or cancels on Ctrl-C, sums up at the end and sets the exit status. */
import { DtkdError } from '../../protocol/errors.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import { type Named, nodeWords, taskTarget } from '../client/services.ts';
import { BatchedScreen } from '../dispatch/batched-screen.ts';
import { line } from '../dispatch/conclude.ts';
import { onInterrupts } from '../dispatch/interrupts.ts';
import { plainScreen } from '../dispatch/show-flags.ts';
import { escapeControls } from '../output/escape.ts';
import { toJson } from '../output/format.ts';
import { leavesOf, type TaskView } from './task.ts';
import { taskExitStatus } from './task-ending.ts';
import { TaskFollowing } from './task-following.ts';
import { countsLine, liveTreeLines, treeLines } from './task-lines.ts';
import { TaskJsonView, TaskTextView } from './task-views.ts';

export interface TaskShowFlags {
  verbose?: boolean;
  output?: 'json';
}

export interface AttendTaskOptions {
  task: Named;
  show: TaskShowFlags;
  global: GlobalFlags;
  /** The command line that continues a task that did not succeed. */
  again?: readonly string[];
}

/** A larger tree is not printed again at the end. */
const MAX_FINAL_STEPS = 100;

export interface AttendedTask {
  task: TaskView;
  ending: 'ended' | 'running';
}

export async function attendTask(cli: Cli, options: AttendTaskOptions): Promise<AttendedTask> {
  const { show, task: name, global } = options;
  const client = await cli.client();
  const asJson = show.output === 'json';
  const isLive = cli.out.interactive && !asJson;
  const startedAt = Date.now();
  const stop = new AbortController();
  let leftWith: number | undefined;
  let cancelling: Promise<unknown> | undefined;
  const plain = plainScreen();
  const live = isLive ? await openLive() : undefined;
  const screen = new BatchedScreen(live ?? plain);
  const view = asJson
    ? new TaskJsonView(screen)
    : new TaskTextView(screen, {
        verbose: show.verbose === true,
        lines: !isLive,
        escape: process.stdout.isTTY === true,
        allOf: (execution) => line(global, 'executions', 'follow', execution),
      });
  const following: TaskFollowing = new TaskFollowing(client, name, {
    view: {
      show(event, task) {
        view.show(event, task);
        screen.flush();
      },
      end: () => undefined,
    },
    signal: stop.signal,
    onContact: (event) => say(event === 'lost' ? 'contact with the daemon was lost; looking for it again' : 'the daemon is there again'),
  });
  const release = onInterrupts(cli.out.interactive, {
    announce: (graceMs) =>
      say(`This command ends in ${graceMs / 1000} seconds, and the task goes on. Press Ctrl-C again to cancel the task.`),
    abort: () => {
      say('Cancelling it: commands that run are ended. Press Ctrl-C once more to leave at once.');
      cancelling = client.call('POST', taskTarget(name, 'cancel'), {}, { signal: stop.signal }).catch((error: unknown) => {
        if (leftWith === undefined) say(`It could not be cancelled: ${error instanceof Error ? error.message : String(error)}`);
      });
    },
    letGo,
  });
  try {
    const ending = await following.run().catch((error: unknown) => {
      if (leftWith !== undefined) return 'running' as const;
      throw withWayOn(error);
    });
    await cancelling;
    view.end(following.task);
    screen.flush();
    live?.close();
    const status = leftWith ?? taskExitStatus(following.task, ending);
    cli.exitWith(status);
    conclude(following.task, ending, status);
    return { task: following.task, ending };
  } finally {
    live?.close();
    release();
  }

  async function openLive() {
    const { LiveScreen } = await import('../dispatch/live-screen.ts');
    const paint = cli.out.paint.bind(cli.out);
    return new LiveScreen(process.stderr, plain, (size) => liveTreeLines(paint, following.task, Date.now(), startedAt, size));
  }

  function conclude(task: TaskView, ending: 'ended' | 'running', status: number): void {
    if (asJson) {
      const { state, message } = task;
      cli.out.print(toJson({ type: 'end', task: name.name, state, ...(message === undefined ? {} : { message }), exitStatus: status }, 0));
      return;
    }
    if (ending === 'running') {
      cli.out.note(wayOn().join('\n'));
      return;
    }
    const leaves = leavesOf(task);
    if (isLive && leaves.length > 0 && task.steps.size <= MAX_FINAL_STEPS) {
      cli.out.lines(treeLines((colour, text) => cli.out.paint(colour, text), task, Date.now()));
    }
    cli.out.note(escapeControls(`Task ${name.name} ${task.state}${leaves.length === 0 ? '' : `. ${countsLine(task)}`}`));
    if (task.state === 'succeeded') return;
    if (task.message !== undefined) cli.out.note(task.message.split('\n').map(escapeControls).join('\n'));
    cli.out.note(`What happened: ${words('service', 'task', 'show', name.name)}`);
    if (options.again !== undefined) cli.out.note(`Go on with it: ${line(global, ...options.again)}`);
  }

  function letGo(status: number): void {
    leftWith ??= status;
    stop.abort();
  }

  function say(text: string): void {
    screen.err(`${escapeControls(text)}\n`);
    screen.flush();
  }

  function words(...command: string[]): string {
    return line(global, ...command, ...nodeWords(name));
  }

  function wayOn(): string[] {
    return [
      `The task goes on. Follow it: ${words('service', 'task', 'follow', name.name)}`,
      `Or cancel it: ${words('service', 'task', 'cancel', name.name)}`,
    ];
  }

  /** Adds the command that continues to the error of a follow that broke. */
  function withWayOn(error: unknown): unknown {
    if (!(error instanceof DtkdError) || error.code !== 'DAEMON_UNREACHABLE') return error;
    return new DtkdError('DAEMON_UNREACHABLE', error.message, {
      next: `When it is back, go on with: ${words('service', 'task', 'follow', name.name)}`,
      cause: error,
    });
  }
}
