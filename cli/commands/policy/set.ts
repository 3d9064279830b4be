import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import { type PolicySpec, policySpec } from '../../../protocol/kinds/policy.ts';
import type { Cli } from '../../cli.ts';
import { changePolicy } from '../../client/policy.ts';
import { splitPair } from '../../dispatch/option-words.ts';

const EXAMPLES = `
Examples:
  dtkd policy set concurrency=4 timeout=2h       commands at a time, and how long each may take
  dtkd policy set users=postgres,www-data        users as whom scripts may run besides the daemon's own
  dtkd policy set output=1048576 keepFor=7d      bytes of output of each, and how long it is kept
  dtkd policy set environment=PATH,LANG          variables of the daemon's environment that commands see
  dtkd policy set timeout=                       back to the default

Limits: concurrency, timeout, output, users, environment, keepFor, keepBytes. See "dtkd policy show".`;

type Limits = NonNullable<PolicySpec['limits']>;

/** Text that is not a number is kept, so that the schema refuses it. */
const numberOf = (text: string): unknown => (/^[0-9]+$/.test(text) ? Number(text) : text);

const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  concurrency: numberOf,
  timeout: String,
  output: numberOf,
  users: listOf,
  environment: listOf,
  keepFor: String,
  keepBytes: numberOf,
};

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<limit=value...>')
    .addHelpText('after', EXAMPLES)
    .action(async (pairs: string[]) => {
      const given = pairs.map((pair) => splitPair(pair, 'LIMIT=VALUE'));
      await changePolicy(await cli.client(), (before) => ({ ...before, limits: withLimits(before.limits ?? {}, given) }));
      cli.out.print(`Set: ${given.map(([name, value]) => (value === '' ? `${name} to its default` : `${name}=${value}`)).join(', ')}`);
    });
}

/** Applies limits. Errors: BAD_REQUEST, naming the limit. */
function withLimits(before: Limits, given: readonly (readonly [name: string, value: string])[]): Limits {
  const limits: Record<string, unknown> = { ...before };
  for (const [name, text] of given) {
    const read = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
    if (read === undefined)
      throw new DtkdError('BAD_REQUEST', `there is no limit "${name}"`, { next: `There are: ${Object.keys(READERS).join(', ')}.` });
    if (text === '') delete limits[name];
    else limits[name] = read(text);
  }
  const parsed = policySpec.shape.limits.safeParse(limits);
  if (parsed.success) return parsed.data ?? {};
  const issue = parsed.error.issues[0];
  throw new DtkdError('BAD_REQUEST', `${issue?.path.join('.') ?? 'a limit'}: ${issue?.message ?? 'is not valid'}`, {
    next: 'See "dtkd explain policy.spec.limits".',
  });
}

function listOf(text: string): string[] {
  return text.split(',').filter((one) => one !== '');
}
