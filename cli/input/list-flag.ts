/** The flag by which completion asks a command for names. Nobody else sees it. */
import { type Command, Option } from 'commander';

export interface ListNames {
  list?: string;
}

export function addListFlag(command: Command): Command {
  return command.addOption(new Option('--list <what>', 'names for completion').hideHelp());
}
