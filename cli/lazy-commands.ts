import type { Command } from 'commander';

const LOADERS = new WeakMap<Command, () => Promise<void>>();

/** Says how the options, arguments and action of a command are filled in when they are needed. */
export function loadLater(command: Command, loader: () => Promise<void>): void {
  LOADERS.set(command, loader);
}

/** Fills in a command; nothing happens the second time. */
export async function load(command: Command): Promise<void> {
  const loader = LOADERS.get(command);
  LOADERS.delete(command);
  await loader?.();
}
