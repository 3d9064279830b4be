/** What could complete an incomplete context, for people. Pure. */
import { listAt, recordAt, textAt, textsAt, valueAt } from '../json.ts';
import { alignColumns } from '../output/columns.ts';
import { unansweredLines } from './plan-lines.ts';

/** What the command line has named already. */
interface Within {
  project?: string | undefined;
  type?: string | undefined;
  command?: string | undefined;
}

export function contextLines(answer: unknown, within: Within = {}): string[] {
  const sections = [modelLines(answer), typeLines(answer), resourceLines(answer), commandLines(answer)].filter((lines) => lines.length > 0);
  const lines = sections.flatMap((section, index) => (index === 0 ? section : ['', ...section]));
  if (lines.length === 0) lines.push(nothingLine(within));
  if (valueAt(answer, 'truncated') === true)
    lines.push('', 'There are more than these: name a model (-p) or a type (-t) to see the others.');
  return [...lines, ...unansweredLines(answer)];
}

function nothingLine({ project, type, command }: Within): string {
  const said = [
    ...(type === undefined ? [] : [`of type "${type}"`]),
    ...(project === undefined ? [] : [`in model "${project}"`]),
    ...(command === undefined ? [] : [`with a command "${command}"`]),
  ].join(' ');
  return said === ''
    ? 'There is nothing here that you may READ and could run. Import a model ("dtkd model import"), apply Types and Resources, or ask for rights.'
    : `There is no resource ${said} that you may READ. "dtkd ctl" alone lists what there is.`;
}

function modelLines(answer: unknown): string[] {
  const models = listAt(answer, 'models');
  return titled(
    'Models (-p):',
    alignColumns(models.map((model) => [`  ${textAt(model, 'name') ?? ''}`, `of ${textAt(model, 'node') ?? ''}`])),
  );
}

function typeLines(answer: unknown): string[] {
  const types = listAt(answer, 'types');
  return titled('Types (-t):', alignColumns(types.map((type) => [`  ${textAt(type, 'name') ?? ''}`, textAt(type, 'description') ?? ''])));
}

function resourceLines(answer: unknown): string[] {
  const rows = listAt(answer, 'resources').map((resource) => [
    `  ${textAt(resource, 'type') ?? ''}`,
    textAt(resource, 'name') ?? '',
    `${textAt(resource, 'model') ?? ''} of ${textAt(resource, 'node') ?? ''}`,
    deployedOn(textsAt(resource, 'deployments')),
  ]);
  return titled('Resources (-t -r):', alignColumns(rows));
}

/** Nodes that are named; the rest are counted. */
const NAMED_NODES = 5;

function deployedOn(nodes: readonly string[]): string {
  if (nodes.length === 0) return 'deployed nowhere';
  const rest = nodes.length - NAMED_NODES;
  return `on ${nodes.slice(0, NAMED_NODES).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function commandLines(answer: unknown): string[] {
  const commands = listAt(answer, 'commands');
  const heads = alignColumns(
    commands.map((command) => {
      const from = textAt(command, 'type');
      const said = [textAt(command, 'command', 'description') ?? '', from === undefined ? '' : `(${from})`];
      return [`  ${textAt(command, 'name') ?? ''}`, said.filter(Boolean).join(' ')];
    }),
  );
  return titled(
    'Commands (-c):',
    commands.flatMap((command, index) => [heads[index] ?? '', ...optionLines(recordAt(command, 'command', 'options'))]),
  );
}

function optionLines(options: Record<string, unknown>): string[] {
  return alignColumns(
    Object.entries(options).map(([name, rule]) => {
      const fallback = valueAt(rule, 'default');
      const property = textAt(rule, 'property');
      const said = [
        valueAt(rule, 'required') === true ? 'required' : '',
        fallback === undefined ? '' : `default ${String(fallback)}`,
        property === undefined ? '' : `default: property ${property}`,
        listAt(rule, 'allowed').length === 0 ? '' : `one of ${listAt(rule, 'allowed').map(String).join(', ')}`,
      ].filter(Boolean);
      const type = textAt(rule, 'type') ?? 'string';
      return [`      -${name}${type === 'boolean' ? '' : ` <${type}>`}`, said.join(', '), textAt(rule, 'description') ?? ''];
    }),
  );
}

function titled(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines];
}
