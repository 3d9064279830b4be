import type { Command } from 'commander';

const LOADERS = new WeakMap<Command, () => Promise<void>>();

/** Registers how to fill in the options, arguments and action of a command once it is needed. */
export function loadLater(command: Command, loader: () => Promise<void>): void {
  LOADERS.set(command, loader);
}

/** Fills in a command. Later calls do nothing. */
export async function load(command: Command): Promise<void> {
  const loader = LOADERS.get(command);
  LOADERS.delete(command);
  await loader?.();
}
