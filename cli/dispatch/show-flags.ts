/** Flags that say how an execution is shown, and the view that they choose. */
import { type Command, Option } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import { LOG_LEVELS, type LogLevel } from '../../protocol/orders/words.ts';
import type { Output } from '../output/output.ts';
import type { ShownParts } from './execution.ts';
import { type TextForm, TextView } from './text-view.ts';
import type { FollowView, Screen } from './view.types.ts';

export interface ShowFlags {
  loglevel: LogLevel;
  terse?: boolean;
  group?: boolean;
  raw?: boolean;
  output?: 'json';
}

export function addShowFlags(command: Command): Command {
  return command
    .addOption(
      new Option('-l, --loglevel <level>', `lowest level that is shown: ${LOG_LEVELS.join(', ')}`)
        .default('info')
        .argParser((text) => levelOf(text)),
    )
    .option('-z, --terse', 'output lines without a prefix')
    .option('--group', 'group the output by target, shown when each has ended')
    .option('--raw', 'only the output, byte for byte; for pipes')
    .addOption(new Option('-o, --output <format>', 'one line of JSON for each line of output, with its origin').choices(['json']));
}

/** Creates the view. `escaped`: for a terminal. `shown`: parts that are not shown again. */
type ViewIn = (
  prefix: TextForm['prefix'],
  local: string | undefined,
  screen: Screen,
  escaped: boolean,
  shown: ShownParts | undefined,
) => FollowView;

/** Loads the view that the flags choose. All but the usual one are loaded on demand. */
export async function loadView(flags: ShowFlags): Promise<ViewIn> {
  if (flags.output === 'json') {
    const { JsonView } = await import('./json-view.ts');
    if (flags.group !== true) return (_prefix, _local, screen) => new JsonView(screen);
    const { GroupView } = await import('./group-view.ts');
    return (_prefix, _local, screen, _escaped, shown) => new GroupView(screen, { view: (of) => new JsonView(of) }, shown);
  }
  if (flags.raw === true) {
    const { RawView } = await import('./raw-view.ts');
    return (_prefix, _local, screen) => new RawView(screen);
  }
  const form = (prefix: TextForm['prefix'], local: string | undefined, escaped: boolean): TextForm => {
    return { prefix: flags.terse === true ? 'none' : prefix, local, level: flags.loglevel, escape: escaped };
  };
  if (flags.group === true) {
    const { GroupView, headingOf } = await import('./group-view.ts');
    return (_prefix, local, screen, escaped, shown) => {
      const view = (of: Screen) => new TextView(of, form('none', local, escaped));
      return new GroupView(screen, { view, heading: headingOf }, shown);
    };
  }
  return (prefix, local, screen, escaped) => new TextView(screen, form(prefix, local, escaped));
}

export function assertOneForm({ group, raw, output }: ShowFlags): void {
  if (raw !== true) return;
  const given = [group === true ? '--group' : '', output === undefined ? '' : '-o json'].filter(Boolean);
  if (given.length > 0) throw new DtkdError('BAD_REQUEST', `${given.join(', ')} and --raw cannot be used together`);
}

/** Writes straight to standard output and standard error. */
export function plainScreen(): Screen {
  return { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) };
}

/** True if a table can be kept at the bottom: somebody is watching, and the output is for people. */
export function canBeLive(out: Output, flags: ShowFlags): boolean {
  return out.interactive && flags.raw !== true && !(flags.output === 'json' && process.stdout.isTTY === true);
}

function levelOf(text: string): LogLevel {
  const word = text.toLowerCase();
  const level = LOG_LEVELS.find((known) => known === word || (word === 'warn' && known === 'warning'));
  if (level !== undefined) return level;
  throw new DtkdError('BAD_REQUEST', `there is no level "${text.slice(0, 40)}"`, { next: `Levels: ${LOG_LEVELS.join(', ')}.` });
}
