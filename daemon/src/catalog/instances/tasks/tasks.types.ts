/** What tasks need, and what is kept of them. */
import type { TaskAction, TaskState, TaskStep } from '../../../../../protocol/kinds/task.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Logger } from '../../../logging/logger.types.ts';
import type { ObjectStore, Transaction } from '../../../store/object-store.types.ts';
import type { Act, AppliedResource, Commands, Plan } from '../instances.types.ts';
import type { CommandOutput } from '../service-instances.types.ts';

/** Further writes in the transaction that records that a resource was taken down. */
export type Deleted = (tx: Transaction, resource: string) => Promise<void>;

export interface TasksOptions {
  store: ObjectStore;
  /** This node's name. */
  node: string;
  commands: Commands;
  output: CommandOutput;
  logger: Logger;
  /** Further writes when a task that is over turns out to have taken down a resource. */
  deleted(instance: string): Deleted;
  /** Called once the end of a command of a finished task is recorded. */
  settled(instance: string): Promise<void>;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** The work of a step that runs no command. It is done again after an interruption. */
export type OwnWork = (signal: AbortSignal) => Promise<void>;

/** A planned task. */
export interface TaskToRun {
  instance: string;
  principal: Principal;
  action: TaskAction;
  title: string;
  /** The commit that the task brings about. */
  commit?: string | undefined;
  plan: Pick<Plan, 'steps' | 'threads'>;
  /** Work of steps that have none in the plan, by number. */
  own?: ReadonlyMap<string, OwnWork> | undefined;
  /** After a failure, still starts the steps that do not depend on it. */
  keepGoing: boolean;
  /** Time limit of each command. A shorter limit of its step goes first. */
  timeout?: string | undefined;
  /** The row of each resource once it has been created or converged. */
  goals: ReadonlyMap<string, AppliedResource>;
  /** The rows of resources now. */
  applied: ReadonlyMap<string, AppliedResource>;
  /** Runs in the transaction that creates the Task, with the Task as it will be stored. If it rejects, the start does. */
  begin?(tx: Transaction, task: ApiObject): Promise<void>;
  /** Runs in the transaction that records that a resource was taken down. */
  deleted?(tx: Transaction, resource: string): Promise<void>;
  /** Runs in the transaction that records the end. If it rejects, the task fails. */
  finish?(tx: Transaction, end: TaskEnd): Promise<void>;
  /** Called once the end is stored, before another task can begin. */
  over?(end: TaskEnd): void;
}

export interface TaskEnd {
  state: Extract<TaskState, 'succeeded' | 'failed' | 'cancelled'>;
  message: string | undefined;
}

/** A running task. */
export interface StartedTask {
  name: string;
  /** The Task as it was first stored. */
  object: ApiObject;
  /** Resolves once the end is stored. Never rejects. Undefined: the daemon shuts down before the task ends. */
  ended: Promise<TaskEnd | undefined>;
}

/** How a step ended, as it is shown. */
export type StepEnd = Pick<TaskStep, 'exitStatus' | 'code' | 'message'> & {
  state: Extract<TaskState, 'succeeded' | 'failed' | 'cancelled' | 'skipped'>;
};

/**
 * What is kept of a step from the start of its command until both the task and the command have ended. Written in the
 * transactions that store the Execution and that record its end.
 */
export interface StepRow {
  instance: string;
  task: string;
  number: string;
  resource: string;
  node: string;
  command: string;
  act: Act | 'run' | 'check';
  options: Readonly<Record<string, string>>;
  execution: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** As in the plan. */
  settles?: string | undefined;
  /** The resource's row if the command ends well. */
  goal?: AppliedResource | undefined;
  ended?: (StepEnd & { at: number }) | undefined;
}
