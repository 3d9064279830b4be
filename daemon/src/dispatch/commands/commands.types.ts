/** What the parts of commands share: commands as types define them, scripts ready to run, and how they ended. */
import type { CodeRef } from '../../../../protocol/definitions/code.ts';
import type { Command, Script } from '../../../../protocol/definitions/commands.ts';
import type { BundledResource } from '../../../../protocol/orders/bundle.ts';
import type { OptionValue } from '../../../../protocol/orders/order.ts';
import type { LogLevel } from '../../../../protocol/orders/records.ts';

/** One type of a chain of types, with the commands that it defines itself and the code that they come from. */
export interface CommandType {
  name: string;
  commands: Readonly<Record<string, Command>>;
  code: CodeRef | undefined;
}

/** A command as found in a chain of types. */
export interface ResolvedCommand {
  /** In the spelling of its definition. */
  name: string;
  command: Command;
  /** The type that defines it. The files of its scripts are looked up in that type's code. */
  type: string;
  code: CodeRef | undefined;
}

/** What a command can see of the node that it runs on. */
export interface CommandContext {
  resource: BundledResource;
  /** The chain of a type: the type itself first, then what it extends. */
  chainOf(type: string): readonly CommandType[];
  /** For local dispatch: the related resources of the bundle that are deployed on this node. */
  related(resource: BundledResource, over: 'children' | 'parents' | 'deployments'): readonly BundledResource[];
  node: string;
  /** The resource's directory on this node, absolute. */
  directoryOf(resource: BundledResource): string;
}

/** What it takes to check a command without running it. The planning node does not know the directories. */
export type PlanContext = Omit<CommandContext, 'directoryOf'>;

/** What ends a command before it is finished. */
export interface RunLimits {
  signal: AbortSignal;
  /** Milliseconds from now. Absent: no limit. */
  timeoutMs?: number | undefined;
  /** Replaces the system's clock in tests. */
  clock?: Clock;
}

export interface Clock {
  /** Milliseconds since some fixed moment. Must never go backwards. */
  now(): number;
  /** Resolves after `ms` milliseconds, or as soon as the signal is aborted. Never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** A script that is ready to start. Paths are absolute unless a field says otherwise. */
export interface ReadyScript {
  resource: BundledResource;
  /**
   * The command or the named step that it belongs to. `step` numbers the scripts of the part from 1, in the order of their starts; each
   * attempt gets a new number.
   */
  command: string;
  step: number;
  /**
   * Arguments, variables and directory are filled in, and the directory is absolute. A file is still relative to its module; an inline
   * text is as written.
   */
  script: Script;
  code: CodeRef | undefined;
  options: Readonly<Record<string, OptionValue>>;
}

export interface ScriptResult {
  /** Absent if a signal ended it, or it could not be started. */
  exitStatus?: number;
  signal?: string;
  /** Why it did not succeed, if not for its exit status: DEADLINE, ABORTED, INVALID (such as for an unknown user)… */
  error?: { code: string; message: string };
  /** It may have run, but nobody knows how it ended. */
  unknown?: boolean;
  /** When it ended, if known. */
  endedAt?: number;
}

/** Runs scripts for the engine, and writes its log lines. */
export interface ScriptRunner {
  run(script: ReadyScript, options: { timeoutMs: number | undefined; signal: AbortSignal }): Promise<ScriptResult>;
  /** Writes a line of dtkd's own into the output. */
  log(level: LogLevel, step: number, command: string, text: string): void;
}

/** How a command ended: successfully, or as the step that decided its failure did. */
export interface CommandResult extends ScriptResult {
  ok: boolean;
  /** For people, if it failed: which step, and why. */
  reason?: string;
}
