import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import { apiVersionOf } from '../../../protocol/kinds/kind.ts';
import { userKind } from '../../../protocol/kinds/user.ts';
import type { Cli } from '../../cli.ts';
import { THIS_NODE } from '../../client/api.ts';
import { newToken, printToken } from '../../client/users.ts';
import { textAt } from '../../json.ts';

const EXAMPLES = `
Examples:
  dtkd user add ops
  dtkd user add ci --description 'builds' -q > ci.token      the token alone

The user lives on this node, which vouches for it. On every node of its domains it is known as NAME@NODE,
and has the rights that owners there give it: see "dtkd grant".`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>')
    .option('--description <text>', 'who or what it is')
    .option('-q, --quiet', 'print the token only')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: { description?: string; quiet?: boolean }) => {
      if (name.includes('@')) {
        throw new DtkdError('NAME_INVALID', 'a user is added on its own node, by its name alone', { next: `Write ${name.split('@')[0]}.` });
      }
      const client = await cli.client();
      const document = {
        apiVersion: apiVersionOf(userKind),
        kind: userKind.kind,
        metadata: { name },
        ...(flags.description === undefined ? {} : { spec: { description: flags.description } }),
      };
      const user = await client.create({ kind: userKind, namespace: THIS_NODE }, document).catch((error: unknown) => {
        if (!(error instanceof DtkdError) || error.code !== 'ALREADY_EXISTS') throw error;
        throw new DtkdError('ALREADY_EXISTS', `there is a user "${name}" on this node`, {
          next: `Choose another name. If its token is lost: dtkd user rotate ${name}.`,
          cause: error,
        });
      });
      const display = `${name}@${textAt(user, 'metadata', 'namespace') ?? ''}`;
      printToken(cli.out, display, await newToken(client, name), flags.quiet === true);
    });
}
