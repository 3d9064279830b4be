import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { isRecord, listAt, numberAt, textAt } from '../../json.ts';
import { escapeControls } from '../../output/escape.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd audit verify
  dtkd audit verify -o json

Checks every kept line, and asks the members of this node's domains which heads of this log they have
seen. Exit status 1: the log is wrong; each problem is listed with its place.`;

/** Exit status if something is wrong with the log. */
const BROKEN = 1;

export function configure(command: Command, cli: Cli): void {
  command
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: { output?: Format }) => {
      const client = await cli.client();
      const report = await client.daemon('GET', 'audit/verify');
      const sound = report['ok'] === true;
      if (!sound) cli.exitWith(BROKEN);
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, report, flags.output);
      cli.out.lines(linesOf(report, sound));
    });
}

function linesOf(report: unknown, sound: boolean): string[] {
  const count = (field: string): number => numberAt(report, field) ?? 0;
  const problems = listAt(report, 'problems').map(problemText);
  const testimonies = listAt(report, 'witnesses').filter(isRecord);
  const silent = testimonies.filter((each) => each['heads'] === undefined);
  const files = count('files') === 1 ? '1 file' : `${count('files')} files`;
  const extent = `lines ${count('first')} to ${count('last')} in ${files}`;
  return [
    sound ? `The audit log is sound: ${extent}.` : `The audit log is BROKEN: ${extent}.`,
    ...problems.map((problem) => `  ${problem}`),
    ...listAt(report, 'restores').map(restoreText),
    `Heads seen elsewhere and found here: ${count('confirmed')}; older than what is kept: ${count('beforeKept')}.`,
    ...(testimonies.length === 0 ? ['No other member could witness it: this node is alone.'] : []),
    ...silent.map((each) => `Not asked: ${escapeControls(`${textAt(each, 'node')}: ${textAt(each, 'reason')}`)}`),
  ];
}

function restoreText(restore: unknown): string {
  const lost = numberAt(restore, 'lost') ?? 0;
  const seen = lost === 0 ? '' : `; of the lines that were lost with it, ${lost === 1 ? '1 head was' : `${lost} heads were`} seen`;
  return escapeControls(`Line ${numberAt(restore, 'seq') ?? 0}: this node was restored ${textAt(restore, 'because') ?? ''}${seen}.`);
}

function problemText(problem: unknown): string {
  const file = textAt(problem, 'file');
  const line = numberAt(problem, 'line');
  const place = file === undefined ? '' : `${file}${line === undefined ? '' : `:${line}`}: `;
  return escapeControls(`${place}${textAt(problem, 'what') ?? ''}`);
}
