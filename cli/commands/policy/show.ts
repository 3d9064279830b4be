import type { Command } from 'commander';
import type { PolicySpec } from '../../../protocol/kinds/policy.ts';
import type { Cli } from '../../cli.ts';
import { readPolicy } from '../../client/policy.ts';
import { alignColumns } from '../../output/columns.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd policy show          whose code may run here, which code exactly, and what it may take
  dtkd policy show -o yaml`;

/** Digits of a digest that are shown: enough to distinguish two. */
const SHOWN_DIGITS = 16;

const DEFAULTS: Readonly<Record<string, string>> = {
  concurrency: '16',
  timeout: '1d',
  output: '16777216',
  users: '',
  environment: 'PATH,LANG,LC_ALL,TZ,HOME,USER,LOGNAME',
  keepFor: '30d',
  keepBytes: '1073741824',
};

export function configure(command: Command, cli: Cli): void {
  command
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: { output?: Format }) => {
      const spec = await readPolicy(await cli.client());
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, spec, flags.output);
      cli.out.lines([...trustLines(spec), '', ...pinLines(spec), '', ...limitLines(spec)]);
    });
}

function trustLines({ trust = [] }: PolicySpec): string[] {
  if (trust.length === 0) return ['Only code of this node itself runs here.'];
  const rows = trust.map(({ node, key = '', follow }) => [node, follow === true ? 'whatever it publishes' : 'pinned code', key]);
  return alignColumns([['TRUSTED NODE', 'RUNS', 'SIGNING KEY'], ...rows]);
}

function pinLines({ pins = {} }: PolicySpec): string[] {
  const rows = Object.entries(pins).sort(([a], [b]) => (a < b ? -1 : 1));
  if (rows.length === 0) return ['No code is pinned.'];
  return alignColumns([
    ['CODE', 'VERSION', 'DIGEST', 'PUBLISHER'],
    ...rows.map(([name, { digest, version = '', node, publisher }]) => [
      name,
      version,
      digest.slice(0, SHOWN_DIGITS),
      node ?? publisher.slice(0, SHOWN_DIGITS),
    ]),
  ]);
}

function limitLines({ limits = {} }: PolicySpec): string[] {
  const rows = Object.entries(DEFAULTS).map(([name, standard]) => {
    const value = Object.entries(limits).find(([key]) => key === name)?.[1];
    return value === undefined ? [name, standard || '-', 'default'] : [name, Array.isArray(value) ? value.join(',') : String(value), ''];
  });
  return alignColumns([['LIMIT', 'VALUE', ''], ...rows]);
}
