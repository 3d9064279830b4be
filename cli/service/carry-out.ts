/**
 * Carries out a request from start to end, for all commands that change a service or run something of it: violations stop it; its plan is
 * shown and, where required, confirmed; then the task is followed.
 */
import { type Command, Option } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { ServicePlanAnswer } from '../../protocol/requests/service.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import type { ApiClient } from '../client/api.ts';
import { type Named, nodeWords, serviceTarget, taskTarget } from '../client/services.ts';
import { line } from '../dispatch/conclude.ts';
import { confirm } from '../input/confirm.ts';
import { parseLimit } from '../input/limit.ts';
import { textAt } from '../json.ts';
import { toJson } from '../output/format.ts';
import { type AttendedTask, attendTask, type TaskShowFlags } from './attend-task.ts';
import { violationLines } from './difference-lines.ts';
import { planOf, violationsOf } from './plan.ts';
import { servicePlanLines } from './plan-lines.ts';
import { taskOf } from './task.ts';
import { taskExitStatus } from './task-ending.ts';

export interface CarryFlags extends TaskShowFlags {
  namespace?: string;
  dryRun?: boolean;
  yes?: boolean;
  detach?: boolean;
  threads?: number;
  keepGoing?: boolean;
}

export interface Errand {
  service: Named;
  verb: 'converge' | 'rollback' | 'exec' | 'drift' | 'delete' | 'uninstall';
  body: Readonly<Record<string, unknown>>;
  flags: CarryFlags;
  global: GlobalFlags;
  /** Asked before anything is started, if there is something to do. Undefined: starts without asking. */
  question?: string;
  /** The command line that continues a task that did not succeed. */
  again?: readonly string[];
}

export interface CarriedOut {
  plan: ServicePlanAnswer;
  /** Undefined: nothing was run, or the task was not followed. */
  attended: AttendedTask | undefined;
  /** True if it was only shown, or declined. */
  onlyShown: boolean;
}

/** Adds the flags of all these commands; `asks`: also those of commands that ask for confirmation. */
export function addCarryFlags(command: Command, asks: boolean): Command {
  command
    .option('-n, --namespace <node>', 'node that has the service (default: this node)')
    .option('--dry-run', 'show what it would do, and do nothing');
  if (asks) command.option('-y, --yes', 'do not ask');
  return command
    .option('--threads <number>', 'commands at a time (default: 16)', parseLimit)
    .option('--keep-going', 'after a failure, continue with what does not depend on it')
    .option('--detach', "start it, print the task's name, and do not follow it")
    .option('-v, --verbose', 'show the output of every command, not only of failed ones')
    .addOption(new Option('-o, --output <format>', 'one line of JSON for each event').choices(['json']));
}

/** The fields of a request for those flags. */
function carryFields({ threads, keepGoing }: CarryFlags): { threads?: number; keepGoing?: boolean } {
  return { ...(threads === undefined ? {} : { threads }), ...(keepGoing === undefined ? {} : { keepGoing }) };
}

/** Errors: VIOLATIONS after these were shown, CONFLICT, and others of the daemon. */
export async function carryOut(cli: Cli, errand: Errand): Promise<CarriedOut> {
  const { service, verb, flags, question } = errand;
  const asJson = flags.output === 'json';
  const body = { ...errand.body, ...carryFields(flags) };
  const asking = question !== undefined && flags.yes !== true;
  let confirmed: ServicePlanAnswer | undefined;
  if (flags.dryRun === true || asking) {
    const plan = await ask(verb === 'converge' ? 'plan' : verb, { ...body, dryRun: true });
    show(plan);
    if (flags.dryRun === true) {
      if (!asJson) cli.out.note('Nothing was started (dry run).');
      return { plan, attended: undefined, onlyShown: true };
    }
    if (question !== undefined && needsConsent(plan, verb)) {
      if (!(await confirm(question))) {
        cli.out.note('Nothing was started.');
        cli.exitWith(1);
        return { plan, attended: undefined, onlyShown: true };
      }
    }
    confirmed = plan;
  }
  cli.out.progress(`${PROGRESS[verb]} ${service.name} ...`);
  // pinned, so that either the plan that was shown is carried out, or nothing
  const pinned = confirmed !== undefined && PINNED.has(verb) ? { plan: confirmed.digest } : {};
  const plan = await ask(verb, { ...body, ...pinned });
  // commands that change nothing are shown as they run
  if (confirmed === undefined && (asJson || CHANGES.has(verb) || plan.task === undefined)) show(plan);
  if (plan.task === undefined) return { plan, attended: undefined, onlyShown: false };
  const task = { ...service, name: plan.task };
  if (flags.detach === true) {
    if (!asJson) {
      cli.out.print(plan.task);
      cli.out.note(`Started. Follow it: ${line(errand.global, 'service', 'task', 'follow', plan.task, ...nodeWords(task))}`);
    }
    return { plan, attended: undefined, onlyShown: false };
  }
  const again = errand.again === undefined ? {} : { again: errand.again };
  const attended = await attendTask(cli, { task, show: flags, global: errand.global, ...again });
  return { plan, attended, onlyShown: false };

  async function ask(sub: string, request: Record<string, unknown>): Promise<ServicePlanAnswer> {
    const client = await cli.client();
    try {
      // no time limit: dependent services may have to be taken down first
      return planOf(await client.call('POST', serviceTarget(service, sub), request, { endless: request['recursive'] === true }));
    } catch (error) {
      if (error instanceof DtkdError && error.code === 'VIOLATIONS') throw shownViolations(cli, service.name, error, asJson);
      if (error instanceof DtkdError && error.code === 'TASK_FAILED') await exitAsTask(client, error);
      throw error;
    }
  }

  /** Takes the exit status from the task that failed, which is more exact than the error of the one that waited for it. */
  async function exitAsTask(client: ApiClient, { details }: DtkdError): Promise<void> {
    const name = textAt(details, 'task');
    const task = name === undefined ? undefined : await client.find(taskTarget({ ...service, name })).catch(() => undefined);
    if (task !== undefined) cli.exitWith(taskExitStatus(taskOf(task), 'ended'));
  }

  function show(plan: ServicePlanAnswer): void {
    if (asJson) cli.out.print(toJson({ type: 'plan', ...plan }, 0));
    else if (verb === 'drift' && plan.steps.length === 0) cli.out.print(NOTHING_TO_CHECK);
    else cli.out.lines(servicePlanLines((colour, text) => cli.out.paint(colour, text), plan));
  }
}

const NOTHING_TO_CHECK = 'There is nothing to check: no applied resource has a type with a command check.';

const PROGRESS: Readonly<Record<Errand['verb'], string>> = {
  converge: 'Converging',
  rollback: 'Rolling back',
  exec: 'Starting on',
  drift: 'Checking',
  delete: 'Deleting',
  uninstall: 'Uninstalling',
};

/** Verbs whose requests are refused if the plan is no longer the one that was shown. */
const PINNED: ReadonlySet<Errand['verb']> = new Set(['converge', 'rollback']);

/** Verbs that change what is applied. */
const CHANGES: ReadonlySet<Errand['verb']> = new Set(['converge', 'rollback', 'delete', 'uninstall']);

/** True unless a converge has nothing to run, in which case it only commits; every other confirmed request takes something away. */
function needsConsent(plan: ServicePlanAnswer, verb: Errand['verb']): boolean {
  return verb !== 'converge' || plan.steps.length > 0;
}

/** Prints the table of violations and returns the error to report. */
function shownViolations(cli: Cli, service: string, error: DtkdError, asJson: boolean): DtkdError {
  const violations = violationsOf(error.details);
  if (asJson) cli.out.print(toJson({ type: 'violations', violations }, 0));
  else cli.out.lines(violationLines(violations));
  // the daemon's message would repeat the first row of the table
  if (asJson || violations.length === 0) return error;
  const count = `${violations.length} ${violations.length === 1 ? 'violation' : 'violations'}`;
  return new DtkdError('VIOLATIONS', `service "${service}" has ${count}: nothing was done`, {
    next: 'Correct what the table lists, and run this again.',
  });
}
