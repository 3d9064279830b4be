import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { Cli } from '../cli.ts';
import { textAt } from '../json.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';
import { ownVersion } from '../version.ts';

const EXAMPLES = `
Examples:
  dtkd version
  dtkd version --client      ask no daemon`;

export function configure(command: Command, cli: Cli): void {
  command
    .option('--client', 'the version of this command only')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: { client?: boolean; output?: Format }) => {
      const client = await ownVersion();
      const daemon = flags.client === true ? undefined : await daemonVersion(cli);
      const value = { client, node: process.versions.node, ...(daemon === undefined ? {} : { daemon }) };
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, value, flags.output);
      cli.out.print(`dtkd ${client} (Node ${process.versions.node})`);
      if (flags.client !== true) cli.out.print(`daemon ${daemon ?? 'not running'}`);
    });
}

/** The version of the daemon; undefined if none is running. */
async function daemonVersion(cli: Cli): Promise<string | undefined> {
  try {
    const answer = await (await cli.client()).version();
    return textAt(answer, 'dtkdVersion') ?? textAt(answer, 'gitVersion') ?? textAt(answer, 'version') ?? 'unknown';
  } catch (error) {
    if (error instanceof DtkdError && error.code === 'DAEMON_UNREACHABLE') return undefined;
    throw error;
  }
}
