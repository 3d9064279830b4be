/** Starts a dispatch, or a retry, in the way that the flags say: only tried, left alone, or attended. */
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

/** Targets at a time where nobody said how many: enough for a site, few enough for this machine. */
export const DEFAULT_THREADS = 16;

/** Flags that say what becomes of the command once it was asked for. */
export function addStartFlags(command: Command): Command {
  return command
    .option('--dry-run', 'show the exact targets, and do nothing')
    .option('--detach', 'start it and print its id')
    .addOption(new Option('--follow', 'also wait for targets with queued orders').conflicts(['detach', 'dryRun']));
}

/** Flags that say how it runs on its targets. */
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

/** What those flags say in a request. */
export function runFields(flags: RunFlags): Pick<RunFlags, 'timeout' | 'queue' | 'batch' | 'pauseOnFailure' | 'allowEmpty'> {
  const { timeout, queue, batch, pauseOnFailure, allowEmpty } = flags;
  if (pauseOnFailure === true && batch === undefined) {
    throw new DtkdError('BAD_REQUEST', '--pause-on-failure is about batches', { next: 'Say how large they are, e.g. --batch 10%.' });
  }
  if (batch !== undefined && !/^[0-9]{1,6}%?$/.test(batch)) {
    throw new DtkdError('BAD_REQUEST', `"${batch.slice(0, 40)}" is no batch`, {
      next: 'Write a number of targets, or a part of them such as 10%.',
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

/** Undefined if there was nothing to attend. */
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

/** `1h30m` in the unit that the daemon reads: one number. */
function durationWord(text: string): string {
  const ms = parseDuration(text);
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
