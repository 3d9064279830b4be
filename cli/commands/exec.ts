import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { DispatchRequestSpec } from '../../protocol/kinds/execution.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import { addNodeFilter } from '../dispatch/node-filter.ts';
import { splitPair } from '../dispatch/option-words.ts';
import { addShowFlags } from '../dispatch/show-flags.ts';
import { addRunFlags, addStartFlags, DEFAULT_THREADS, type RunFlags, runFields, type StartFlags, start } from '../dispatch/start.ts';
import { EXIT_HELP } from '../dispatch/summary.ts';
import { parseLimit } from '../input/limit.ts';

const EXAMPLES = `
Examples:
  dtkd exec -I '.*' -- uptime -p
  dtkd exec -I tags=web --user www-data --dir /srv -- ls -l
  dtkd exec -I name=node2 --raw -- tar -c /etc > etc.tar
  dtkd exec -I '.*' -- sh -c 'df -h | tail -1'

A program and its arguments, with no shell between. You need a capability that names exec, see "dtkd grant".
Without -I it runs on this node alone.

${EXIT_HELP}`;

interface ExecFlags extends StartFlags, RunFlags {
  user?: string;
  env?: string[];
  dir?: string;
  threadcount: number;
  stopOnFailure?: boolean;
}

export function configure(command: Command, cli: Cli): void {
  command.argument('<command...>', 'the program and its arguments, after --');
  const filter = addNodeFilter(command);
  command
    .option('--user <name>', "user of the target to run as (default: the daemon's)")
    .option('--env <name=value>', 'a variable of its environment; may be repeated', (pair: string, all: string[] = []) => [...all, pair])
    .option('--dir <directory>', "where it runs; relative to the user's home unless it begins with / (default: that home)")
    .option('-C, --threadcount <number>', 'targets at a time', parseLimit, DEFAULT_THREADS)
    .option('--stop-on-failure', 'after a failure, start no more targets');
  addShowFlags(addStartFlags(addRunFlags(command)));
  command.addHelpText('after', EXAMPLES).action(async (argv: string[], flags: ExecFlags) => {
    assertProgram(argv);
    const nodes = filter();
    const request: DispatchRequestSpec = {
      exec: {
        argv,
        ...(flags.env === undefined ? {} : { env: Object.fromEntries(flags.env.map((pair) => splitPair(pair, 'NAME=VALUE'))) }),
        ...(flags.dir === undefined ? {} : { directory: flags.dir }),
        ...(flags.user === undefined ? {} : { user: flags.user }),
      },
      ...(nodes === undefined ? {} : { filter: nodes }),
      threads: flags.threadcount,
      keepGoing: flags.stopOnFailure !== true,
      ...runFields(flags),
    };
    const global = command.optsWithGlobals<GlobalFlags>();
    const isHere = nodes === undefined;
    await start(cli, flags, { path: 'dispatch', body: { request } }, { prefix: 'node', localIsPlain: isHere, tellsCount: !isHere, global });
  });
}

/** Refuses a command line in one word, as one would write for ssh. */
function assertProgram([program = '', ...rest]: readonly string[]): void {
  if (rest.length > 0 || !/\s/.test(program) || program.startsWith('/')) return;
  throw new DtkdError('BAD_REQUEST', `"${program.slice(0, 120)}" would be the name of one program, because no shell reads it`, {
    next: `Write each word by itself, or: -- sh -c '${program.slice(0, 120).replaceAll("'", "'\\''")}'`,
  });
}
