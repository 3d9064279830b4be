/** What tasks take and what is kept of them. */
import type { TaskAction, TaskState, TaskStep } from '../../../../../protocol/kinds/task.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Logger } from '../../../logging/logger.types.ts';
import type { ObjectStore, Transaction } from '../../../store/object-store.types.ts';
import type { Act, AppliedResource, Commands, Plan } from '../instances.types.ts';
import type { CommandOutput } from '../service-instances.types.ts';

/** What is done besides, in the same transaction, when a resource was taken down. */
export type Deleted = (tx: Transaction, resource: string) => Promise<void>;

export interface TasksOptions {
  store: ObjectStore;
  /** This node's name. */
  node: string;
  commands: Commands;
  output: CommandOutput;
  logger: Logger;
  /** What is done when a resource of an instance was taken down by a task that is over. */
  deleted(instance: string): Deleted;
  /** Told when it is recorded how a command of a task that is over has ended. */
  settled(instance: string): Promise<void>;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What a step does that is no command. To be done again if it was interrupted. */
export type OwnWork = (signal: AbortSignal) => Promise<void>;

/** Something to be done with an instance, as it was planned. */
export interface TaskToRun {
  instance: string;
  principal: Principal;
  action: TaskAction;
  title: string;
  /** The commit that it brings about. */
  commit?: string | undefined;
  plan: Pick<Plan, 'steps' | 'threads'>;
  /** Work of steps that have none in the plan, by their number. */
  own?: ReadonlyMap<string, OwnWork> | undefined;
  /** After a failure, what does not depend on it is still started. */
  keepGoing: boolean;
  /** How long each command may take, where its step says nothing. */
  timeout?: string | undefined;
  /** What the row of a resource says once it was created or converged. */
  goals: ReadonlyMap<string, AppliedResource>;
  /** What the rows of resources say now. */
  applied: ReadonlyMap<string, AppliedResource>;
  /** In the transaction that makes the Task, which is given as it is to be stored. Its refusal is the task's. */
  begin?(tx: Transaction, task: ApiObject): Promise<void>;
  /** In the transaction that records that a resource was taken down. */
  deleted?(tx: Transaction, resource: string): Promise<void>;
  /** In the transaction that records the end. Its refusal makes the task fail. */
  finish?(tx: Transaction, end: TaskEnd): Promise<void>;
  /** Told once the end is stored, and before anybody can begin another one. */
  over?(end: TaskEnd): void;
}

export interface TaskEnd {
  state: Extract<TaskState, 'succeeded' | 'failed' | 'cancelled'>;
  message: string | undefined;
}

/** A task that runs. */
export interface StartedTask {
  name: string;
  /** As it was first stored. */
  object: ApiObject;
  /** Resolves once its end is stored. Never rejects; undefined: the daemon ends before the task does. */
  ended: Promise<TaskEnd | undefined>;
}

/** How a step that runs a command ended, as it is shown. */
export type StepEnd = Pick<TaskStep, 'exitStatus' | 'code' | 'message'> & {
  state: Extract<TaskState, 'succeeded' | 'failed' | 'cancelled' | 'skipped'>;
};

/**
 * What is kept of a step from when its command is started until the task has ended, or longer: until the end of the command is known. In the
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
  /** What becomes of the resource's row if the command ends well. */
  goal?: AppliedResource | undefined;
  ended?: (StepEnd & { at: number }) | undefined;
}
