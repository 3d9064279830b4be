import type { Apps, AppsOptions } from './ports.ts';

/** Builds the dtApps part of a daemon. Nothing listens before `start`. */
export function createApps(_options: AppsOptions): Apps {
  throw new Error('not wired yet');
}
