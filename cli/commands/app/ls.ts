import type { Command } from 'commander';
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import type { Cli } from '../../cli.ts';
import { type AppInfo, listApps } from '../../client/apps.ts';
import { addListFlag, type ListNames } from '../../input/list-flag.ts';
import { alignColumns } from '../../output/columns.ts';
import { type Format, outputOption } from '../../output/format.ts';
import { show } from '../get.ts';

const EXAMPLES = `
Examples:
  dtkd app ls
  dtkd app ls -o wide       with domains and messages`;

export function configure(command: Command, cli: Cli): void {
  command.addOption(outputOption('json', 'yaml', 'wide', 'name')).addHelpText('after', EXAMPLES);
  addListFlag(command).action(async (flags: { output?: Format } & ListNames) => {
    if (flags.list !== undefined) return cli.out.lines(appNames(await listApps(await cli.client()), flags.list === 'own'));
    if (flags.output !== undefined && flags.output !== 'wide') {
      return show(cli, [{ kind: dtAppKind, names: [] }], { ...flags, headers: true });
    }
    const apps = await listApps(await cli.client());
    if (apps.length === 0) return cli.out.note('No apps here. Share one with: dtkd app expose NAME --to HOST:PORT');
    cli.out.lines(alignColumns([heading(flags.output === 'wide'), ...apps.sort(byName).map((app) => row(app, flags.output === 'wide'))]));
  });
}

/** The names of apps for command lines: with the owner only where the name alone is ambiguous. `own`: only those of this node. */
function appNames(apps: readonly AppInfo[], own: boolean): string[] {
  const named = Map.groupBy(apps, ({ app }) => app);
  const called = ({ app, owner, isCopy }: AppInfo): string => (isCopy && (named.get(app)?.length ?? 0) > 1 ? `${owner}/${app}` : app);
  return apps
    .filter(({ isCopy }) => !own || !isCopy)
    .sort(byName)
    .map(called);
}

/** Apps of this node first, then by name. */
function byName(a: AppInfo, b: AppInfo): number {
  return Number(a.isCopy) - Number(b.isCopy) || (`${a.app}/${a.owner}` < `${b.app}/${b.owner}` ? -1 : 1);
}

function heading(wide: boolean): string[] {
  return ['APP', 'OWNER', 'STATUS', 'URI', ...(wide ? ['DOMAINS', 'AUTHENTICATION', 'OBJECT', 'MESSAGE'] : [])];
}

function row(app: AppInfo, wide: boolean): string[] {
  const more = [app.domains.join(',') || '<none>', app.authenticationType, app.object, app.message ?? '<none>'];
  return [app.app, app.owner, app.status ?? '<unknown>', app.uri ?? '<none>', ...(wide ? more : [])];
}
