/** A command with all that it comes to on this node: nothing is looked up any more while it runs. */
import type { ReadyScript } from './commands.types.ts';

export type PreparedWork = PreparedScript | PreparedWorkflow | PreparedDispatch;

export interface PreparedScript {
  kind: 'script';
  script: Omit<ReadyScript, 'step'>;
  /** Of the command; undefined: none. Milliseconds. */
  timeoutMs: number | undefined;
}

export interface PreparedWorkflow {
  kind: 'workflow';
  /** The command that it is. */
  command: string;
  steps: readonly PreparedStep[];
  /** How many at a time: 1 in a sequential one. */
  threads: number;
  timeoutMs: number | undefined;
}

export interface PreparedStep {
  /** As it is shown. */
  label: string;
  work: PreparedWork;
  onFailure: 'fail' | 'ignore' | readonly PreparedStep[];
  attempts: number;
  /** Before the second attempt. Milliseconds. */
  delayMs: number;
  backoff: number;
  /** Of each attempt. */
  timeoutMs: number | undefined;
}

export interface PreparedDispatch {
  kind: 'dispatch';
  command: string;
  /** One after another. */
  groups: readonly (readonly { label: string; work: PreparedWork }[])[];
  threads: number;
  keepGoing: boolean;
  requireMatch: boolean;
  /** What it looked for, to say that there is none. */
  sought: string;
  timeoutMs: number | undefined;
}
