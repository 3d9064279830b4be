import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { DispatchRequestSpec } from '../../protocol/kinds/execution.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import { addNodeFilter } from '../dispatch/node-filter.ts';
import { optionsOfPairs } from '../dispatch/option-words.ts';
import { shellLine } from '../dispatch/shell-line.ts';
import { addShowFlags } from '../dispatch/show-flags.ts';
import { addRunFlags, addStartFlags, DEFAULT_THREADS, type RunFlags, runFields, type StartFlags, start } from '../dispatch/start.ts';
import { EXIT_HELP } from '../dispatch/summary.ts';
import { parseLimit } from '../input/limit.ts';

const EXAMPLES = `
Examples:
  dtkd run Start service/myService                          here
  dtkd run Start service/myService --on all                 on every node where it is deployed
  dtkd run Start service/myService --on 'tags=web,osfamily=unix' --dry-run
  dtkd run Deploy myService --set version=1.2.0 --on all --batch 10% --pause-on-failure
  dtkd run Stop site/shop -m demo --on all --queue 24h      also on those that are away, when they come back

Without --on it runs on this node alone. It continues after a failure, unless --stop-on-failure.

${EXIT_HELP}`;

interface OneLineFlags extends StartFlags, RunFlags {
  model?: string;
  set?: string[];
  threads: number;
  stopOnFailure?: boolean;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<command>', 'the command')
    .argument('<resource>', 'TYPE/NAME, or NAME alone')
    .option('-m, --model <model>', 'the model, or NODE/MODEL')
    .option('--set <name=value>', 'an option of the command; may be repeated', (pair: string, all: string[] = []) => [...all, pair]);
  const filter = addNodeFilter(command, { include: '--on <filter>', exclude: '--not-on <filter>' });
  command
    .option('--threads <number>', 'targets at a time', parseLimit, DEFAULT_THREADS)
    .option('--stop-on-failure', 'after a failure, start no more targets');
  addShowFlags(addStartFlags(addRunFlags(command)));
  command.addHelpText('after', EXAMPLES).action(async (name: string, resource: string, flags: OneLineFlags) => {
    if (name.includes('/')) throw turnedRound(name, resource);
    const options = optionsOfPairs(flags.set ?? []);
    const nodes = filter();
    const request: DispatchRequestSpec = {
      ...(flags.model === undefined ? {} : { model: flags.model }),
      ...parseResource(resource),
      command: name,
      ...(flags.set === undefined ? {} : { options }),
      ...(nodes === undefined ? {} : { filter: nodes }),
      threads: flags.threads,
      keepGoing: flags.stopOnFailure !== true,
      ...runFields(flags),
    };
    const global = command.optsWithGlobals<GlobalFlags>();
    const isHere = nodes === undefined;
    await start(cli, flags, { path: 'dispatch', body: { request } }, { prefix: 'node', localIsPlain: isHere, tellsCount: !isHere, global });
  });
}

function turnedRound(resource: string, command: string): DtkdError {
  return new DtkdError('BAD_REQUEST', `"${resource.slice(0, 120)}" is not a command: a command has no "/"`, {
    next: `The command comes first: ${shellLine(['dtkd', 'run', command.slice(0, 120), resource.slice(0, 120)])}`,
  });
}

/** Parses `service/myService` or `myService`. */
function parseResource(text: string): { type?: string; resource: string } {
  const at = text.indexOf('/');
  const [type, resource] = at === -1 ? [undefined, text] : [text.slice(0, at), text.slice(at + 1)];
  if (resource !== '' && type !== '') return { ...(type === undefined ? {} : { type }), resource };
  throw new DtkdError('BAD_REQUEST', `"${text.slice(0, 120)}" is not TYPE/NAME`, {
    next: 'Write it like service/myService, or myService alone.',
  });
}
