/** The manual page dtkd(1), from the help of the commands themselves. Pure. */
import type { Argument, Command } from 'commander';

export interface ManualCommand {
  /** `dtkd domain create`. */
  path: string;
  summary: string;
  usage: string;
  options: readonly { flags: string; text: string }[];
  /** The help after the options: examples and further text. */
  after: string;
}

/** The parts of the page that belong to no command. */
export interface ManualFrame {
  version: string;
  /** Seconds since 1970. */
  time: number;
  globals: readonly { flags: string; text: string }[];
  /** The whole help of the daemon's programs, such as `dtkd up`, by path. */
  programs: ReadonlyMap<string, string>;
}

/** Describes a command from its commander definition. */
export function manualCommand(command: Command, path: string): ManualCommand {
  const usage = [path, ...command.registeredArguments.map(argumentText), ...(command.options.length > 0 ? ['[options]'] : [])].join(' ');
  const after = helpOf(command);
  return {
    path,
    summary: command.description(),
    usage,
    options: command.options
      .filter(({ hidden }) => !hidden)
      .map((option) => ({ flags: option.flags, text: withChoices(option.description, option.argChoices) })),
    after,
  };
}

/** The text that the help adds after its lists: examples and further text. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (more) => (text += more), getOutHasColors: () => false }).outputHelp();
  return text.slice(command.helpInformation().length).trim();
}

function argumentText(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function withChoices(text: string, choices: readonly string[] | undefined): string {
  return choices === undefined ? text : `${text} (${choices.join(', ')})`;
}

/** The page in roff. */
export function manualPage(commands: readonly ManualCommand[], { version, time, globals, programs }: ManualFrame): string {
  const date = new Date(time * 1000).toISOString().slice(0, 10);
  const lines = [
    `.TH DTKD 1 "${date}" "dtkd ${version}" "User Commands"`,
    '.SH NAME',
    'dtkd \\- share services between sites and run commands on the right machines',
    '.SH SYNOPSIS',
    '.B dtkd up',
    '.RI [ options ]',
    '.br',
    '.B dtkd',
    '.RI [ "global options" "] " "command " [ arguments ]',
    '.SH DESCRIPTION',
    roff(
      'One daemon per site, started by "dtkd up", and a command line that talks to it over HTTPS. Sites join a domain by a signed invite; what one of them shares is reachable from every other. There is no server in the middle.',
    ),
    '.SH GLOBAL OPTIONS',
    ...optionLines(globals),
    '.SH COMMANDS',
  ];
  for (const command of commands) {
    const whole = programs.get(command.path);
    lines.push(`.SS "${escaped(command.path)}"`, roff(sentence(command.summary)));
    if (whole !== undefined) {
      lines.push('.PP', ...verbatim(whole));
      continue;
    }
    lines.push('.PP', `.B ${roff(command.usage)}`, ...optionLines(command.options));
    if (command.after !== '') lines.push('.PP', ...verbatim(command.after));
  }
  lines.push(
    '.SH FILES',
    ...optionLines([
      { flags: '~/.local/share/dtkd', text: "The data of one user's daemon, unless --data or DTKD_DATA says otherwise." },
      { flags: '/var/lib/dtkd', text: 'The data of the daemon that systemd starts.' },
      { flags: '/etc/default/dtkd', text: 'Settings of that one, as variables.' },
      { flags: 'config.yaml', text: 'Settings, in the data directory.' },
    ]),
    '.SH ENVIRONMENT',
    ...optionLines([
      { flags: 'DTKD_URL, DTKD_TOKEN, DTKD_DATA, DTKD_CA', text: 'As the global options of these names.' },
      { flags: 'XDG_CACHE_HOME', text: 'Where compiled code is kept between runs, in a directory dtkd.' },
    ]),
    '.SH EXIT STATUS',
    roff('0 if all was done; 2 if the command line makes no sense; others as the help of the command says.'),
    '.SH SEE ALSO',
    roff('The guides in the directory docs that comes with dtkd.'),
  );
  return `${lines.join('\n')}\n`;
}

function optionLines(options: readonly { flags: string; text: string }[]): string[] {
  return options.flatMap(({ flags, text }) => ['.TP', `.B ${roff(flags)}`, roff(text === '' ? flags : text)]);
}

function verbatim(text: string): string[] {
  return ['.nf', ...text.split('\n').map((line) => roff(line)), '.fi'];
}

function sentence(text: string): string {
  return text === '' ? text : `${text[0]?.toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

/** Escapes text for roff: backslashes, hyphens (so that they can be copied), and a dot or quote at the start of a line. */
function roff(text: string): string {
  const safe = escaped(text);
  return /^[.']/.test(safe) ? `\\&${safe}` : safe;
}

function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replaceAll('“', '"')
    .replaceAll('”', '"')
    .replaceAll('"', '\\(dq')
    .replaceAll("'", '\\(aq');
}
