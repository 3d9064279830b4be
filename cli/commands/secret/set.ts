import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { THIS_NODE } from '../../client/api.ts';
import { putSecret } from '../../client/secrets.ts';
import { readSecretValue } from '../../input/secret-value.ts';

const EXAMPLES = `
Examples:
  dtkd secret set db-password                         asks for it, and does not show it
  dtkd secret set tls-key --from-file server.key
  pass show db | dtkd secret set db-password --from-file -

The value is stored encrypted and never shown again. Commands that name the secret get it in a file or
a variable, on that node; it is in no list, log or backup of objects. A value is never an argument: others would see it.`;

interface Flags {
  fromFile?: string;
  description?: string;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>')
    .option('--from-file <file>', 'read the value from this file (FILE or @FILE); - for standard input')
    .option('-n, --namespace <node>', 'node whose commands get it (default: this node)')
    .option('--description <text>', 'what it is for')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: Flags) => {
      const { namespace = THIS_NODE } = command.optsWithGlobals<GlobalFlags>();
      // @FILE is accepted, since elsewhere the @ distinguishes a file from a value
      const value = await readSecretValue(name, flags.fromFile?.replace(/^@/, ''));
      const client = await cli.client();
      const done = await putSecret(client, { namespace, name, value, description: flags.description });
      cli.out.print(`${done === 'set' ? 'Set' : 'Replaced'} ${name}.`);
    });
}
