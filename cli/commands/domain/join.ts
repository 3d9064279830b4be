import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseToken } from '../../../protocol/membership/token.ts';
import type { Cli } from '../../cli.ts';
import type { ApiClient } from '../../client/api.ts';
import { domainInfo, domainTarget } from '../../client/domains.ts';
import { waitForObject } from '../../client/ready.ts';
import { readSecret } from '../../input/secret.ts';
import { booleanAt, recordAt, textAt, textsAt } from '../../json.ts';
import { escapeControls } from '../../output/escape.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

/** How long --wait waits for a connection to another member, in milliseconds. */
const CONNECTED_TIMEOUT_MS = 60_000;

/** No address is this long, but tokens are longer. */
const MAX_ADDRESS = 300;

const EXAMPLES = `
Examples:
  dtkd domain join 192.0.2.10 TOKEN                   any member's address; port 7701 if none is given
  dtkd domain join node0.example.org:7711 @token.txt
  echo TOKEN | dtkd domain join [2001:db8::1]:7701 -
  dtkd domain join 192.0.2.10 TOKEN --replace node1   take the name of a lost machine (the invite must allow it)`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<address>', 'address of any member: IP, HOST, HOST:PORT, [IPV6]:PORT or a multiaddr')
    .argument('<token>', 'the invite token, - to read it from standard input, or @FILE')
    .option('--replace <node>', 'take over the name of a lost machine')
    .option('--wait', 'wait until another member is connected')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (address: string, argument: string, flags: { replace?: string; wait?: boolean; output?: Format }) => {
      if (address.startsWith('@') || address.length > MAX_ADDRESS) {
        throw new DtkdError('BAD_REQUEST', 'the address of a member comes before the token', {
          next: 'Write: dtkd domain join ADDRESS TOKEN.',
        });
      }
      const token = await readSecret(argument, 'invite token');
      const { domainName: name } = parseToken(token);
      const client = await cli.client();
      cli.out.progress(`Joining ${name} through ${address} ...`);
      const body = { address, token, ...(flags.replace === undefined ? {} : { replace: flags.replace }) };
      const answer = await client.call('POST', domainTarget(name, 'join'), body);
      const domain = recordAt(answer, 'domain');
      const used = textAt(answer, 'elsewhere', 'address');
      if (used !== undefined) {
        const failure = textAt(answer, 'elsewhere', 'failure') ?? '';
        cli.out.note(escapeControls(`warning: joined through ${used}, an address in the token, and not through ${address} (${failure})`));
      }
      if (flags.wait === true) await waitForMember(client, name);
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, domain, flags.output);
      if (booleanAt(answer, 'already')) {
        cli.out.print(`This node is a member of ${cli.out.paint('bold', name)} already; nothing to do.`);
        return;
      }
      const count = textsAt(domain, 'peers').length;
      const founder = textAt(domain, 'founder');
      cli.out.print(
        `Joined ${cli.out.paint('bold', name)}${count > 0 ? `, now of ${count} members` : ''}${founder === undefined ? '' : `, founded by ${founder}`}.`,
      );
      cli.out.progress(`See who is there with: dtkd domain show ${name}`);
    });
}

/** Waits until at least one other member is connected. */
async function waitForMember(client: ApiClient, name: string): Promise<void> {
  const others = (await domainInfo(client, name)).members.filter((member) => !member.self);
  if (others.some((member) => member.connected)) return;
  const { dtPeerKind } = await import('../../../protocol/kinds/dtpeer.ts');
  const connected = (object: Record<string, unknown>): boolean => object['connected'] === true && object['path'] !== 'self';
  await waitForObject(client, { kind: dtPeerKind, namespace: 'default' }, (peer) => textAt(peer, 'dtDomain') === name && connected(peer), {
    timeoutMs: CONNECTED_TIMEOUT_MS,
    what: `a connection to a member of ${name}`,
  });
}
