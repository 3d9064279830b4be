import type { Command } from 'commander';
import { typeObjectName } from '../../../protocol/definitions/names.ts';
import { typeKind } from '../../../protocol/kinds/type.ts';
import type { Cli } from '../../cli.ts';
import { type ApiClient, THIS_NODE } from '../../client/api.ts';
import { type JsonRecord, recordAt, textAt, textsAt } from '../../json.ts';
import { findModule, isActive } from '../../module/object.ts';
import { escapeControls } from '../../output/escape.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd module show acme/web             who signed it, its types and their commands
  dtkd module show acme/web@1.1.0       of another version that is here
  dtkd module show acme.web-1.2.0 -o yaml`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'NAME, NAME@VERSION, or the name of its object')
    .option('-n, --namespace <node>', 'of this node')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const { namespace, output } = command.optsWithGlobals<{ namespace?: string; output?: Format }>();
      const client = await cli.client();
      const module = await findModule(client, name, namespace);
      if (output === 'json' || output === 'yaml') return printValue(cli.out, module, output);
      cli.out.lines([...headLines(module), ...(await typeLines(client, module))].map(escapeControls));
    });
}

function headLines(module: JsonRecord): string[] {
  const spec = recordAt(module, 'spec');
  const line = (label: string, value: unknown) => (value === undefined ? [] : [`${`${label}:`.padEnd(14)}${String(value)}`]);
  return [
    ...line('Module', `${textAt(spec, 'module') ?? ''} ${textAt(spec, 'version') ?? ''}`),
    ...line('Description', spec['description']),
    ...line('License', spec['license']),
    ...line('Digest', spec['digest']),
    ...line('Size', `${String(spec['size'])} bytes in ${String(spec['files'])} files`),
    ...line('Types', isActive(module) ? 'those of this node' : 'not those of this node: it is here only to be staged'),
    ...Object.entries(recordAt(spec, 'dependencies')).flatMap(([name, range]) => line('Needs', `${name} ${String(range)}`)),
    ...textsAt(spec, 'assemblies').flatMap((name) => line('Assembly', name)),
    ...line('Publisher', `${textAt(spec, 'publisher', 'node') ?? ''} (${textAt(spec, 'publisher', 'key') ?? ''})`),
  ];
}

/** Each type with its own commands; for a type that the caller may not see, only its name. */
async function typeLines(client: ApiClient, module: JsonRecord): Promise<string[]> {
  const lines: string[] = [];
  const namespace = textAt(module, 'metadata', 'namespace') ?? THIS_NODE;
  const names = textsAt(module, 'spec', 'types');
  // the Type objects belong to another version
  if (!isActive(module)) return names.length === 0 ? [] : ['', `Types ${names.join(', ')}`];
  for (const name of names) {
    const type = await client.find({ kind: typeKind, namespace, name: typeObjectName(name) });
    const above = textAt(type, 'spec', 'extends');
    lines.push('', above === undefined ? `Type ${name}` : `Type ${name}, a ${above}`);
    const commands = Object.entries(recordAt(type, 'spec', 'commands'));
    const width = Math.max(0, ...commands.map(([command]) => command.length));
    for (const [command, what] of commands) lines.push(`  ${command.padEnd(width)}  ${aboutCommand(what)}`.trimEnd());
  }
  return lines;
}

function aboutCommand(command: unknown): string {
  const form = ['script', 'workflow', 'dispatch'].find((one) => Reflect.get(Object(command), one) !== undefined) ?? '';
  const description = textAt(command, 'description');
  const marks = Reflect.get(Object(command), 'private') === true ? `${form}, private` : form;
  return description === undefined ? `(${marks})` : `${description} (${marks})`;
}
