/** A plan: which targets get which work, in which order, before it is frozen and anything runs. */
import type { Work } from '../../../../protocol/orders/order.ts';
import type { NodeView } from '../dispatch.types.ts';

/** One target with its work. */
export interface PlannedPart {
  /** The node as it is called here, and how it is reached. */
  target: Reached;
  work: Work;
  /** Index of the stage that it belongs to. */
  stage: number;
  /** The signed bundle of what it is about. */
  bundle?: Uint8Array;
  /** It is not to be told, and why. */
  skip?: { code: string; reason: string };
}

/** A node that an order can be written for: this one, or a member of one of its domains. */
export interface Reached {
  node: string;
  self: boolean;
  /** Its key and this node's in that domain; of this node itself its signing key, and no domain. */
  key: string;
  domain: string;
  starter: string;
}

/** Targets that run together; stages run one after another. */
export interface Stage {
  /** Targets at a time. */
  threads: number;
  /** A failure does not keep the rest of this stage from being started. */
  keepGoing: boolean;
  /** The stage to go on with after a failure in this one: the next, one beyond the steps that depend on it, or as many as there are stages: none. */
  afterFailure: number;
  /** What it does, for people. */
  title: string;
}

/** So many targets at a time, then the next; of each stage. */
export type Batch = { count: number } | { percent: number };

export interface Plan {
  /** In the order in which they are started; the index of a part is its place here. */
  parts: PlannedPart[];
  stages: Stage[];
  batch: Batch | undefined;
  /** How long the work may take at each target. */
  timeoutMs: number;
  /** Nodes that did not answer while resources were looked for. */
  unanswered: string[];
  /** For people: what was found that the targets do not show. */
  notes: string[];
}

/** What a retry takes of the execution that it repeats: (node, resource) pairs, whatever the filter says now. */
export interface Narrowing {
  has(node: string, work: Work): boolean;
  readonly size: number;
}

/** The nodes that a request goes to, before it is known what is deployed where. */
export interface ChosenNodes {
  all: readonly NodeView[];
  chosen: ReadonlySet<NodeView>;
  /** There is a filter, or nodes are named. Else only this node is meant. */
  filtered: boolean;
  /** The filter as it is said in a sentence. */
  text: string;
  /** Why it chooses none; undefined if it does. */
  none: string | undefined;
  notes: string[];
}
