/** Flags that commands about services share. */
import type { Command } from 'commander';

export const collect = (text: string, all: string[] = []): string[] => [...all, text];

/** Which node has the service. */
export function addNodeFlag(command: Command): Command {
  return command.option('-n, --namespace <node>', 'node that has the service (default: this node)');
}

export interface NodeFlag {
  namespace?: string;
}
