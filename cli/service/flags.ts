/** Flags shared by commands about services. */
import type { Command } from 'commander';

export const collect = (text: string, all: string[] = []): string[] => [...all, text];

/** Adds the flag for the node that has the service. */
export function addNodeFlag(command: Command): Command {
  return command.option('-n, --namespace <node>', 'node that has the service (default: this node)');
}

export interface NodeFlag {
  namespace?: string;
}
