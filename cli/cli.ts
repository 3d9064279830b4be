import type { ApiClient } from './client/api.ts';
import type { ConnectionFlags } from './config.ts';
import type { Output } from './output/output.ts';

/** What a command works with. */
export interface Cli {
  readonly out: Output;
  /** The daemon; found and connected at the first call. */
  client(): Promise<ApiClient>;
  /** Records that one part of the work failed; the rest goes on, and the exit status tells. */
  failed(error: unknown): void;
  /** Sets an exit status of the command's own. */
  exitWith(status: number): void;
}

/** Flags of the root command, readable by every command. */
export interface GlobalFlags extends ConnectionFlags {
  namespace?: string;
}
