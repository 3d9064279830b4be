import { setTimeout } from 'node:timers/promises';
import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli, GlobalFlags } from '../../cli.ts';
import type { ApiClient } from '../../client/api.ts';
import { type Named, named, nodeWords, serviceTarget, taskTarget } from '../../client/services.ts';
import { textAt } from '../../json.ts';
import { escapeControls } from '../../output/escape.ts';
import { addCarryFlags, type CarryFlags, carryOut } from '../../service/carry-out.ts';
import { TASK_EXIT_HELP } from '../../service/task-ending.ts';

const EXAMPLES = `
Examples:
  dtkd service uninstall shop --yes          takes its resources down, then removes it; its repository is kept aside
  dtkd service uninstall prod --recursive    a target: those that are staged against it first
  dtkd service uninstall shop --abandon      run nothing: what runs goes on, and belongs to no service

${TASK_EXIT_HELP}`;

/** How long to wait until a service that was taken down is removed, and the pause between checks, in milliseconds. */
const PUT_AWAY_MS = 10_000;
const PUT_AWAY_PAUSE_MS = 50;

interface Flags extends CarryFlags {
  recursive?: boolean;
  abandon?: boolean;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<service>')
    .option('--recursive', 'first do the same to services that depend on it')
    .option('--abandon', 'run no delete commands; for resources that can never be reached again');
  addCarryFlags(command, true)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<Flags & GlobalFlags>();
      const service = named(name, flags);
      const { recursive, abandon } = flags;
      const client = await cli.client();
      const { plan, attended, onlyShown } = await carryOut(cli, {
        service,
        verb: 'uninstall',
        body: { ...(recursive === true ? { recursive } : {}), ...(abandon === true ? { abandon } : {}) },
        flags,
        global: flags,
        question:
          abandon === true
            ? `Abandon all resources of ${service.name}, and remove it?`
            : `Take down all resources of ${service.name}, and remove it?`,
        again: [
          'service',
          'uninstall',
          service.name,
          ...(recursive === true ? ['--recursive'] : []),
          ...(abandon === true ? ['--abandon'] : []),
          ...nodeWords(service),
        ],
      });
      if (onlyShown || (plan.task !== undefined && attended?.task.state !== 'succeeded')) return;
      if (plan.task !== undefined) await untilGone(client, service);
      if (flags.output === 'json') return;
      const told =
        plan.task === undefined ? undefined : textAt(await client.find(taskTarget({ ...service, name: plan.task })), 'status', 'message');
      const kept = plan.kept === undefined ? told : `its history is kept in ${plan.kept}`;
      cli.out.print(`Uninstalled ${service.name}${kept === undefined ? '' : escapeControls(`: ${kept}`)}`);
    });
}

/**
 * Waits until the service is gone: the daemon removes its files shortly after it reports the end of the last task. Errors: CONFLICT if it
 * stays.
 */
async function untilGone(client: ApiClient, service: Named): Promise<void> {
  const until = performance.now() + PUT_AWAY_MS;
  while ((await client.find(serviceTarget(service))) !== undefined) {
    if (performance.now() > until) {
      throw new DtkdError('CONFLICT', `${service.name} was taken down, but not removed`, {
        next: `Look at it with "dtkd service status ${service.name}", then uninstall it again.`,
      });
    }
    await setTimeout(PUT_AWAY_PAUSE_MS);
  }
}
