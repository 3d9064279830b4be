/** Plans while they are made. */
import type { Act, AppliedResource, PlannedStep } from '../../instances.types.ts';

export type Work = NonNullable<PlannedStep['work']>;

/** A step that will run one command of one resource, or record that there is nothing to run. */
export interface Leaf {
  title: string;
  work: Work;
}

/** What belongs together. */
export interface Group {
  title: string;
  children: Tree[];
}

export type Tree = Leaf | Group;

/** What a step of a workflow says about how its commands are run; what is within it has the same, unless it says otherwise. */
export interface Manner {
  ignoreFailure?: boolean | undefined;
  retry?: Work['retry'];
  timeout?: string | undefined;
}

export interface PlanOptions {
  /** Commands at a time. Default: what the workflow says, else 16. */
  threads?: number | undefined;
  /**
   * Nodes that are members. On another nothing is run to take down what is applied there: nobody answers, and nobody will. Absent: all are taken for known.
   */
  nodes?: ReadonlySet<string> | undefined;
}

export interface ActionOptions extends PlanOptions {
  /** So many resources at a time, or such a part of them: `1`, `25%`. */
  batch?: string | undefined;
}

/** By the names of resources. */
export type Applied = ReadonlyMap<string, AppliedResource>;
export type Acts = Map<string, Act>;

export function isLeaf(tree: Tree): tree is Leaf {
  return 'work' in tree;
}
