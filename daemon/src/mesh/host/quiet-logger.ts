/**
 * The log that libp2p gets: none. Its own asks the system about standard error, and hashes a name for a colour, twice for each stream and each connection,
 * to write nothing. What an operator has to know of the mesh is logged above.
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
