import type { Logger } from '../daemon/src/logging/logger.types.ts';

/** Keeps nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
