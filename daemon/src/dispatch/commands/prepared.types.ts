/** A fully resolved command on this node: nothing is looked up while it runs. */
import type { ReadyScript } from './commands.types.ts';

export type PreparedWork = PreparedScript | PreparedWorkflow | PreparedDispatch;

export interface PreparedScript {
  kind: 'script';
  script: Omit<ReadyScript, 'step'>;
  /** The command's time limit in milliseconds. Undefined: none. */
  timeoutMs: number | undefined;
}

export interface PreparedWorkflow {
  kind: 'workflow';
  /** Name of the command. */
  command: string;
  steps: readonly PreparedStep[];
  /** Steps that run at a time: 1 in a sequential workflow. */
  threads: number;
  timeoutMs: number | undefined;
}

export interface PreparedStep {
  /** The name shown in log lines and reasons. */
  label: string;
  work: PreparedWork;
  onFailure: 'fail' | 'ignore' | readonly PreparedStep[];
  attempts: number;
  /** Wait before the second attempt, in milliseconds. */
  delayMs: number;
  backoff: number;
  /** Time limit of each attempt, in milliseconds. */
  timeoutMs: number | undefined;
}

export interface PreparedDispatch {
  kind: 'dispatch';
  command: string;
  /** The groups run one after another. */
  groups: readonly (readonly { label: string; work: PreparedWork }[])[];
  threads: number;
  keepGoing: boolean;
  requireMatch: boolean;
  /** Describes what was looked for, for the message if there is nothing. */
  sought: string;
  timeoutMs: number | undefined;
}
