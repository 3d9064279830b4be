import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli } from '../../cli.ts';
import { findApp } from '../../client/apps.ts';
import { ingressOf, requestApp } from '../../client/ingress.ts';
import { userPreferences } from '../../config.ts';

const EXAMPLES = `
Examples:
  dtkd app open wiki
  dtkd app open wiki --print      the URI only`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<app>', 'NAME, OWNER/NAME, or the name of its copy here')
    .option('--print', 'print the URI, do not start a browser')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: { print?: boolean }) => {
      const client = await cli.client();
      const app = await findApp(client, name);
      const { uri } = app;
      if (uri === undefined) throw new DtkdError('UNAVAILABLE', `${app.app} has no URI yet`, { next: `See "dtkd app show ${name}".` });
      const { browser } = userPreferences();
      if (flags.print === true || browser === undefined || !/^https?:$/.test(new URL(uri).protocol)) return cli.out.print(uri);
      const answer = await requestApp(await ingressOf(client, uri), { uri, method: 'HEAD', headers: {} });
      answer.resume();
      if (answer.statusCode === 503)
        cli.out.note(`warning: ${app.app} cannot be reached now${app.message === undefined ? '' : `: ${app.message}`}`);
      const opened = await start(browser, uri);
      cli.out.print(opened ? `Opened ${uri}` : uri);
    });
}

/** Starts the browser without waiting for it; false if it cannot be started. */
function start(browser: string, uri: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(browser, [uri], { detached: true, stdio: 'ignore' });
    child.on('error', () => resolve(false));
    child.on('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}
