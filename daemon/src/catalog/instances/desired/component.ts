/** A component that is being expanded to resources. */
import type { Component } from '../../../../../protocol/definitions/assembly.ts';
import type { ComponentType } from './copied-types.ts';

export interface Placed {
  /** Name within the instance: `web`, `web-1`, `web-node3`. */
  name: string;
  node: string;
}

export interface ExpandedComponent {
  name: string;
  written: Component;
  /** Undefined: a violation says why. */
  type: ComponentType | undefined;
  /** Ordered by number, or by node. */
  resources: readonly Placed[];
  /** Has a `count`, so that the number of resources may change: a reference to it gives a list even if there is one. */
  counted: boolean;
  /** False: a violation says why it has no resources. */
  placed: boolean;
}

export type Components = ReadonlyMap<string, ExpandedComponent>;
