import type { Command } from 'commander';
import { PROPERTY_TYPES, type PropertyType } from '../../protocol/definitions/property-types.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { ASSEMBLIES } from '../../protocol/kinds/paths.ts';
import type { StageRequest } from '../../protocol/requests/service.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import { type ApiClient, THIS_NODE } from '../client/api.ts';
import { line } from '../dispatch/conclude.ts';
import { addListFlag, type ListNames } from '../input/list-flag.ts';
import { isRecord, listAt, recordAt, textAt, textsAt } from '../json.ts';
import { escapeControls } from '../output/escape.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';
import { collect } from '../service/flags.ts';

const EXAMPLES = `
Examples:
  dtkd stage acme/web:web-tier                          a service called web-tier
  dtkd stage acme/web:web-tier --name shop --set tier=prod --set page=@index.html
  dtkd stage acme/web:web-tier@^1.2 --name shop         of a version that meets ^1.2
  dtkd stage acme/web:web-tier --name shop --target site1
  dtkd stage acme/web:web-tier --name shop --set password=-   a parameter that is a secret: asked for, and not shown
  dtkd stage acme/web:web-tier --dry-run                check only

It creates a service with its own copies of all modules that it uses, in its own git repository. Nothing runs before it is
converged. Later changes to the modules do not reach it. "dtkd get assemblies" lists what can be staged.

Exit status: 0 if it is staged; 2: something is invalid, 4: not allowed, 5: not found, 6: the name is taken.`;

interface Flags extends ListNames {
  name?: string;
  target?: string;
  set?: string[];
  version?: string;
  dryRun?: boolean;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  addListFlag(command.argument('<module:assembly>', 'the assembly, e.g. acme/web:web-tier; @RANGE of versions may follow'))
    .option('--name <name>', 'name of the service (default: that of the assembly, with a number if taken)')
    .option('--target <service>', 'the target that it is staged against (default: the default target, if it needs one)')
    .option('--set <name=value>', 'a parameter; may be repeated. @FILE: from a file; -: from standard input', collect)
    .option('--version <range>', 'range of versions of the module, e.g. ^1.2 (default: the newest one here)')
    .option('--dry-run', 'check only')
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (what: string, flags: Flags) => {
      const client = await cli.client();
      if (flags.list !== undefined) return cli.out.lines(await (await import('../service/names.ts')).assemblyNames(client));
      const assembly = parseAssembly(what, flags.version);
      const request: StageRequest = {
        ...assembly,
        ...(flags.name === undefined ? {} : { name: flags.name }),
        ...(flags.target === undefined ? {} : { target: flags.target }),
      };
      const { parameters, name } = await parametersOf(cli, client, request, flags.set ?? []);
      cli.out.progress(`Staging ${assembly.module}:${assembly.assembly} ...`);
      const dryRun = flags.dryRun === true;
      const answer = await client.daemon('POST', 'stage', {
        ...request,
        ...(name === undefined ? {} : { name }),
        ...(parameters === undefined ? {} : { parameters }),
        ...(dryRun ? { dryRun } : {}),
      });
      const instance = recordAt(answer, 'instance');
      const staged = textAt(instance, 'metadata', 'name') ?? '';
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, answer, flags.output);
      for (const note of textsAt(answer, 'notes')) cli.out.note(escapeControls(note));
      if (flags.output === 'name') return cli.out.print(`serviceinstance.dtkd.dev/${staged}`);
      cli.out.lines(stagedLines(instance, dryRun).map(escapeControls));
      if (dryRun) return;
      const global = command.optsWithGlobals<GlobalFlags>();
      cli.out.note(
        [
          `Next: edit dtk.service.yaml there, or: ${line(global, 'service', 'show', staged)}   (what can be set)`,
          `Then: ${line(global, 'converge', staged)}`,
        ].join('\n'),
      );
    });
}

/** Parses `acme/web:web-tier@^1.2`. */
export function parseAssembly(text: string, version: string | undefined): Pick<StageRequest, 'module' | 'assembly' | 'version'> {
  const match = /^([^:@/]+\/[^:@]+):([^:@]+)(?:@(.+))?$/.exec(text);
  const [, module, assembly, range] = match ?? [];
  if (module === undefined || assembly === undefined) {
    throw new DtkdError('BAD_REQUEST', `"${text.slice(0, 120)}" is not MODULE:ASSEMBLY`, {
      next: 'Write it like acme/web:web-tier. See "dtkd get assemblies".',
    });
  }
  if (range !== undefined && version !== undefined && range !== version) {
    throw new DtkdError('BAD_REQUEST', 'the range of versions is given twice', { next: 'Give it after @, or with --version.' });
  }
  const wanted = range ?? version;
  return { module, assembly, ...(wanted === undefined ? {} : { version: wanted }) };
}

/** The parameters. If a Secret is created for one, the name of the new service is determined first, since the Secret's name contains it. */
async function parametersOf(
  cli: Cli,
  client: ApiClient,
  request: StageRequest,
  pairs: readonly string[],
): Promise<{ parameters?: Record<string, unknown>; name?: string }> {
  if (pairs.length === 0) return {};
  const [{ parseSettings }, { readSettings }] = await Promise.all([import('../service/values.ts'), import('../service/settings.ts')]);
  const settings = parseSettings(pairs);
  const types = await parameterTypes(client, request);
  const makesSecret = settings.some(({ path, source }) => types.get(path) === 'secret' && !(source !== 'input' && 'text' in source));
  const name = request.name ?? (makesSecret ? await nameToBe(client, request) : undefined);
  const values = await readSettings(settings, {
    client,
    service: { name: name ?? '', namespace: THIS_NODE },
    typeOf: (path) => types.get(path),
    onSecret: (secret, path) => cli.out.note(`Set the Secret ${secret} for the parameter ${path}.`),
  });
  return { parameters: Object.fromEntries(values.map(({ path, value }) => [path, value])), ...(name === undefined ? {} : { name }) };
}

/** The types of the parameters, over all versions that are here. The values of unknown ones are guessed from their text. */
async function parameterTypes(client: ApiClient, { module, assembly }: StageRequest): Promise<Map<string, PropertyType>> {
  const page = await client.get(
    { kind: ASSEMBLIES, namespace: THIS_NODE },
    { fieldSelector: `spec.module=${module},spec.assembly=${assembly}` },
  );
  const types = new Map<string, PropertyType>();
  for (const item of listAt(page, 'items')) {
    for (const [name, rule] of Object.entries(recordAt(item, 'spec', 'parameters'))) {
      const type = isRecord(rule) ? (PROPERTY_TYPES.find((known) => known === rule['type']) ?? 'string') : undefined;
      if (type !== undefined) types.set(name, type);
    }
  }
  return types;
}

async function nameToBe(client: ApiClient, request: StageRequest): Promise<string | undefined> {
  return textAt(await client.daemon('POST', 'stage', { ...request, dryRun: true }), 'instance', 'metadata', 'name');
}

function stagedLines(instance: unknown, dryRun: boolean): string[] {
  const name = textAt(instance, 'metadata', 'name') ?? '';
  const spec = recordAt(instance, 'spec');
  const target = textAt(spec, 'target');
  const of = `${textAt(spec, 'module') ?? ''} ${textAt(spec, 'version') ?? ''}, assembly ${textAt(spec, 'assembly') ?? ''}`;
  const against = target === undefined ? '' : `, against ${target}`;
  if (dryRun) return [`${name} can be staged of ${of}${against} (dry run).`];
  return [`Staged ${name} of ${of}${against}.`, `Directory: ${textAt(spec, 'directory') ?? ''}`];
}
