/** Between what a type says of its commands and what runs them. */
import type { CodeRef } from '../../../../protocol/definitions/code.ts';
import type { Command, Script } from '../../../../protocol/definitions/commands.ts';
import type { BundledResource } from '../../../../protocol/orders/bundle.ts';
import type { OptionValue } from '../../../../protocol/orders/order.ts';
import type { LogLevel } from '../../../../protocol/orders/records.ts';

/** A type in a chain, the nearest first, with the commands that it has itself and where they come from. */
export interface CommandType {
  name: string;
  commands: Readonly<Record<string, Command>>;
  code: CodeRef | undefined;
}

/** A command as a type's chain gives it. */
export interface ResolvedCommand {
  /** As it is written. */
  name: string;
  command: Command;
  /** The type that has it, and its code: files of a script are looked for there. */
  type: string;
  code: CodeRef | undefined;
}

/** All that a command sees of where it runs. */
export interface CommandContext {
  resource: BundledResource;
  /** Types of a resource, nearest first. */
  chainOf(type: string): readonly CommandType[];
  /** For local dispatch: resources of the bundle that are deployed here. */
  related(resource: BundledResource, over: 'children' | 'parents' | 'deployments'): readonly BundledResource[];
  node: string;
  /** The directory of a resource on this node: absolute. */
  directoryOf(resource: BundledResource): string;
}

/** What is needed to check a command without running it: on the node that plans there are no directories. */
export type PlanContext = Omit<CommandContext, 'directoryOf'>;

/** How long a command may take, and what ends it before its time. */
export interface RunLimits {
  signal: AbortSignal;
  /** Milliseconds from now. Absent: as long as it takes. */
  timeoutMs?: number | undefined;
  /** In place of the system's, for tests. */
  clock?: Clock;
}

export interface Clock {
  /** Milliseconds since some time. */
  now(): number;
  /** Resolves after so many milliseconds, or as soon as the signal is given. Never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** A script with everything put in, ready to be started. Paths are absolute. */
export interface ReadyScript {
  resource: BundledResource;
  /** The command (or named step) that it is of, and its place among the scripts of the part in the order of their starts, from 1: each attempt has its own. */
  command: string;
  step: number;
  /** Its arguments, variables and directory are filled in, the directory absolute; a file is still relative to its module. An inline text stands as it was written. */
  script: Script;
  code: CodeRef | undefined;
  options: Readonly<Record<string, OptionValue>>;
}

export interface ScriptResult {
  /** Absent if it was ended by a signal, or could not be started. */
  exitStatus?: number;
  signal?: string;
  /** Why it did not succeed, where that is not its status: TIMEOUT code DEADLINE, ABORTED, INVALID user… */
  error?: { code: string; message: string };
  /** It ran, and what became of it is not known. */
  unknown?: boolean;
  /** When it ended, where that is known. */
  endedAt?: number;
}

/** What the engine needs to run scripts and to tell of it. */
export interface ScriptRunner {
  run(script: ReadyScript, options: { timeoutMs: number | undefined; signal: AbortSignal }): Promise<ScriptResult>;
  /** A line of dtkd's own into the output. */
  log(level: LogLevel, step: number, command: string, text: string): void;
}

/** How a command ended: as its last failing step did, or well. */
export interface CommandResult extends ScriptResult {
  ok: boolean;
  /** For people, if it did not go well: which step, and why. */
  reason?: string;
}
