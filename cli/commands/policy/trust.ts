import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { changePolicy } from '../../client/policy.ts';

const EXAMPLES = `
Examples:
  dtkd policy trust builder             its models may deploy here; its code runs once it is pinned, which the first use does
  dtkd policy trust builder --follow    newer code that it publishes runs at once, too

Trusting a node lets what it publishes run here, as the user of the daemon, for those who have EXECUTE.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<node>')
    .option('--follow', 'also run newer code of it')
    .option('--no-follow', 'run only pinned code of it')
    .addHelpText('after', EXAMPLES)
    .action(async (node: string, flags: { follow?: boolean }) => {
      const spec = await changePolicy(await cli.client(), (before) => {
        const others = before.trust?.filter((entry) => entry.node !== node) ?? [];
        const known = before.trust?.find((entry) => entry.node === node);
        // Without either flag, the setting is kept.
        const follow = command.getOptionValueSource('follow') === 'cli' ? flags.follow : known?.follow;
        return { ...before, trust: [...others, { ...(known ?? { node }), ...(follow === undefined ? {} : { follow }) }] };
      });
      const entry = spec.trust?.find((one) => one.node === node);
      cli.out.print(
        `${node} is trusted${entry?.follow === true ? ', and newer code of it runs at once' : ''}. Its signing key: ${entry?.key ?? 'not known'}`,
      );
    });
}
