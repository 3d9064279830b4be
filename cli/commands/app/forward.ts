import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli } from '../../cli.ts';
import { appTarget, findApp } from '../../client/apps.ts';
import { formatHostPort, parseHostPort } from '../../input/host-port.ts';
import { numberAt, textAt } from '../../json.ts';
import { escapeControls } from '../../output/escape.ts';

const EXAMPLES = `
Examples:
  dtkd app forward db --local 127.0.0.1:5432
  dtkd app forward db                              a free port, which is printed

It runs until Ctrl-C. Any TCP protocol works.`;

/** Any free port on the loopback address. */
const ANY_PORT = '127.0.0.1:0';

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<app>', 'NAME, OWNER/NAME, or the name of its copy here')
    .option('--local <host:port>', 'where to listen; a port alone means 127.0.0.1 (default: a free one)')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: { local?: string }) => {
      const local = flags.local === undefined || flags.local === '0' ? ANY_PORT : formatHostPort(parseHostPort(flags.local));
      const client = await cli.client();
      const app = await findApp(client, name);
      const stop = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
      try {
        for await (const line of client.stream(appTarget(app.object, 'forward'), { local }, stop.signal)) {
          const listening = textAt(line, 'listening');
          const error = textAt(line, 'error');
          const connections = numberAt(line, 'connections');
          if (listening !== undefined) cli.out.print(`Forwarding ${listening} to ${app.app} of ${app.owner}. Press Ctrl-C to stop.`);
          if (error !== undefined) cli.out.note(`warning: ${escapeControls(error)}`);
          if (connections !== undefined) cli.out.progress(`${connections} connection${connections === 1 ? '' : 's'} open`);
        }
      } catch (error) {
        if (stop.signal.aborted) return;
        throw error;
      }
      if (!stop.signal.aborted) throw new DtkdError('UNAVAILABLE', 'the daemon ended the forward', { next: 'See "dtkd status".' });
    });
}
