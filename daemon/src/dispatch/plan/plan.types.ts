/** A plan before it is frozen and anything runs: which targets get which work, and in which order. */
import type { Work } from '../../../../protocol/orders/order.ts';
import type { NodeView } from '../dispatch.types.ts';

/** One target with its work. */
export interface PlannedPart {
  /** The node under its name here, and how to reach it. */
  target: Reached;
  work: Work;
  /** Index of its stage. */
  stage: number;
  /** The signed bundle of the resource. */
  bundle?: Uint8Array;
  /** Why the target is not to be told. */
  skip?: { code: string; reason: string };
}

/** A node for which an order can be made: this one, or a member of one of its domains. */
export interface Reached {
  node: string;
  self: boolean;
  /** Its key and this node's (`starter`) in that domain. For this node both are its signing key, and the domain is empty. */
  key: string;
  domain: string;
  starter: string;
}

/** Targets that run together; stages run one after another. */
export interface Stage {
  /** How many targets run at a time. */
  threads: number;
  /** After a failure the rest of this stage is still started. */
  keepGoing: boolean;
  /**
   * Index of the stage to go on with after a failure in this one: the next, one behind the steps that depend on it, or the number of
   * stages to end.
   */
  afterFailure: number;
  /** What it does, for people. */
  title: string;
}

/** Size of a batch in each stage. One batch ends before the next begins. */
export type Batch = { count: number } | { percent: number };

export interface Plan {
  /** In the order in which they are started; a part's index is its position here. */
  parts: PlannedPart[];
  stages: Stage[];
  batch: Batch | undefined;
  /** Milliseconds that the work may take at each target. */
  timeoutMs: number;
  /** Nodes that did not answer when resources were looked for. */
  unanswered: string[];
  /** Notes for people about what the targets do not show. */
  notes: string[];
}

/** The targets that a retry repeats: (node, work) pairs, whatever the filter would choose now. */
export interface Narrowing {
  has(node: string, work: Work): boolean;
  readonly size: number;
}

/** The nodes that a request goes to, before it is known what is deployed where. */
export interface ChosenNodes {
  all: readonly NodeView[];
  chosen: ReadonlySet<NodeView>;
  /** There is a filter, or nodes are named. Otherwise only this node is meant. */
  filtered: boolean;
  /** The filter in words. */
  text: string;
  /** Why it chooses no node; undefined if it chooses some. */
  none: string | undefined;
  notes: string[];
}
