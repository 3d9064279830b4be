/**
 * The logger given to libp2p, which discards everything. libp2p's own one asks the system about standard error and hashes a name for a
 * colour, twice for each stream and connection, only to write nothing. What operators must know of the mesh is logged above it.
 */
import type { ComponentLogger, Logger } from '@libp2p/interface';

const nothing = (): void => undefined;

const quiet: Logger = Object.assign((): void => undefined, {
  error: nothing,
  trace: nothing,
  enabled: false,
  newScope: (): Logger => quiet,
});

export const quietLogger: ComponentLogger = { forComponent: () => quiet };
