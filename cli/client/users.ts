import { DtkdError } from '../../protocol/errors.ts';
import { userKind } from '../../protocol/kinds/user.ts';
import { parseNameAtNode } from '../../protocol/rights/principal.ts';
import { textAt } from '../json.ts';
import type { Output } from '../output/output.ts';
import { type ApiClient, type Target, THIS_NODE } from './api.ts';

/** A user by `NAME` (of this node) or, as it is shown, `NAME@NODE`. */
export function userTarget(text: string, sub?: string): Target {
  const at = parseNameAtNode(text);
  const { name, node } = at ?? { name: text, node: THIS_NODE };
  return { kind: userKind, namespace: node, name, ...(sub === undefined ? {} : { sub: [sub] }) };
}

/** Creates a new token for a user; the previous one becomes invalid. */
export async function newToken(client: ApiClient, name: string): Promise<string> {
  const token = textAt(await client.call('POST', userTarget(name, 'token'), {}), 'token');
  if (token === undefined) throw new DtkdError('INTERNAL', 'the daemon answered without a token');
  return token;
}

/** Prints a token with instructions; with `quiet` the token alone. */
export function printToken(out: Output, display: string, token: string, quiet: boolean): void {
  if (quiet) {
    out.print(token);
    return;
  }
  out.print(
    [
      `The token of ${display}, shown this once:`,
      '',
      `  ${token}`,
      '',
      'It works at this node only:',
      '',
      `  ${out.paint('bold', 'DTKD_TOKEN=TOKEN dtkd get models -A')}`,
    ].join('\n'),
  );
}
