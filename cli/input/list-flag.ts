/** The hidden flag by which completion scripts ask a command for names. */
import { type Command, Option } from 'commander';

export interface ListNames {
  list?: string;
}

export function addListFlag(command: Command): Command {
  return command.addOption(new Option('--list <what>', 'names for completion').hideHelp());
}
