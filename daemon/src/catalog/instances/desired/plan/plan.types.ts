/** Types of plans that are being made. */
import type { Act, AppliedResource, PlannedStep } from '../../instances.types.ts';

export type Work = NonNullable<PlannedStep['work']>;

/** A step that will run one command of one resource, or record that there is nothing to run. */
export interface Leaf {
  title: string;
  work: Work;
}

/** Steps that belong together. */
export interface Group {
  title: string;
  children: Tree[];
}

export type Tree = Leaf | Group;

/** How a workflow step runs its commands. Inner steps inherit this unless they say otherwise. */
export interface Manner {
  ignoreFailure?: boolean | undefined;
  retry?: Work['retry'];
  timeout?: string | undefined;
}

export interface PlanOptions {
  /** How many commands run at a time. Default: what the workflow says, else 16. */
  threads?: number | undefined;
  /**
   * Names of the member nodes. Resources on any other node are forgotten without running anything, since it will never answer.
   * Undefined: every node counts as a member.
   */
  nodes?: ReadonlySet<string> | undefined;
}

export interface ActionOptions extends PlanOptions {
  /** Resources in one batch, as a number or a share of all: `1`, `25%`. */
  batch?: string | undefined;
}

/** Applied resources, by name. */
export type Applied = ReadonlyMap<string, AppliedResource>;
export type Acts = Map<string, Act>;

export function isLeaf(tree: Tree): tree is Leaf {
  return 'work' in tree;
}
