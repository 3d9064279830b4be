import type { Command } from 'commander';
import { digest as digestText } from '../../../protocol/definitions/code.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { isOfNode, type PolicySpec, pinNameOf, pinParts } from '../../../protocol/kinds/policy.ts';
import type { Cli } from '../../cli.ts';
import { changePolicy } from '../../client/policy.ts';

const EXAMPLES = `
Examples:
  dtkd policy pin acme/web 2c26b46b…             run this code of acme/web, and no other
  dtkd policy pin acme/web@shop 2c26b46b… --of builder      the copy that builder's service shop has
  dtkd policy pin type/Service 2c26b46b… --of builder

The refusal of newer code names the digest, and so does "dtkd module show" at the publisher.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<code>', 'acme/web, acme/web@SERVICE for the copy of a service, or type/NAME for scripts inside a Type')
    .argument('<digest>')
    .option('--of <node>', 'the trusted node that publishes it')
    .addHelpText('after', EXAMPLES)
    .action(async (code: string, digest: string, flags: { of?: string }) => {
      if (!digestText.safeParse(digest).success) {
        throw new DtkdError('BAD_REQUEST', `"${digest.slice(0, 80)}" is not a digest`, {
          next: 'A digest has 64 hexadecimal digits; give all of them.',
        });
      }
      let name = code;
      await changePolicy(await cli.client(), (before) => {
        const known = pinNamed(before, code, flags.of);
        if (known === undefined && flags.of === undefined) assertOfNoNode(before, code);
        const publisher = publisherOf(before, code, flags.of, known);
        name = known ?? (isOfNode(code) && pinParts(code).node === undefined ? pinNameOf(code, publisher.node) : code);
        return { ...before, pins: { ...before.pins, [name]: { digest, publisher: publisher.key, node: publisher.node } } };
      });
      cli.out.print(`${name} is pinned to ${digest}.`);
    });
}

/** The pin with this name, which may be given without its node. Errors: AMBIGUOUS. */
export function pinNamed({ pins = {} }: PolicySpec, code: string, of: string | undefined): string | undefined {
  const meant = Object.entries(pins).filter(
    ([name, { node }]) => (name === code || pinParts(name).code === code) && (of === undefined || node === of),
  );
  if (meant.length < 2) return meant[0]?.[0];
  throw new DtkdError('AMBIGUOUS', `several nodes have ${code} pinned here`, {
    next: `Write one of: ${meant.map(([name]) => name).join(', ')}.`,
  });
}

/** Refuses `acme/web@NODE`, which reads as the copy of a service with the name of that node. */
function assertOfNoNode({ trust = [] }: PolicySpec, code: string): void {
  const { code: named, node } = pinParts(code);
  const [module = '', service] = named.split('@');
  if (node !== undefined || service === undefined || !trust.some((one) => one.node === service)) return;
  throw new DtkdError('AMBIGUOUS', `${code} names the copy of a service called "${service}", but ${service} is a node`, {
    next: `For the module of that node, write: ${module} with --of ${service}. For the copy, name the node that has the service with --of.`,
  });
}

function publisherOf(spec: PolicySpec, code: string, of: string | undefined, known: string | undefined): { node: string; key: string } {
  const named = of ?? pinParts(code).node;
  const pinned = known === undefined ? undefined : spec.pins?.[known];
  const trusted = (spec.trust ?? []).flatMap(({ node, key }) => (key === undefined ? [] : [{ node, key }]));
  if (named === undefined && pinned !== undefined) return { node: pinned.node ?? '', key: pinned.publisher };
  const found = named === undefined ? trusted : trusted.filter(({ node }) => node === named);
  const [only, other] = found;
  if (only !== undefined && other === undefined) return only;
  throw new DtkdError(
    named === undefined ? 'AMBIGUOUS' : 'NOT_FOUND',
    named === undefined ? `it is not clear which node publishes ${code}` : `${named} is not trusted`,
    {
      next: named === undefined ? 'Name it with --of NODE, one of those in "dtkd policy show".' : `First: dtkd policy trust ${named}`,
    },
  );
}
