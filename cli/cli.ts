import type { ApiClient } from './client/api.ts';
import type { ConnectionFlags } from './config.ts';
import type { Output } from './output/output.ts';

/** What a command works with. */
export interface Cli {
  readonly out: Output;
  /** The daemon. The first call finds it and connects. */
  client(): Promise<ApiClient>;
  /** Reports an error in one part of the work and sets the exit status; the rest goes on. */
  failed(error: unknown): void;
  /** Sets an exit status that is specific to the command. */
  exitWith(status: number): void;
}

/** Flags of the root command, readable by every command. */
export interface GlobalFlags extends ConnectionFlags {
  namespace?: string;
}
