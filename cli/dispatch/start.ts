/** Starts a dispatch or a retry as the flags say: as a dry run, detached, or attended. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { Cli } from '../cli.ts';
import { parseDuration } from '../input/duration.ts';
import { toJson } from '../output/format.ts';
import { attend } from './attend.ts';
import type { Attended, AttendOptions } from './attend.types.ts';
import { line } from './conclude.ts';
import { executionOf, onlyQueuedLeft, shortId } from './execution.ts';
import type { ShowFlags } from './show-flags.ts';

export interface StartFlags extends ShowFlags {
  dryRun?: boolean;
  detach?: boolean;
  follow?: boolean;
}

/** Default number of targets at a time: enough for a site, few enough for this machine. */
export const DEFAULT_THREADS = 16;

/** Flags that say what happens after the command has been requested. */
export function addStartFlags(command: Command): Command {
  return command
    .option('--dry-run', 'show the exact targets, and do nothing')
    .option('--detach', 'start it and print its id')
    .addOption(new Option('--follow', 'also wait for targets with queued orders').conflicts(['detach', 'dryRun']));
}

/** Flags that say how the command runs on its targets. */
export function addRunFlags(command: Command): Command {
  return command
    .option('--timeout <duration>', 'how long each target may take (default: 1h)', durationWord)
    .option('-Q, --queue <duration>', 'how long to hold orders for targets that are away, at most 7d', durationWord)
    .option('--batch <number>', 'targets per batch, as a number or a percentage, e.g. 10%')
    .option('--pause-on-failure', 'after a batch in which a target did not succeed, wait for resume or abort')
    .option('--allow-empty', 'no error if no target matches');
}

export interface RunFlags {
  timeout?: string;
  queue?: string;
  batch?: string;
  pauseOnFailure?: boolean;
  allowEmpty?: boolean;
}

/** The fields of a request for those flags. */
export function runFields(flags: RunFlags): Pick<RunFlags, 'timeout' | 'queue' | 'batch' | 'pauseOnFailure' | 'allowEmpty'> {
  const { timeout, queue, batch, pauseOnFailure, allowEmpty } = flags;
  if (pauseOnFailure === true && batch === undefined) {
    throw new DtkdError('BAD_REQUEST', '--pause-on-failure works only with --batch', {
      next: 'Give the size of the batches, e.g. --batch 10%.',
    });
  }
  if (batch !== undefined && !/^[0-9]{1,6}%?$/.test(batch)) {
    throw new DtkdError('BAD_REQUEST', `"${batch.slice(0, 40)}" is not the size of a batch`, {
      next: 'Write a number of targets or a percentage, e.g. 10%.',
    });
  }
  return {
    ...(timeout === undefined ? {} : { timeout }),
    ...(queue === undefined ? {} : { queue }),
    ...(batch === undefined ? {} : { batch }),
    ...(pauseOnFailure === undefined ? {} : { pauseOnFailure }),
    ...(allowEmpty === undefined ? {} : { allowEmpty }),
  };
}

/** Starts it; undefined for a dry run or a detached start. */
export async function start(
  cli: Cli,
  flags: StartFlags,
  what: { path: string; body: Record<string, unknown> },
  options: Omit<AttendOptions, 'start' | 'show' | 'waitForQueued' | 'id'>,
): Promise<Attended | undefined> {
  const client = await cli.client();
  if (flags.dryRun === true) {
    const plan = await client.daemon('POST', what.path, { ...what.body, dryRun: true });
    if (flags.output === 'json') cli.out.print(toJson(plan));
    else cli.out.lines((await import('./plan-lines.ts')).planLines(plan));
    return undefined;
  }
  if (flags.detach !== true) {
    const body = { ...what.body, follow: true };
    return attend(cli, { ...options, start: { path: what.path, body }, show: flags, waitForQueued: flags.follow === true });
  }
  const answer = await client.daemon('POST', what.path, what.body);
  const execution = executionOf(answer);
  if (flags.output === 'json') cli.out.print(toJson(answer));
  else {
    cli.out.print(execution.id);
    const verb = onlyQueuedLeft(execution) ? 'Queued' : 'Started';
    cli.out.note(`${verb}. Follow it: ${line(options.global, 'executions', 'follow', shortId(execution.id))}`);
  }
  return undefined;
}

/** Converts `1h30m` to the form that the daemon reads: one number with a unit. */
function durationWord(text: string): string {
  const ms = parseDuration(text);
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
