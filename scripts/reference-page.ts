/** Generates docs/reference.md from the kinds, commands and codes in the program. Pure. */
import type { errorCodes } from '../protocol/errors.ts';
import { apiVersionOf, type Kind } from '../protocol/kinds/kind.ts';
import type { DescribedCommands } from './commands.ts';
import { fieldsOf } from './fields.ts';
import type { ManualCommand } from './manual.ts';

export interface ReferenceInput {
  kinds: readonly Kind[];
  described: DescribedCommands;
  codes: ReturnType<typeof errorCodes>;
}

/** The meaning of exit statuses that the code of an error does not explain. */
const STATUSES: readonly (readonly [number, string])[] = [
  [0, 'all was done'],
  [1, 'unexpected error; or the answer is no, as with `can` and `audit verify`'],
  [2, 'not understood: the command line, a document, a file'],
  [3, 'with `--require-complete`: not all nodes answered, or not in full'],
  [4, 'not allowed'],
  [5, 'not found'],
  [6, 'in conflict with what is there'],
  [7, 'no answer, now'],
  [8, 'another version is needed'],
  [9, 'no daemon'],
  [10, 'the data directory is in use'],
  [11, 'a port is in use'],
  [12, 'the data directory cannot be written'],
  [13, 'the data is of a newer version'],
  [14, 'a setting is wrong'],
  [15, 'the disk is full'],
  [16, 'the database is damaged'],
  [20, 'a target failed or refused; something has drifted'],
  [21, 'some targets were unreachable or skipped, all others succeeded'],
  [22, 'the outcome at a target is unknown; with `app curl --fail`: the answer was 400 or above'],
  [23, 'paused after a batch'],
  [24, 'orders wait for targets that are away'],
  [25, 'a service has violations'],
  [26, 'problems were found'],
  [130, 'Ctrl-C'],
  [141, 'nobody reads the output of a followed execution, which goes on'],
];

export function referencePage({ kinds, described, codes }: ReferenceInput): string {
  return `${[
    '# Reference',
    '',
    'Made from the program by `npm run reference`; a test sees to it that it is up to date. What each thing is for stands in the guides. The API describes itself, too: `dtkd explain dtapp.spec`, and `/reference/` of each daemon',
    '([api.md](api.md)). Settings of the daemon are in [service.md](service.md#settings), metrics in [monitoring.md](monitoring.md#all-metrics).',
    '',
    '[Kinds](#kinds) · [Commands](#commands) · [Exit statuses](#exit-statuses) · [Codes](#codes)',
    '',
    '## Kinds',
    '',
    'Every object has `apiVersion`, `kind` and `metadata` (`name`, `namespace`, `labels`, `annotations`, `finalizers`, `ownerReferences`; `uid`, `resourceVersion`, `generation`, `creationTimestamp` and `deletionTimestamp` are the',
    "daemon's). The namespace is the node that owns the object. **Shared** kinds are published to the domains that they name, **private** ones never leave their node; **derived** ones are made of others whenever they are read.",
    '',
    '| kind | apiVersion | names | |',
    '| --- | --- | --- | --- |',
    ...kinds.map(
      (kind) => `| [${kind.kind}](#${kind.kind.toLowerCase()}) | \`${apiVersionOf(kind)}\` | ${namesOf(kind)} | ${placeOf(kind)} |`,
    ),
    '',
    ...kinds.flatMap(kindLines),
    '## Commands',
    '',
    '`dtkd COMMAND --help` has examples, too, and so has the manual page, `man dtkd`. All commands that talk to a daemon take these:',
    '',
    ...optionLines(described.globals),
    '',
    ...described.commands.flatMap((command) => commandLines(command, described.programs.get(command.path))),
    '## Exit statuses',
    '',
    '| status | meaning | codes |',
    '| --- | --- | --- |',
    ...STATUSES.map(([status, meaning]) => `| ${status} | ${meaning} | ${codesOf(codes, status)} |`),
    '',
    '## Codes',
    '',
    'Each error has one of these codes, as `details.code` of the `Status` that the API answers. A code never changes its meaning.',
    '',
    '| code | HTTP | exit status |',
    '| --- | --- | --- |',
    ...codes.map(({ code, http, exit }) => `| \`${code}\` | ${http} | ${exit} |`),
  ].join('\n')}\n`;
}

function namesOf({ plural, shortNames }: Kind): string {
  return [plural, ...shortNames].map((name) => `\`${name}\``).join(', ');
}

function placeOf({ derived, shared, scope }: Kind): string {
  const place = derived !== undefined ? 'derived' : shared ? 'shared' : 'private';
  return scope === 'Cluster' ? `${place}, of no namespace` : place;
}

function kindLines(kind: Kind): string[] {
  const fields = fieldsOf(kind.schema).map(({ path, type, required, text }) => {
    const own = kind.serverFields.includes(path.split(/[.[]/)[0] ?? '');
    return `| \`${path}\` | ${cell(type)}${required && !own ? ', required' : ''} | ${own ? '(daemon) ' : ''}${cell(text)} |`;
  });
  const readOnly = kind.verbs.includes('create') ? '' : ` Only ${kind.verbs.map((verb) => `\`${verb}\``).join(', ')}.`;
  const selectable =
    kind.selectableFields.length === 0 ? '' : ` Field selectors: ${kind.selectableFields.map((name) => `\`${name}\``).join(', ')}.`;
  return [
    `### ${kind.kind}`,
    '',
    `${kind.description}${readOnly}${selectable}`,
    '',
    ...(fields.length === 0 ? [] : ['| field | type | meaning |', '| --- | --- | --- |', ...fields, '']),
  ];
}

function commandLines(command: ManualCommand, help: string | undefined): string[] {
  const summary = command.summary === '' ? '' : `${command.summary.charAt(0).toUpperCase()}${command.summary.slice(1)}.`;
  const about =
    help === undefined ? [`\`${command.usage}\``, '', summary, '', ...optionLines(command.options)] : ['```', ...help.split('\n'), '```'];
  return [`### ${command.path}`, '', ...about, ...(about.at(-1) === '' ? [] : [''])];
}

function optionLines(options: readonly { flags: string; text: string }[]): string[] {
  return options.map(({ flags, text }) => `- \`${flags}\`: ${text.replaceAll('<', '&lt;')}`);
}

function codesOf(codes: ReferenceInput['codes'], status: number): string {
  return codes.flatMap(({ code, exit }) => (exit === status ? [`\`${code}\``] : [])).join(', ');
}

/** Escapes text for a cell of a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ');
}
